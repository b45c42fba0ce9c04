"""Laws by a function of the user's: what they share, and the law of an inverse CDF.

The function takes a tensor and then the law's parameters, which are differentiated. It may be any composition of
differentiable torch operations that broadcasts over leading axes and acts on each entry (or vector) alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor

from reparam.distributions.arguments import as_sizes, require_tensors, shown
from reparam.distributions.base import Law, require
from reparam.distributions.implicit import bisect, differentiable_root, slope
from reparam.errors import ReparamError
from reparam.noise import NoiseSpec

Function = Callable[..., Tensor]
EVERYWHERE = (-math.inf, math.inf)
PROBES = (0.01, 0.5, 0.99)


class Custom(Law):
    """What these laws share: a function, its parameters, and an open support with ends that do not depend on them.

    `shape` is the law's; left out, that of the parameters broadcast together.
    """

    reparameterized = True

    def __init__(
        self,
        function: Function,
        parameters: Sequence[Tensor],
        support: tuple[float, float],
        shape: Sequence[int] | None,
        event_dims: int | None,
    ) -> None:
        if not callable(function):
            raise ReparamError(
                f"{self._name} needs a function of a tensor and the parameters, got {shown(function)}"
            )
        if not isinstance(parameters, Sequence):
            raise ReparamError(f"{self._name}: parameters must be a list of tensors, got {shown(parameters)}")
        require_tensors(self._name, *parameters)
        self.function, self.parameters = function, tuple(parameters)
        self.low, self.high = _ends(self._name, support)
        self.unbounded = (self.low, self.high) == EVERYWHERE
        sizes = None if shape is None else as_sizes(f"{self._name}: shape", shape)
        shapes = self.parameters if sizes is None else (torch.empty(sizes, device="meta"),)
        super().__init__(*shapes, event_dims=event_dims)

    @property
    def _name(self) -> str:
        return type(self).__name__

    def _live(self, x: Tensor) -> Tensor:
        return self.function(x, *self.parameters)

    def _stopped(self, x: Tensor) -> Tensor:
        return self.function(x, *(p.detach() for p in self.parameters))

    def _outside(self, z: Tensor) -> Tensor:
        return (z <= self.low) | (z >= self.high)

    def _interior(self) -> float:
        """Some number of the support."""
        if math.isfinite(self.low):
            return (self.low + self.high) / 2 if math.isfinite(self.high) else self.low + 1
        return self.high - 1 if math.isfinite(self.high) else 0.0

    def _full(self, value: float, *leading: int) -> Tensor:
        """A constant in the law's shape, with the parameters' dtype."""
        some = self.parameters[0] if self.parameters else torch.empty(())
        return some.new_full((*leading, *self.shape), value)

    def _require_shape(self, inner: float) -> None:
        """ReparamError unless the function keeps shapes, those with a further leading axis included."""
        x = self._full(inner, 2)
        value = self._stopped(x)
        if value.shape != x.shape:
            raise ReparamError(
                f"{self._name}'s function must act on entries and broadcast over leading axes, but it turns shape "
                f"{tuple(x.shape)} into {tuple(value.shape)}"
            )


def _ends(name: str, support: tuple[float, float]) -> tuple[float, float]:
    numbers = isinstance(support, Sequence) and all(isinstance(end, float | int) for end in support)
    if not numbers or len(support) != 2 or not support[0] < support[1]:
        raise ReparamError(f"{name}: support must be two numbers (low, high) in order, got {shown(support)}")
    return support


class FromInverseCDF(Custom):
    """Independent entries with the inverse CDF `icdf(u, *parameters)`, an increasing function of u in (0, 1).

    Base noise: one uniform per entry; path: icdf(u), differentiated as it is. `cdf` and `log_prob` solve icdf(u) = z by
    bisection and differentiate implicitly. Outside `support` the density is 0.
    """

    def __init__(
        self,
        icdf: Function,
        parameters: Sequence[Tensor],
        support: tuple[float, float] = EVERYWHERE,
        shape: Sequence[int] | None = None,
        event_dims: int | None = None,
    ) -> None:
        super().__init__(icdf, parameters, support, shape, event_dims)

    @classmethod
    def example(cls) -> FromInverseCDF:
        return cls(lambda u, loc: loc + torch.logit(u), (torch.zeros(3),))

    def validate(self) -> None:
        self._require_shape(0.5)
        quantiles = [self._stopped(self._full(u)) for u in PROBES]
        for z in quantiles:
            require(torch.isfinite(z), f"{self._name}'s icdf", "finite", z)
            require(~self._outside(z), f"{self._name}'s icdf", f"inside ({self.low:g}, {self.high:g})", z)
        for lower, upper in pairwise(quantiles):
            require(lower < upper, f"The increase of {self._name}'s icdf", "positive", upper - lower)

    def noise(self) -> dict[str, NoiseSpec]:
        return {"uniform": NoiseSpec("uniform", self.shape)}

    def path(self, noise: Mapping[str, Tensor]) -> Tensor:
        return self.icdf(noise["uniform"])

    def icdf(self, u: Tensor) -> Tensor:
        """The quantile of every entry at `u` in (0, 1)."""
        return self._live(u)

    def cdf(self, z: Tensor) -> Tensor:
        """The probability of a value of at most `z`, of every entry."""
        return torch.where(self._outside(z), (z >= self.high).to(z.dtype), self._invert(z))

    def log_prob(self, z: Tensor) -> Tensor:
        _, steepness = slope(self._live, self._invert(z))
        return self.sum_event(torch.where(self._outside(z), -torch.inf, -steepness.log()))

    def _invert(self, z: Tensor) -> Tensor:
        """u with icdf(u) = z, and the median's outside the support."""
        inner = torch.where(self._outside(z), self._stopped(torch.full_like(z, 0.5)).detach(), z)
        root = bisect(self._stopped, inner.detach(), 0.0, 1.0)
        return differentiable_root(lambda u: self._live(u) - inner, root)
