"""The power spherical law: unit vectors around a mean direction, differentiable in any dimension."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from reparam.distributions.beta import Beta
from reparam.distributions.numerics import digamma_deficit, log_gamma_excess
from reparam.distributions.sphere import HypersphericalUniform, Symmetric, log_area
from reparam.noise import NoiseSpec


class PowerSpherical(Symmetric):
    """Unit vectors with density ∝ (1 + μ·z)^κ, for the mean direction μ [..., m] and the concentration κ > 0 [...].

    m ≥ 2; names as in TensorFlow Probability. Of `mean_direction` only the direction counts. An alternative to
    VonMisesFisher without rejection: (1 + μ·z) / 2 is of the law Beta(κ + (m−1)/2, (m−1)/2), and the path has that
    law's implicit derivative in κ. De Cao & Aziz 2020 (arXiv:2006.04437).
    """

    reparameterized = True

    @classmethod
    def example(cls) -> PowerSpherical:
        return cls(torch.tensor([1.0, 0.0, 0.0]), torch.tensor(1.0))

    @property
    def _half(self) -> float:
        return (self.dimension - 1) / 2

    @property
    def _cosine_moments(self) -> tuple[Tensor, Tensor, Tensor]:
        kappa = self.concentration.double()
        total = kappa + 2 * self._half
        across = 2 * (kappa + self._half) / total / (total + 1)
        return kappa / total, 2 * self._half * across / total, across

    def noise(self) -> dict[str, NoiseSpec]:
        return {
            "uniform": NoiseSpec("uniform", self.vectors),
            "normal": NoiseSpec("normal", self.shape),
        }

    def path(self, noise: Mapping[str, Tensor]) -> Tensor:
        kappa = self.concentration.expand(self.vectors)
        share = Beta(kappa + self._half, torch.full_like(kappa, self._half), event_dims=0)
        return self._place(
            2 * torch.sigmoid(-share.logit_path({"uniform": noise["uniform"]})), noise["normal"]
        )

    def log_prob(self, z: Tensor) -> Tensor:
        opposite = (self._gap(z) / 2).clamp(max=1 - torch.finfo(z.dtype).eps)
        return self._sum_vectors(self.concentration * torch.log1p(-opposite) + self._log_height())

    def entropy(self) -> Tensor:
        """Differential entropy in nats, in the plate's shape."""
        return self._sum_vectors((log_area(self.dimension) - self._divergence()).expand(self.vectors))

    def kl(self, other: HypersphericalUniform) -> Tensor:
        """KL(self ‖ uniform) in nats, in the plate's shape."""
        return self._sum_vectors(self._divergence().expand(self.vectors))

    def _log_height(self) -> Tensor:
        """log density at the mean direction, found in double precision."""
        height = self._log_gammas() - self._half * math.log(4 * math.pi)
        return height.to(self.concentration.dtype)

    def _divergence(self) -> Tensor:
        """From the uniform law, per vector, found in double precision."""
        kappa = self.concentration.double()
        upper, total = kappa + self._half, kappa + 2 * self._half
        height = self._log_gammas() - math.lgamma(2 * self._half) + math.lgamma(self._half)
        mean_log = digamma_deficit(total) - digamma_deficit(upper) - torch.log1p(self._half / upper)
        return (kappa * mean_log + height).to(self.concentration.dtype)

    def _log_gammas(self) -> Tensor:
        """log Γ(κ + m − 1) − log Γ(κ + (m−1)/2) in double precision, without cancellation for large κ."""
        half = self._half
        upper = self.concentration.double() + half
        total = upper + half
        excess = log_gamma_excess(total) - log_gamma_excess(upper)
        return excess + half * total.log() + (upper - 1) * torch.log1p(half / upper) - half
