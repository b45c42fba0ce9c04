"""What every law offers: z = g(noise; parameters), noise first."""

from __future__ import annotations

import functools
import typing
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Distribution

from reparam.distributions.arguments import broadcasts, common_shape, is_count, require_tensors, shown
from reparam.errors import ReparamError
from reparam.noise import NoiseSpec


def _between_fitting_laws(kl: Callable[[Any, Any], Tensor]) -> Callable[[Any, Any], Tensor]:
    """`kl`, with a ReparamError for another law than those that it is annotated with, of which it would read the
    attributes, and for one whose events have another size or whose shape does not broadcast to the law's."""

    @functools.wraps(kl)
    def checked(self: Any, other: Any) -> Tensor:
        known = typing.get_type_hints(kl)["other"]
        if not isinstance(other, known):
            kinds = typing.get_args(known) or (known,)
            names = " or ".join(kind.__name__ for kind in kinds)
            raise ReparamError(
                f"{type(self).__name__}.kl has a closed form to {names}, not to {type(other).__name__}"
            )
        sized = other.event_dims == 0 or other.shape[-1:] == self.shape[-1:]
        if not sized or not broadcasts(other.shape, self.shape):
            raise ReparamError(
                f"{type(self).__name__}.kl: the law has the shape {self.shape}, and one of the shape {other.shape} "
                "does not fit it"
            )
        return kl(self, other)

    return checked


class Law(ABC):
    """A distribution with tensor parameters, seen as a path from base noise to a sample.

    Parameters broadcast to `shape`. The last `event_dims` axes of `shape` form one event, the axes
    before them are the plate: `log_prob`, `entropy` and `kl` return the plate's shape. Left out,
    `event_dims` is 1 (0 for scalar parameters): one vector per plate entry.

    Raises ReparamError for parameters that are no floating-point tensors, or do not broadcast, and for axes that they
    do not have.
    """

    reparameterized: bool = False
    """Whether the derivative of `path` with respect to the parameters is the pathwise gradient."""
    fixed_support: bool = True
    """Whether the support is the same for all parameters. Where it is not, scores ∇ log q do not have mean zero, and
    estimators that are made of them are biased."""
    unbounded: bool = False
    """Whether the support is the whole of ℝⁿ, n entries per event: there is no edge that a flow could move."""
    periodic: bool = False
    """Whether the entries are angles: the density has their period, but samples, mean and CDF know the cut."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "kl" in cls.__dict__:
            cls.kl = _between_fitting_laws(cls.kl)  # type: ignore[attr-defined]

    def __init__(self, *parameters: Tensor, event_dims: int | None = None) -> None:
        name = type(self).__name__
        require_tensors(name, *parameters)
        self.shape = common_shape(name, *(p.shape for p in parameters))
        if event_dims is not None and not is_count(event_dims):
            raise ReparamError(f"{name}: event_dims must be an integer ≥ 0, got {shown(event_dims)}")
        self.event_dims_inferred = event_dims is None
        self.event_dims = min(1, len(self.shape)) if event_dims is None else event_dims
        if self.event_dims > len(self.shape):
            raise ReparamError(
                f"{name}: event_dims={event_dims} does not fit parameters of shape {self.shape}"
            )

    def __repr__(self) -> str:
        return f"{type(self).__name__}(plate={self.plate}, event={self.event})"

    @property
    def given_event_dims(self) -> int | None:
        """`event_dims` as it was given: what makes another law of the same plate."""
        return None if self.event_dims_inferred else self.event_dims

    @property
    def plate(self) -> tuple[int, ...]:
        """The axes of `shape` that are not part of an event."""
        return self.shape[: len(self.shape) - self.event_dims]

    @property
    def event(self) -> tuple[int, ...]:
        """The axes of `shape` that form one event."""
        return self.shape[len(self.shape) - self.event_dims :]

    def sum_event(self, entries: Tensor) -> Tensor:
        """Sum entries of the law's shape (any further leading axes allowed) over the event axes."""
        if self.event_dims == 0:
            return entries
        return entries.sum(dim=tuple(range(-self.event_dims, 0)))

    @abstractmethod
    def noise(self) -> dict[str, NoiseSpec]:
        """The base noise of one sample, by role."""

    @abstractmethod
    def path(self, noise: Mapping[str, Tensor]) -> Tensor:
        """The sample g(noise; parameters)."""

    @abstractmethod
    def log_prob(self, z: Tensor) -> Tensor:
        """log density or mass of `z` in nats, in the plate's shape."""

    @classmethod
    def example(cls) -> Law:
        """One event of three entries (three categories) and no plate: what tables and examples show the law by.

        Raises ReparamError for a law without one.
        """
        raise ReparamError(
            f"the law {cls.__name__} gives no example of itself: add the class method example() to it"
        )

    def to_torch(self) -> Distribution:
        """The torch.distributions object of this law; ReparamError when torch has none. See `from_torch`."""
        from reparam.distributions.conversion import to_torch  # which knows every law

        return to_torch(self)

    def validate(self) -> None:  # noqa: B027 - a law may accept every parameter
        """Raise ReparamError when a parameter is outside its support. Reads values, so not for traced code."""


class Relaxable(Law):
    """A discrete law that is a perturbed choice: z = discretize(logits + noise), and so has a relaxation.

    The perturbed logits g (logistic noise for bits, Gumbel noise for one-hot vectors) follow a
    differentiable path; `discretize` makes the sample of them and `soften` its relaxation. z = path(noise) is
    always discretize(perturb(noise)).
    """

    logits: Tensor

    @abstractmethod
    def perturb(self, noise: Mapping[str, Tensor]) -> Tensor:
        """g = logits + noise, in the law's shape, differentiable in the logits."""

    @abstractmethod
    def discretize(self, g: Tensor) -> Tensor:
        """The hard sample that `g` stands for; its derivative is zero."""

    @abstractmethod
    def soften(self, g: Tensor, temperature: Tensor | float) -> Tensor:
        """The relaxed sample of `g`: inside the support's hull, and discretize(g) as temperature → 0."""

    @abstractmethod
    def relax(self, temperature: Tensor | float) -> Law:
        """The law of the relaxed sample soften(perturb(noise), temperature)."""

    @abstractmethod
    def perturb_given(self, z: Tensor, noise: Mapping[str, Tensor]) -> Tensor:
        """g drawn from its law given discretize(g) = z, by fresh noise; differentiable in the logits.

        Tucker et al. 2017, Eq. 8 and App. C.
        """

    @abstractmethod
    def perturb_coupled(self, z: Tensor, g: Tensor) -> Tensor:
        """The value of `g` with the derivative of `perturb_given(z, v)` at the noise v that gives g.

        z = discretize(g). First derivatives with respect to the logits only.
        """

    def path(self, noise: Mapping[str, Tensor]) -> Tensor:
        return self.discretize(self.perturb(noise))

    @abstractmethod
    def log_mass(self, z: Tensor) -> Tensor:
        """log q of each variable of the event, in a shape that broadcasts against the law's."""

    def log_prob(self, z: Tensor) -> Tensor:
        return self.sum_event(self.log_mass(z))

    @property
    @abstractmethod
    def mean(self) -> Tensor:
        """E[z], in the law's shape, differentiable in the logits."""

    @abstractmethod
    def tangent(self, mean: Tensor) -> Tensor:
        """Zero, with the derivative that E[z] has in the logits where E[z] is `mean`."""

    @property
    @abstractmethod
    def states(self) -> int:
        """How many states one event has."""

    @abstractmethod
    def support(self) -> Tensor:
        """All states of one event: [states, *event]."""


def require(condition: Tensor, parameter: str, what: str, value: Tensor) -> None:
    """ReparamError naming the parameter and its first bad entry, unless `condition` holds everywhere."""
    if not bool(condition.all()):
        bad = value.expand(condition.shape)[~condition].flatten()[0].item()
        raise ReparamError(f"{parameter} must be {what}, but holds {bad:g}")


def logistic(uniform: Tensor) -> Tensor:
    """The standard logistic variable with this CDF value: log u − log(1 − u)."""
    return uniform.log() - torch.log1p(-uniform)


def with_slope(value: Tensor, slope: Tensor, parameter: Tensor) -> Tensor:
    """`value`, with the derivative `slope` in `parameter` and none other, entry by entry (first order only)."""
    change = torch.where(parameter.isinf(), 0.0, parameter)  # ∞ − ∞ is no change
    return value.detach() + slope.detach() * (change - change.detach())
