"""Location–scale laws, z = loc + scale · x with x of a standard law, and the exponential of one."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar, Self

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from reparam.distributions.base import Law, logistic, require
from reparam.distributions.inverse_cdf import EULER, InverseCDF, gumbel_kl, require_positive, variance_of
from reparam.distributions.numerics import exp_in_range, normal_cdf
from reparam.noise import NoiseSpec


def _validate(law: Law, loc: Tensor, scale: Tensor) -> None:
    require(torch.isfinite(loc), f"{type(law).__name__}'s loc", "finite", loc)
    require_positive(law, scale=scale)


class LocationScale(InverseCDF):
    """Independent entries loc + scale · x. Path: loc + scale · F⁻¹(u), with the inverse CDF of the standard law.

    dz/dloc = 1 and dz/dscale = x = (z − loc) / scale.
    """

    unbounded = True
    standard_entropy: ClassVar[float]

    def __init__(self, loc: Tensor, scale: Tensor, event_dims: int | None = None) -> None:
        super().__init__(loc, scale, event_dims=event_dims)
        self.loc, self.scale = loc, scale

    @classmethod
    def example(cls) -> Self:
        return cls(torch.zeros(3), torch.ones(3))

    def validate(self) -> None:
        _validate(self, self.loc, self.scale)

    @staticmethod
    @abstractmethod
    def standard_icdf(u: Tensor) -> Tensor:
        """The inverse CDF at loc 0 and scale 1."""

    @staticmethod
    @abstractmethod
    def standard_cdf(x: Tensor) -> Tensor:
        """The CDF at loc 0 and scale 1."""

    @staticmethod
    @abstractmethod
    def standard_log_density(x: Tensor) -> Tensor:
        """The log density at loc 0 and scale 1."""

    def icdf(self, u: Tensor) -> Tensor:
        return self.loc + self.scale * self.standard_icdf(u)

    def cdf(self, z: Tensor) -> Tensor:
        return self.standard_cdf((z - self.loc) / self.scale)

    def log_prob(self, z: Tensor) -> Tensor:
        return self.sum_event(self.standard_log_density((z - self.loc) / self.scale) - self.scale.log())

    def entropy(self) -> Tensor:
        """Differential entropy in nats, in the plate's shape."""
        return self.sum_event((self.scale.log() + self.standard_entropy).expand(self.shape))


class Laplace(LocationScale):
    """Laplace entries with mean `loc` and mean absolute deviation `scale`."""

    standard_entropy = 1 + math.log(2)

    @property
    def mean(self) -> Tensor:
        """The mean, in the law's shape."""
        return self.loc.expand(self.shape)

    @property
    def variance(self) -> Tensor:
        """The variance, in the law's shape."""
        return (2 * self.scale.square()).expand(self.shape)

    @staticmethod
    def standard_icdf(u: Tensor) -> Tensor:
        depth = torch.log(2 * torch.where(u < 0.5, u, 1 - u))
        return torch.where(u < 0.5, depth, -depth)

    @staticmethod
    def standard_cdf(x: Tensor) -> Tensor:
        tail = 0.5 * torch.exp(-x.abs())
        return torch.where(x < 0, tail, 1 - tail)

    @staticmethod
    def standard_log_density(x: Tensor) -> Tensor:
        return -x.abs() - math.log(2)

    def kl(self, other: Laplace) -> Tensor:
        """KL(self ‖ other) in nats, in the plate's shape."""
        log_ratio = self.scale.log() - other.scale.log()
        distance = (self.loc - other.loc).abs()
        far = distance / other.scale + log_ratio.exp() * torch.expm1(-distance / self.scale)
        return self.sum_event((far + torch.expm1(log_ratio) - log_ratio).expand(self.shape))


class Logistic(LocationScale):
    """Logistic entries with mean `loc` and CDF σ((z − loc) / scale)."""

    standard_entropy = 2.0

    @property
    def mean(self) -> Tensor:
        """The mean, in the law's shape."""
        return self.loc.expand(self.shape)

    @property
    def variance(self) -> Tensor:
        """The variance, in the law's shape."""
        return (math.pi**2 / 3 * self.scale.square()).expand(self.shape)

    @staticmethod
    def standard_icdf(u: Tensor) -> Tensor:
        return logistic(u)

    @staticmethod
    def standard_cdf(x: Tensor) -> Tensor:
        return torch.sigmoid(x)

    @staticmethod
    def standard_log_density(x: Tensor) -> Tensor:
        return logsigmoid(x) + logsigmoid(-x)


class Gumbel(LocationScale):
    """Gumbel entries (of maxima) with mode `loc` and CDF exp(−exp(−(z − loc) / scale))."""

    standard_entropy = 1 + EULER

    @property
    def mean(self) -> Tensor:
        """The mean, in the law's shape."""
        return self.loc + EULER * self.scale

    @property
    def variance(self) -> Tensor:
        """The variance, in the law's shape."""
        return (math.pi**2 / 6 * self.scale.square()).expand(self.shape)

    @staticmethod
    def standard_icdf(u: Tensor) -> Tensor:
        return -torch.log(-u.log())

    @staticmethod
    def standard_cdf(x: Tensor) -> Tensor:
        return torch.exp(-torch.exp(-x.clamp(min=-80)))  # 0 below, in every dtype

    @staticmethod
    def standard_log_density(x: Tensor) -> Tensor:
        x = x.clamp(min=-torch.finfo(x.dtype).max)  # −∞ has the density 0
        return -x - torch.exp(-x)

    def kl(self, other: Gumbel) -> Tensor:
        """KL(self ‖ other) in nats, in the plate's shape."""
        entries = gumbel_kl(self.scale / other.scale, (self.loc - other.loc) / other.scale)
        return self.sum_event(entries.expand(self.shape))


class Cauchy(LocationScale):
    """Cauchy entries with median `loc` and half-width at half-maximum `scale`; they have no mean and no variance."""

    standard_entropy = math.log(4 * math.pi)

    @staticmethod
    def standard_icdf(u: Tensor) -> Tensor:
        """tan(π (u − ½)); in the tails by the cotangent, because u − ½ rounds to ½ there."""
        tail = 1 / torch.tan(math.pi * torch.where(u < 0.5, u, 1 - u))
        middle = torch.tan(math.pi * (u - 0.5).clamp(-0.25, 0.25))
        return torch.where((u - 0.5).abs() < 0.25, middle, torch.where(u < 0.5, -tail, tail))

    @staticmethod
    def standard_cdf(x: Tensor) -> Tensor:
        return torch.atan2(torch.ones_like(x), -x) / math.pi

    @staticmethod
    def standard_log_density(x: Tensor) -> Tensor:
        return -2 * torch.hypot(x, torch.ones_like(x)).log() - math.log(math.pi)

    def kl(self, other: Cauchy) -> Tensor:
        """KL(self ‖ other) in nats, in the plate's shape (Chyzak & Nielsen 2019, arXiv:1905.10965)."""
        scales, locs = self.scale - other.scale, self.loc - other.loc
        square = (scales / self.scale) * (scales / other.scale) + (locs / self.scale) * (locs / other.scale)
        return self.sum_event(torch.log1p(square / 4).expand(self.shape))


class LogNormal(Law):
    """Entries whose logarithm is Normal with mean `loc` and standard deviation `scale`.

    Base noise: one standard normal per entry. Path: exp(loc + scale · ε); a value that the dtype cannot hold is
    the last that it can, with derivative 0.
    """

    reparameterized = True

    def __init__(self, loc: Tensor, scale: Tensor, event_dims: int | None = None) -> None:
        super().__init__(loc, scale, event_dims=event_dims)
        self.loc, self.scale = loc, scale

    @classmethod
    def example(cls) -> LogNormal:
        return cls(torch.zeros(3), torch.ones(3))

    def validate(self) -> None:
        _validate(self, self.loc, self.scale)

    @property
    def mean(self) -> Tensor:
        """The mean, in the law's shape; infinite where the dtype cannot hold it."""
        return (self.loc + self.scale.square() / 2).exp()

    @property
    def variance(self) -> Tensor:
        """The variance, in the law's shape; infinite where the dtype cannot hold it."""
        return variance_of(self.loc + self.scale.square() / 2, 2 * self.loc + 2 * self.scale.square())

    def noise(self) -> dict[str, NoiseSpec]:
        return {"normal": NoiseSpec("normal", self.shape)}

    def path(self, noise: Mapping[str, Tensor]) -> Tensor:
        return exp_in_range(self.loc + self.scale * noise["normal"])

    def icdf(self, u: Tensor) -> Tensor:
        """The quantile of every entry at `u` in (0, 1)."""
        return self.path({"normal": torch.special.ndtri(u)})

    def cdf(self, z: Tensor) -> Tensor:
        """The probability of a value of at most `z`, of every entry."""
        standard = (torch.where(z <= 0, 1.0, z).log() - self.loc) / self.scale
        return torch.where(z <= 0, 0.0, normal_cdf(standard))

    def log_prob(self, z: Tensor) -> Tensor:
        log_z = torch.where(z <= 0, 1.0, z).log()
        standard = (log_z - self.loc) / self.scale
        entries = -0.5 * standard.square() - self.scale.log() - 0.5 * math.log(2 * math.pi) - log_z
        return self.sum_event(torch.where(z <= 0, -torch.inf, entries))

    def entropy(self) -> Tensor:
        """Differential entropy in nats, in the plate's shape."""
        return self.sum_event(self.loc + self.scale.log() + 0.5 * math.log(2 * math.pi * math.e))

    def kl(self, other: LogNormal) -> Tensor:
        """KL(self ‖ other) in nats, in the plate's shape: that of the Normal laws of log z."""
        log_ratio = self.scale.log() - other.scale.log()
        distance = ((self.loc - other.loc) / other.scale).square()
        entries = 0.5 * (torch.expm1(2 * log_ratio) + distance) - log_ratio
        return self.sum_event(entries.expand(self.shape))
