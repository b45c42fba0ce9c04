"""The von Mises law, drawn along its inverse CDF and differentiated implicitly."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from reparam.distributions import incomplete_bessel
from reparam.distributions.base import require
from reparam.distributions.inverse_cdf import InverseCDF, require_positive
from reparam.distributions.rejection import Draw
from reparam.distributions.ulrich import accept_cosine, cosine_noise
from reparam.noise import NoiseSpec


class VonMises(InverseCDF):
    """Angles with density proportional to e^(κ cos(z − loc)); κ is `concentration`.

    Path: loc + t, with t in (−π, π) the inverse CDF around the mode: samples are within half a turn of `loc` and not
    wrapped, and so is what `cdf` counts; `log_prob` is periodic. dt/dκ is implicit (Figurnov et al. 2018).

    The cut moves with loc: estimators made of scores (score_function, lax, …) are exact for f that are periodic in z,
    and biased for others; pathwise and implicit are exact for both.
    """

    periodic = True

    def __init__(self, loc: Tensor, concentration: Tensor, event_dims: int | None = None) -> None:
        super().__init__(loc, concentration, event_dims=event_dims)
        self.loc, self.concentration = loc, concentration

    @classmethod
    def example(cls) -> VonMises:
        return cls(torch.zeros(3), 2 * torch.ones(3))

    def validate(self) -> None:
        require(torch.isfinite(self.loc), "VonMises's loc", "finite", self.loc)
        require_positive(self, concentration=self.concentration)

    @property
    def mean(self) -> Tensor:
        """The mean, in the law's shape."""
        return self.loc.expand(self.shape)

    @property
    def variance(self) -> Tensor:
        """The circular variance 1 − E[cos(z − loc)], in the law's shape."""
        return incomplete_bessel.normaliser(self.concentration)[1].expand(self.shape)

    def rejection_noise(self, boost: int = 0) -> dict[str, NoiseSpec]:
        """The base noise of `accept`; there is no shape to be boosted."""
        return {**cosine_noise(self.shape, 2), "side": NoiseSpec("uniform", self.shape)}

    def accept(self, noise: Mapping[str, Tensor]) -> Draw:
        """A draw by rejection (Best & Fisher 1979)."""
        kappa = self.concentration.expand(self.shape)
        cosine = accept_cosine(kappa, 2, noise)
        t = 2 * torch.atan(cosine.odds.sqrt())
        z = self.loc + torch.where(noise["side"] < 0.5, -t, t)
        return Draw(z, self.sum_event(cosine.log_density), self.sum_event(cosine.failed) > 0)

    def icdf(self, u: Tensor) -> Tensor:
        u, kappa = torch.broadcast_tensors(u, self.concentration.expand(self.shape))
        beyond = 2 * torch.minimum(u, 1 - u)
        t = incomplete_bessel.quantile(1 - beyond, beyond, kappa)
        return self.loc + (u - 0.5).sign() * t

    def cdf(self, z: Tensor) -> Tensor:
        offset, kappa = torch.broadcast_tensors(z - self.loc, self.concentration)
        t = torch.where(offset < 0, -offset, offset)  # the derivative of abs is 0 at the mode
        inner, mass = incomplete_bessel.mass(t.clamp(max=math.pi), kappa)
        tail = 0.5 * torch.where(inner, 1 - mass, mass)
        return torch.where(offset < 0, tail, 1 - tail)

    def log_prob(self, z: Tensor) -> Tensor:
        versine = 2 * torch.sin((z - self.loc) / 2).square()
        return self.sum_event(-self.concentration * versine - self._log_volume()[0])

    def entropy(self) -> Tensor:
        """Differential entropy in nats, in the plate's shape."""
        log_volume, gap = self._log_volume()
        return self.sum_event((log_volume + self.concentration * gap).expand(self.shape))

    def kl(self, other: VonMises) -> Tensor:
        """KL(self ‖ other) in nats, in the plate's shape."""
        (own, gap), (another, _) = self._log_volume(), other._log_volume()
        turned = 2 * torch.sin((self.loc - other.loc) / 2).square()
        entries = another - own - self.concentration * gap
        entries = entries + other.concentration * (gap + (1 - gap) * turned)
        return self.sum_event(entries.expand(self.shape))

    def _log_volume(self) -> tuple[Tensor, Tensor]:
        """(log 2π e^−κ I₀(κ), the circular variance)."""
        half, gap = incomplete_bessel.normaliser(self.concentration)
        return (2 * half).log(), gap
