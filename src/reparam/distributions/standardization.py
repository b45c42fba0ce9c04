"""Laws by a map h(z, φ) = ε that turns a sample into its base noise; a CDF is the map to uniform noise.

The sample is the root of h(z, φ) = ε, found by bisection on constants, and is differentiated implicitly:
dz/dφ = −(∂h/∂z)⁻¹ ∂h/∂φ (Figurnov et al. 2018, arXiv:1805.08498). Samples keep to magnitudes between √tiny and √max of
the dtype and are as exact as h is: a CDF resolves its upper tail to the rounding of 1 only, a map to the normal law is
not so limited.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Literal

import torch
from torch import Tensor

from reparam.distributions.arguments import shown
from reparam.distributions.base import require
from reparam.distributions.custom import EVERYWHERE, PROBES, Custom, Function
from reparam.distributions.implicit import ENTRYWISE, TRIANGULAR, Newton, bisect, differentiable_root
from reparam.distributions.numerics import normal_cdf
from reparam.errors import ReparamError
from reparam.noise import NoiseSpec

Base = Literal["normal", "uniform"]
Map = Callable[[Tensor], Tensor]


class Standardized(Custom):
    """A law by a map to the standard normal law, or to the uniform law on (0, 1), of the same shape.

    Log density: that of the base noise at h(z), plus log |det ∂h/∂z|; the density is 0 outside the support.
    """

    _newton: ClassVar[Newton]

    def __init__(
        self,
        standardize: Function,
        parameters: Sequence[Tensor],
        base: Base,
        support: tuple[float, float],
        shape: Sequence[int] | None,
        event_dims: int | None,
    ) -> None:
        super().__init__(standardize, parameters, support, shape, event_dims)
        if not isinstance(base, str) or base not in ("normal", "uniform"):
            raise ReparamError(f"{self._name}: base must be 'normal' or 'uniform', got {shown(base)}")
        self.base: Base = base

    @staticmethod
    @abstractmethod
    def _parts(derivative: Tensor) -> tuple[Tensor, Tensor]:
        """The derivative of each entry in itself, and those that must be zero."""

    @abstractmethod
    def _root(self, target: Tensor) -> Tensor:
        """z with h(z) = target, as a constant."""

    def _invert(self, target: Tensor) -> Tensor:
        """z with h(z) = target, differentiable."""
        root = self._root(target.detach())
        return differentiable_root(lambda z: self._live(z) - target, root, self._newton)

    def validate(self) -> None:
        self._require_shape(self._interior())
        for u in PROBES:
            target = self._quantile(self._full(u))
            z = self._root(target)
            value, derivative = self._newton.linearize(self._stopped, z)
            own, others = self._parts(derivative)
            found = (value - target).abs() <= math.sqrt(torch.finfo(z.dtype).eps)
            level = f"continuous and rise through {target.flatten()[0]:.3g} on ({self.low:g}, {self.high:g})"
            require(found, f"{self._name}'s function", level, value)
            require(own > 0, f"The derivative of {self._name}'s function", "positive", own)
            require(others == 0, f"The derivative of {self._name}'s function in later entries", "0", others)

    def noise(self) -> dict[str, NoiseSpec]:
        return {self.base: NoiseSpec(self.base, self.shape)}

    def path(self, noise: Mapping[str, Tensor]) -> Tensor:
        return self._invert(noise[self.base])

    def log_prob(self, z: Tensor) -> Tensor:
        outside = self._outside(z)
        standard, derivative = self._newton.linearize(self._live, torch.where(outside, self._interior(), z))
        own, _ = self._parts(derivative)
        return self.sum_event(torch.where(outside, -torch.inf, self._base_log_density(standard) + own.log()))

    def _base_log_density(self, standard: Tensor) -> Tensor:
        if self.base == "normal":
            return -0.5 * standard.square() - 0.5 * math.log(2 * math.pi)
        return torch.zeros_like(standard)

    def _quantile(self, u: Tensor) -> Tensor:
        """That of the base law."""
        return torch.special.ndtri(u) if self.base == "normal" else u


class FromStandardization(Standardized):
    """Independent entries that `standardize(z, *parameters)`, increasing in z, turns into base noise.

    `support` is the open interval of the entries; its ends do not depend on the parameters.
    """

    _newton = ENTRYWISE

    def __init__(
        self,
        standardize: Function,
        parameters: Sequence[Tensor],
        base: Base = "normal",
        support: tuple[float, float] = EVERYWHERE,
        shape: Sequence[int] | None = None,
        event_dims: int | None = None,
    ) -> None:
        super().__init__(standardize, parameters, base, support, shape, event_dims)

    @classmethod
    def example(cls) -> FromStandardization:
        return cls(lambda z, loc: z - loc, (torch.zeros(3),))

    def icdf(self, u: Tensor) -> Tensor:
        """The quantile of every entry at `u` in (0, 1)."""
        return self._invert(self._quantile(u))

    def cdf(self, z: Tensor) -> Tensor:
        """The probability of a value of at most `z`, of every entry."""
        outside = self._outside(z)
        standard = self._live(torch.where(outside, self._interior(), z))
        inside = normal_cdf(standard) if self.base == "normal" else standard
        return torch.where(outside, (z >= self.high).to(z.dtype), inside)

    @staticmethod
    def _parts(derivative: Tensor) -> tuple[Tensor, Tensor]:
        return derivative, torch.zeros_like(derivative)

    def _root(self, target: Tensor) -> Tensor:
        return bisect(self._stopped, target, self.low, self.high)


class FromCDF(FromStandardization):
    """Independent entries with the CDF `cdf(z, *parameters)`, increasing in z: dz/dφ = −(∂F/∂φ) / p(z)."""

    def __init__(
        self,
        cdf: Function,
        parameters: Sequence[Tensor],
        support: tuple[float, float] = EVERYWHERE,
        shape: Sequence[int] | None = None,
        event_dims: int | None = None,
    ) -> None:
        super().__init__(cdf, parameters, "uniform", support, shape, event_dims)

    @classmethod
    def example(cls) -> FromCDF:
        return cls(lambda z, loc: torch.sigmoid(z - loc), (torch.zeros(3),))


class FromTriangularStandardization(Standardized):
    """Vectors over the last axis that `standardize(z, *parameters)` turns into independent base noise.

    Entry i of h(z) depends on z₁ … zᵢ only and increases in zᵢ (a Rosenblatt transform: the conditional CDFs, or those
    turned into normal noise). `shape` is the law's, the vectors' axis included; `event_dims` counts that axis.
    The path finds one entry after the other: a sample of D entries evaluates h D times as often as one entry.
    """

    _newton = TRIANGULAR

    def __init__(
        self,
        standardize: Function,
        parameters: Sequence[Tensor],
        shape: Sequence[int],
        base: Base = "normal",
        support: tuple[float, float] = EVERYWHERE,
        event_dims: int | None = None,
    ) -> None:
        super().__init__(standardize, parameters, base, support, shape, event_dims)
        if self.event_dims < 1:
            raise ReparamError(f"{self._name}: event_dims counts the vector's axis and is at least 1")

    @classmethod
    def example(cls) -> FromTriangularStandardization:
        return cls(lambda z, loc: z - loc, (torch.zeros(3),), shape=(3,))

    @staticmethod
    def _parts(derivative: Tensor) -> tuple[Tensor, Tensor]:
        return derivative.diagonal(dim1=-2, dim2=-1), derivative.triu(1)

    def _root(self, target: Tensor) -> Tensor:
        root = torch.full_like(target, self._interior())
        for i in range(self.shape[-1]):
            root = self._with_entry(
                root, i, bisect(self._entry(root, i), target[..., i], self.low, self.high)
            )
        return root

    def _entry(self, z: Tensor, i: int) -> Map:
        """Entry i of h as a function of entry i of z."""
        return lambda entry: self._stopped(self._with_entry(z, i, entry))[..., i]

    @staticmethod
    def _with_entry(z: Tensor, i: int, entry: Tensor) -> Tensor:
        here = torch.arange(z.shape[-1], device=z.device) == i
        return torch.where(here, entry.unsqueeze(-1), z)
