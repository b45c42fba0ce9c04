"""The von Mises–Fisher law: unit vectors around a mean direction, in any dimension."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from reparam.distributions.bessel import log_bessel, ratio_slope, slack
from reparam.distributions.rejection import Draw
from reparam.distributions.sphere import HypersphericalUniform, Symmetric, log_area
from reparam.distributions.ulrich import accept_cosine, cosine_noise
from reparam.noise import NoiseSpec


class VonMisesFisher(Symmetric):
    """Unit vectors with density ∝ exp(κ μ·z), for the mean direction μ [..., m] and the concentration κ > 0 [...].

    m ≥ 2; names as in TensorFlow Probability. Of `mean_direction` only the direction counts.

    In three dimensions w = μ·z has an inverse CDF, and the path is differentiable (Jakob 2012). Elsewhere w is drawn by
    rejection (Ulrich 1984): the path's derivative in κ, at the accepted noise, is no gradient without the correction
    term that `rsvi` adds, so `reparameterized` is False (Davidson et al. 2018).
    """

    def __init__(self, mean_direction: Tensor, concentration: Tensor, event_dims: int | None = None) -> None:
        super().__init__(mean_direction, concentration, event_dims)
        self.reparameterized = self.dimension == 3

    @classmethod
    def example(cls) -> VonMisesFisher:
        return cls(torch.tensor([1.0, 0.0, 0.0]), torch.tensor(1.0))

    def _normaliser(self) -> tuple[Tensor, Tensor]:
        """(log E[e^{κ t}] for t a coordinate of a uniform point, its derivative A_m(κ)), in double precision."""
        return log_bessel(self.dimension / 2 - 1, self.concentration.double())

    @property
    def _cosine_moments(self) -> tuple[Tensor, Tensor, Tensor]:
        """A = I_{m/2}(κ) / I_{m/2−1}(κ), dA/dκ and A / κ."""
        _, first = self._normaliser()
        kappa = self.concentration.double()
        return first, ratio_slope(self.dimension / 2 - 1, kappa), first / kappa

    def noise(self) -> dict[str, NoiseSpec]:
        if not self.reparameterized:
            return self.rejection_noise()
        return {
            "uniform": NoiseSpec("uniform", self.vectors),
            "normal": NoiseSpec("normal", self.shape),
        }

    def path(self, noise: Mapping[str, Tensor]) -> Tensor:
        if not self.reparameterized:
            return self.accept(noise).z
        concentration = self.concentration.double()  # for differences at small κ
        share = noise["uniform"].double() * torch.expm1(-2 * concentration)
        gap = -torch.log1p(share) / concentration
        return self._place(gap.to(self.concentration.dtype), noise["normal"])

    def rejection_noise(self, boost: int = 0) -> dict[str, NoiseSpec]:
        """The base noise of `accept`; there is no shape to be boosted."""
        return {**cosine_noise(self.vectors, self.dimension), "normal": NoiseSpec("normal", self.shape)}

    def accept(self, noise: Mapping[str, Tensor]) -> Draw:
        """A draw by rejection, in any dimension."""
        concentration = self.concentration.expand(self.vectors)
        cosine = accept_cosine(concentration, self.dimension, noise)
        z = self._place(cosine.gap, noise["normal"])
        return Draw(z, self._sum_vectors(cosine.log_density), self._sum_vectors(cosine.failed) > 0)

    def log_prob(self, z: Tensor) -> Tensor:
        entries = (
            slack(self.concentration, self.dimension)
            - self.concentration * self._gap(z)
            - log_area(self.dimension)
        )
        return self._sum_vectors(entries)

    def entropy(self) -> Tensor:
        """Differential entropy in nats, in the plate's shape."""
        return self._sum_vectors((log_area(self.dimension) - self._divergence()).expand(self.vectors))

    def kl(self, other: VonMisesFisher | HypersphericalUniform) -> Tensor:
        """KL(self ‖ other) in nats, in the plate's shape; κ A − log E[e^{κ t}] for the uniform law."""
        if isinstance(other, HypersphericalUniform):
            return self._sum_vectors(self._divergence().expand(self.vectors))
        _, first = self._normaliser()
        cosine = 1 - other._gap(self.mean_direction).double()
        entries = self._divergence().double() + other._normaliser()[0] - other.concentration * first * cosine
        return self._sum_vectors(entries.to(self.concentration.dtype).expand(self.vectors))

    def _divergence(self) -> Tensor:
        """From the uniform law, per vector."""
        log_value, first = self._normaliser()
        return (self.concentration.double() * first - log_value).to(self.concentration.dtype)
