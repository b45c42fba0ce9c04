"""Laws that are drawn along their inverse CDF: z = F⁻¹(u)."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from reparam.distributions.base import Law, require
from reparam.distributions.numerics import at_edge, exp_in_range, log1mexp
from reparam.noise import NoiseSpec

EULER = 0.57721566490153286
"""Euler's constant γ."""


class InverseCDF(Law):
    """Independent entries with a CDF that can be inverted. Base noise: one uniform per entry; path: icdf(u)."""

    reparameterized = True

    def noise(self) -> dict[str, NoiseSpec]:
        return {"uniform": NoiseSpec("uniform", self.shape)}

    def path(self, noise: Mapping[str, Tensor]) -> Tensor:
        return self.icdf(noise["uniform"])

    @abstractmethod
    def icdf(self, u: Tensor) -> Tensor:
        """The quantile of every entry at `u` in (0, 1)."""

    @abstractmethod
    def cdf(self, z: Tensor) -> Tensor:
        """The probability of a value of at most `z`, of every entry."""


def require_positive(law: Law, **parameters: Tensor) -> None:
    """ReparamError naming the first parameter that is not positive and finite everywhere."""
    for name, value in parameters.items():
        require(
            (value > 0) & torch.isfinite(value),
            f"{type(law).__name__}'s {name}",
            "positive and finite",
            value,
        )


def gumbel_kl(ratio: Tensor, shift: Tensor) -> Tensor:
    """KL between Gumbel laws per entry, for the ratio β₁/β₂ of their scales and the shift (μ₁ − μ₂)/β₂."""
    return shift - ratio.log() + EULER * (ratio - 1) - 1 + torch.exp(torch.lgamma(1 + ratio) - shift)


def variance_of(log_first: Tensor, log_second: Tensor) -> Tensor:
    """E[z²] − E[z]² from the logarithms of both moments."""
    return -log_second.exp() * torch.expm1(2 * log_first - log_second)


def not_positive(z: Tensor) -> Tensor:
    """Whether it is outside (0, ∞)."""
    return (z <= 0) | (z == torch.inf)


class Exponential(InverseCDF):
    """Exponential entries with rate `rate`: mean 1 / rate. Path: −log(1 − u) / rate."""

    def __init__(self, rate: Tensor, event_dims: int | None = None) -> None:
        super().__init__(rate, event_dims=event_dims)
        self.rate = rate

    @classmethod
    def example(cls) -> Exponential:
        return cls(torch.ones(3))

    def validate(self) -> None:
        require_positive(self, rate=self.rate)

    @property
    def mean(self) -> Tensor:
        """The mean, in the law's shape."""
        return 1 / self.rate

    @property
    def variance(self) -> Tensor:
        """The variance, in the law's shape."""
        return (1 / self.rate).square()

    def icdf(self, u: Tensor) -> Tensor:
        return -torch.log1p(-u) / self.rate

    def cdf(self, z: Tensor) -> Tensor:
        return -torch.expm1(-self.rate * z.clamp(min=0))

    def log_prob(self, z: Tensor) -> Tensor:
        return self.sum_event(torch.where(z < 0, -torch.inf, self.rate.log() - self.rate * z))

    def entropy(self) -> Tensor:
        """Differential entropy in nats, in the plate's shape."""
        return self.sum_event(1 - self.rate.log())

    def kl(self, other: Exponential) -> Tensor:
        """KL(self ‖ other) in nats, in the plate's shape."""
        log_ratio = other.rate.log() - self.rate.log()
        return self.sum_event((torch.expm1(log_ratio) - log_ratio).expand(self.shape))


class Weibull(InverseCDF):
    """Weibull entries with scale `scale` λ and shape `concentration` k: F(z) = 1 − exp(−(z/λ)^k).

    Path: λ (−log(1 − u))^(1/k). A value that the dtype cannot hold (small k) is the last that it
    can, with derivative 0.
    """

    def __init__(self, scale: Tensor, concentration: Tensor, event_dims: int | None = None) -> None:
        super().__init__(scale, concentration, event_dims=event_dims)
        self.scale, self.concentration = scale, concentration

    @classmethod
    def example(cls) -> Weibull:
        return cls(torch.ones(3), 2 * torch.ones(3))

    def validate(self) -> None:
        require_positive(self, scale=self.scale, concentration=self.concentration)

    def _log_moment(self, order: int) -> Tensor:
        """log E[z^order], in double precision: differences of these nearly cancel."""
        scale, concentration = self.scale.double(), self.concentration.double()
        return order * scale.log() + torch.lgamma(1 + order / concentration)

    @property
    def mean(self) -> Tensor:
        """The mean, in the law's shape; infinite where the dtype cannot hold it."""
        return self._log_moment(1).exp().to(self.scale.dtype)

    @property
    def variance(self) -> Tensor:
        """The variance, in the law's shape; infinite where the dtype cannot hold it."""
        return variance_of(self._log_moment(1), self._log_moment(2)).to(self.scale.dtype)

    def icdf(self, u: Tensor) -> Tensor:
        return exp_in_range(self.scale.log() + torch.log(-torch.log1p(-u)) / self.concentration)

    def cdf(self, z: Tensor) -> Tensor:
        log_power = (self.concentration * self._log_standard(z)).clamp(
            max=80
        )  # 1 from there on, in every dtype
        return torch.where(not_positive(z), (z > 0).to(z.dtype), -torch.expm1(-log_power.exp()))

    def log_prob(self, z: Tensor) -> Tensor:
        log_x, k = self._log_standard(z), self.concentration
        height = k.log() - self.scale.log()
        entries = torch.where(not_positive(z), -torch.inf, height + (k - 1) * log_x - (k * log_x).exp())
        return self.sum_event(torch.where(z == 0, at_edge(k - 1, height), entries))

    def _log_standard(self, z: Tensor) -> Tensor:
        """log(z/λ), and that of z = 1 outside the support."""
        return torch.where(not_positive(z), 1.0, z).log() - self.scale.log()

    def entropy(self) -> Tensor:
        """Differential entropy in nats, in the plate's shape."""
        entries = EULER * (1 - 1 / self.concentration) + self.scale.log() - self.concentration.log() + 1
        return self.sum_event(entries)

    def kl(self, other: Weibull) -> Tensor:
        """KL(self ‖ other) in nats, in the plate's shape: that of the Gumbel variables −log z."""
        ratio = other.concentration / self.concentration
        shift = other.concentration * (other.scale.log() - self.scale.log())
        return self.sum_event(gumbel_kl(ratio, shift).expand(self.shape))


class Kumaraswamy(InverseCDF):
    """Kumaraswamy entries on (0, 1) with `concentration1` a and `concentration0` b: F(z) = 1 − (1 − z^a)^b.

    Path: (1 − (1 − u)^(1/b))^(1/a), in log space. A value that the dtype cannot tell from 0 or 1 is the last that it
    can, with derivative 0.
    """

    def __init__(self, concentration1: Tensor, concentration0: Tensor, event_dims: int | None = None) -> None:
        super().__init__(concentration1, concentration0, event_dims=event_dims)
        self.concentration1, self.concentration0 = concentration1, concentration0

    @classmethod
    def example(cls) -> Kumaraswamy:
        return cls(2 * torch.ones(3), 2 * torch.ones(3))

    def validate(self) -> None:
        require_positive(self, concentration1=self.concentration1, concentration0=self.concentration0)

    def _log_moment(self, order: int) -> Tensor:
        """log E[z^order], in double precision: differences of these nearly cancel."""
        a, b = self.concentration1.double(), self.concentration0.double()
        return torch.lgamma(1 + order / a) + torch.lgamma(1 + b) - torch.lgamma(1 + order / a + b)

    @property
    def mean(self) -> Tensor:
        """The mean, in the law's shape."""
        return self._log_moment(1).exp().to(self.concentration1.dtype)

    @property
    def variance(self) -> Tensor:
        """The variance, in the law's shape."""
        return variance_of(self._log_moment(1), self._log_moment(2)).to(self.concentration1.dtype)

    def icdf(self, u: Tensor) -> Tensor:
        log_z = log1mexp(torch.log1p(-u) / self.concentration0) / self.concentration1
        return exp_in_range(log_z.clamp(max=-torch.finfo(log_z.dtype).eps))

    def cdf(self, z: Tensor) -> Tensor:
        outside = (z <= 0) | (z >= 1)
        entries = -torch.expm1(self.concentration0 * self._log_rest(torch.where(outside, 0.5, z)))
        return torch.where(outside, (z >= 1).to(z.dtype), entries)

    def log_prob(self, z: Tensor) -> Tensor:
        outside = (z <= 0) | (z >= 1)
        x, a, b = torch.where(outside, 0.5, z), self.concentration1, self.concentration0
        entries = a.log() + b.log() + (a - 1) * x.log() + (b - 1) * self._log_rest(x)
        edge = torch.where(z == 0, at_edge(a - 1, b.log()), at_edge(b - 1, a.log()))
        beyond = torch.where((z == 0) | (z == 1), edge, -torch.inf)
        return self.sum_event(torch.where(outside, beyond, entries))

    def _log_rest(self, z: Tensor) -> Tensor:
        """log(1 − z^a)."""
        return log1mexp(self.concentration1 * z.log())

    def entropy(self) -> Tensor:
        """Differential entropy in nats, in the plate's shape."""
        a, b = self.concentration1, self.concentration0
        harmonic = torch.digamma(b + 1) + EULER
        return self.sum_event(1 - 1 / b + (1 - 1 / a) * harmonic - a.log() - b.log())


class Uniform(InverseCDF):
    """Entries uniform between `low` and `high`. Path: low + (high − low) u.

    The support moves with the parameters, so ∇ log_prob has no mean of zero: score-function estimators are wrong for
    this law, and refuse it; the pathwise estimator is right.
    """

    fixed_support = False

    def __init__(self, low: Tensor, high: Tensor, event_dims: int | None = None) -> None:
        super().__init__(low, high, event_dims=event_dims)
        self.low, self.high = low, high

    @classmethod
    def example(cls) -> Uniform:
        return cls(torch.zeros(3), torch.ones(3))

    def validate(self) -> None:
        for name, value in (("low", self.low), ("high", self.high)):
            require(torch.isfinite(value), f"Uniform's {name}", "finite", value)
        require(self.high > self.low, "Uniform's high", "above low", self.high)

    @property
    def mean(self) -> Tensor:
        """The mean, in the law's shape."""
        return 0.5 * self.low + 0.5 * self.high

    @property
    def variance(self) -> Tensor:
        """The variance, in the law's shape."""
        return ((self.high - self.low) / math.sqrt(12)).square()

    def icdf(self, u: Tensor) -> Tensor:
        z = self.low + (self.high - self.low) * u
        return torch.where(z > self.high, self.high, z)  # rounding may step over the end

    def cdf(self, z: Tensor) -> Tensor:
        return ((z - self.low) / (self.high - self.low)).clamp(0, 1)

    def log_prob(self, z: Tensor) -> Tensor:
        outside = (z < self.low) | (z > self.high)
        return self.sum_event(torch.where(outside, -torch.inf, -torch.log(self.high - self.low) + 0 * z))

    def entropy(self) -> Tensor:
        """Differential entropy in nats, in the plate's shape."""
        return self.sum_event(torch.log(self.high - self.low))

    def kl(self, other: Uniform) -> Tensor:
        """KL(self ‖ other) in nats, in the plate's shape; infinite unless `other` covers this law."""
        covered = (other.low <= self.low) & (self.high <= other.high)
        ratio = torch.log(other.high - other.low) - torch.log(self.high - self.low)
        return self.sum_event(torch.where(covered, ratio, torch.inf).expand(self.shape))
