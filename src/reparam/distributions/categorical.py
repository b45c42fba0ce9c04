"""Categorical laws: the Gumbel-max choice among the entries of the last axis."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from reparam.distributions.arguments import require_tensors
from reparam.distributions.base import Law, Relaxable, require, with_slope
from reparam.errors import ReparamError
from reparam.noise import NoiseSpec

if TYPE_CHECKING:
    from reparam.distributions.relaxed import RelaxedOneHotCategorical


def _log_probs(name: str, probs: Tensor | None, logits: Tensor | None) -> Tensor:
    """Normalised log-probabilities over the last axis; −∞ for a category that is impossible."""
    if (probs is None) == (logits is None):
        raise ReparamError(f"{name} takes exactly one of probs and logits")
    require_tensors(name, logits if probs is None else probs)
    given = _log(probs) if logits is None else logits  # type: ignore[arg-type]
    if given.ndim == 0:
        raise ReparamError(f"{name} needs at least one axis: the last one holds the categories")
    if given.shape[-1] == 0:
        raise ReparamError(
            f"{name} needs at least one category, and its parameters have shape {tuple(given.shape)}"
        )
    return given.log_softmax(-1)


def _log(probs: Tensor) -> Tensor:
    """log probs, whose derivative at 0 is 0 and not infinite."""
    possible = probs != 0
    return torch.where(possible, torch.where(possible, probs, 1.0).log(), -torch.inf)


def _validate(name: str, probs: Tensor | None, logits: Tensor) -> None:
    if probs is not None:
        require(probs >= 0, f"{name}'s probs", "≥ 0", probs)
    require(~torch.isnan(logits), f"{name}'s logits", "numbers", logits)


def _entropy(logits: Tensor) -> Tensor:
    """Per variable; an impossible category contributes 0."""
    return -(logits.exp() * torch.where(logits.exp() > 0, logits, 0.0)).sum(-1)


def _kl(logits: Tensor, others: Tensor) -> Tensor:
    if logits.shape[-1] != others.shape[-1]:
        raise ReparamError(f"kl: {logits.shape[-1]} categories cannot be compared with {others.shape[-1]}")
    probs = logits.exp()
    return (probs * torch.where(probs > 0, logits - others, 0.0)).sum(-1)


class OneHotCategorical(Relaxable):
    """One-hot vectors over the last axis with probabilities `probs`, or unnormalised log-probabilities `logits`.

    Exactly one is given, [..., K]; it is normalised. `event_dims` counts the categories' axis: 1 (the default)
    for one variable per plate entry, 2 for [..., N, K] with N independent variables per entry. Base noise: one
    uniform per entry; path: one-hot argmax of logits − log(−log u) (the Gumbel-max trick).
    """

    def __init__(
        self,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        event_dims: int | None = None,
    ) -> None:
        self._given_probs = probs
        self.logits: Tensor = _log_probs("OneHotCategorical", probs, logits)
        super().__init__(self.logits, event_dims=event_dims)
        if self.event_dims < 1:
            raise ReparamError("OneHotCategorical: event_dims counts the categories' axis and is at least 1")

    @classmethod
    def example(cls) -> OneHotCategorical:
        return cls(logits=torch.zeros(3))

    def validate(self) -> None:
        _validate("OneHotCategorical", self._given_probs, self.logits)

    @property
    def probs(self) -> Tensor:
        """Probabilities, in the law's shape."""
        return self.logits.exp()

    @property
    def mean(self) -> Tensor:
        """The mean, in the law's shape."""
        return self.probs

    @property
    def variance(self) -> Tensor:
        """The variance of each entry, in the law's shape."""
        return self.probs * (1 - self.probs)

    def noise(self) -> dict[str, NoiseSpec]:
        return {"uniform": NoiseSpec("uniform", self.shape)}

    def perturb(self, noise: Mapping[str, Tensor]) -> Tensor:
        return self.logits - torch.log(-noise["uniform"].log())

    def discretize(self, g: Tensor) -> Tensor:
        categories = torch.arange(g.shape[-1], device=g.device)  # torch's one_hot reads values
        return (categories == g.argmax(-1, keepdim=True)).to(self.logits.dtype)

    def soften(self, g: Tensor, temperature: Tensor | float) -> Tensor:
        """The Gumbel-Softmax / Concrete variable softmax(g / temperature) (Jang et al. 2017, Eq. 2)."""
        return (g / temperature).softmax(-1)

    def relax(self, temperature: Tensor | float) -> RelaxedOneHotCategorical:
        from reparam.distributions.relaxed import RelaxedOneHotCategorical  # which is made of this law

        return RelaxedOneHotCategorical(temperature, logits=self.logits, event_dims=self.given_event_dims)

    def perturb_given(self, z: Tensor, noise: Mapping[str, Tensor]) -> Tensor:
        """The chosen entry is a Gumbel(0) maximum, the others are Gumbel variables truncated at it.

        With standard exponential E: e^−g = E for the chosen entry and e^−top + E / probs for the others.
        """
        log_exponential = torch.log(-noise["uniform"].log())
        top = -torch.where(z > 0, log_exponential, 0.0).sum(-1, keepdim=True)
        others = -torch.logaddexp(-top, log_exponential - self.logits)
        return torch.where(z > 0, top, others)

    def perturb_coupled(self, z: Tensor, g: Tensor) -> Tensor:
        """At fixed v, dg/dlogits = 1 − e^(g − top), in the normalised logits: 0 for the chosen entry."""
        return with_slope(g, -torch.expm1(g - g.amax(-1, keepdim=True)), self.logits)

    def tangent(self, mean: Tensor) -> Tensor:
        change = with_slope(torch.zeros_like(mean), mean, self.logits)
        return change - mean.detach() * change.sum(-1, keepdim=True)

    def log_mass(self, z: Tensor) -> Tensor:
        impossible = (self.logits == -torch.inf) & (z == 0)
        return (z * torch.where(impossible, 0.0, self.logits)).sum(-1, keepdim=True)

    def entropy(self) -> Tensor:
        """Entropy in nats, in the plate's shape."""
        return self._sum_variables(_entropy(self.logits))

    def kl(self, other: OneHotCategorical) -> Tensor:
        """KL(self ‖ other) in nats, in the plate's shape."""
        return self._sum_variables(_kl(self.logits, other.logits))

    def _sum_variables(self, entries: Tensor) -> Tensor:
        variables = self.event_dims - 1
        return entries.sum(dim=tuple(range(-variables, 0))) if variables else entries

    @property
    def states(self) -> int:
        """K^n, for n variables per event."""
        *variables, categories = self.event
        return int(categories ** math.prod(variables))

    def support(self) -> Tensor:
        """All states of one event: [K^n, *event], for n variables per event."""
        *variables, categories = self.event
        choices = torch.tensor(list(product(range(categories), repeat=math.prod(variables))))
        states = torch.eye(categories)[choices].to(self.logits)
        return states.reshape(-1, *variables, categories)


class Categorical(Law):
    """Indices 0 … K − 1 with probabilities `probs`, or unnormalised log-probabilities `logits` [..., K].

    The sample is an int64 tensor of shape [...]; `event_dims` counts the axes of that shape and defaults to 0: one
    variable per plate entry, as the batch shape of torch.distributions.Categorical. Where a relaxation is
    wanted use OneHotCategorical: an index has none. Base noise: one uniform per category; path: argmax of
    logits − log(−log u).
    """

    def __init__(
        self,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        event_dims: int | None = None,
    ) -> None:
        self._given_probs = probs
        self.logits: Tensor = _log_probs("Categorical", probs, logits)
        super().__init__(self.logits[..., 0], event_dims=0 if event_dims is None else event_dims)
        self.event_dims_inferred = event_dims is None

    @classmethod
    def example(cls) -> Categorical:
        return cls(logits=torch.zeros(3))

    def validate(self) -> None:
        _validate("Categorical", self._given_probs, self.logits)

    @property
    def probs(self) -> Tensor:
        """Probabilities [..., K]."""
        return self.logits.exp()

    def noise(self) -> dict[str, NoiseSpec]:
        return {"uniform": NoiseSpec("uniform", tuple(self.logits.shape))}

    def path(self, noise: Mapping[str, Tensor]) -> Tensor:
        return (self.logits - torch.log(-noise["uniform"].log())).argmax(-1)

    def log_prob(self, z: Tensor) -> Tensor:
        logits = self.logits.expand(*z.shape, self.logits.shape[-1])
        return self.sum_event(logits.gather(-1, z.unsqueeze(-1)).squeeze(-1))

    def entropy(self) -> Tensor:
        """Entropy in nats, in the plate's shape."""
        return self.sum_event(_entropy(self.logits))

    def kl(self, other: Categorical) -> Tensor:
        """KL(self ‖ other) in nats, in the plate's shape."""
        return self.sum_event(_kl(self.logits, other.logits))

    @property
    def states(self) -> int:
        """K^n, for n variables per event."""
        return int(self.logits.shape[-1] ** math.prod(self.event))

    def support(self) -> Tensor:
        """All states of one event: [K^n, *event], for n variables per event."""
        states = torch.tensor(list(product(range(self.logits.shape[-1]), repeat=math.prod(self.event))))
        return states.reshape(-1, *self.event).to(self.logits.device)
