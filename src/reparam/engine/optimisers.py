"""Optimisers as pure functions over flat parameter dicts; each one minimises.

They are tested against torch.optim; a stack of replicas with its own state, per-seed clipping and the
papers' variants do not fit torch.optim.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from reparam.errors import ReparamError
from reparam.registry import nearest

Tensors = Mapping[str, Tensor]
State = dict[str, Any]


def _like(params: Tensors, value: float = 0.0) -> dict[str, Tensor]:
    return {name: torch.full_like(entry, value) for name, entry in params.items()}


def _count(params: Tensors) -> Tensor:
    return next(iter(params.values())).new_zeros(())


@dataclass(frozen=True)
class Sgd:
    """p ← p − rate · v, v ← momentum · v + g (torch.optim.SGD).

    With a `horizon` of T steps the rate falls as cos(π t / 2T) at step t = 0, 1, …, and is 0 from T on. The rate of a
    group of parameters is multiplied by its factor of `factors`, if it has one there: {encoder: 0.2}.
    """

    rate: float = 0.01
    momentum: float = 0.0
    horizon: int = 0
    factors: Mapping[str, float] = field(default_factory=dict)

    def init(self, params: Tensors) -> State:
        count = {"count": _count(params)} if self.horizon else {}
        return {"velocity": _like(params), **count}

    def update(self, grads: Tensors, state: State, params: Tensors) -> tuple[dict[str, Tensor], State]:
        velocity = {name: self.momentum * state["velocity"][name] + g for name, g in grads.items()}
        if not self.horizon:
            moved = {name: params[name] - self.rate * self._factor(name) * velocity[name] for name in grads}
            return moved, {"velocity": velocity}
        part = (state["count"] / self.horizon).clamp(max=1)
        rate = self.rate * torch.cos(0.5 * math.pi * part)
        moved = {name: params[name] - rate * self._factor(name) * velocity[name] for name in grads}
        return moved, {"velocity": velocity, "count": state["count"] + 1}

    def _factor(self, name: str) -> float:
        return self.factors.get(name.partition(".")[0], 1.0)


@dataclass(frozen=True)
class Adagrad:
    """p ← p − rate · g / √(Σ g² + eps); the first `warmup` steps only accumulate.

    With eps inside the root and a warm-up of 10 it is the optimiser of Kingma & Welling 2014 as their
    library has it (torch.optim.Adagrad adds its eps outside the root; with eps → 0 the two agree).
    """

    rate: float = 0.1
    eps: float = 1e-8
    warmup: int = 0

    def init(self, params: Tensors) -> State:
        return {"sum": _like(params), "count": _count(params)}

    def update(self, grads: Tensors, state: State, params: Tensors) -> tuple[dict[str, Tensor], State]:
        total = {name: state["sum"][name] + g.square() for name, g in grads.items()}
        rate = torch.where(state["count"] >= self.warmup, self.rate, 0.0)
        moved = {
            name: params[name] - rate * g * (total[name] + self.eps).rsqrt() for name, g in grads.items()
        }
        return moved, {"sum": total, "count": state["count"] + 1}


@dataclass(frozen=True)
class Rmsprop:
    """p ← p − rate · g / (√m + eps), m an average of g² with decay `decay` (torch.optim.RMSprop)."""

    rate: float = 0.001
    decay: float = 0.99
    eps: float = 1e-8

    def init(self, params: Tensors) -> State:
        return {"square": _like(params)}

    def update(self, grads: Tensors, state: State, params: Tensors) -> tuple[dict[str, Tensor], State]:
        square = {
            name: self.decay * state["square"][name] + (1 - self.decay) * g.square()
            for name, g in grads.items()
        }
        moved = {
            name: params[name] - self.rate * g / (square[name].sqrt() + self.eps) for name, g in grads.items()
        }
        return moved, {"square": square}


@dataclass(frozen=True)
class Adam:
    """Adam with bias correction (Kingma & Ba 2015, Algorithm 1; torch.optim.Adam).

    With `tripling` steps the rate falls as `tripling_rate` says.
    """

    rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    eps: float = 1e-8
    tripling: int = 0

    def init(self, params: Tensors) -> State:
        return {"mean": _like(params), "square": _like(params), "count": _count(params)}

    def update(self, grads: Tensors, state: State, params: Tensors) -> tuple[dict[str, Tensor], State]:
        count = state["count"] + 1
        b1, b2 = self.beta1, self.beta2
        mean = {name: b1 * state["mean"][name] + (1 - b1) * g for name, g in grads.items()}
        square = {name: b2 * state["square"][name] + (1 - b2) * g.square() for name, g in grads.items()}
        first, second = 1 - b1**count, 1 - b2**count
        rate = tripling_rate(self.rate, state["count"], self.tripling)
        moved = {
            name: params[name] - rate * (mean[name] / first) / ((square[name] / second).sqrt() + self.eps)
            for name in grads
        }
        return moved, {"mean": mean, "square": square, "count": count}


@dataclass(frozen=True)
class BurdaAdam:
    """Adam as in the code released with Burda et al. 2016: p ← p − rate · √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + eps).

    What is not as in `Adam`: m and v are those from before this step's gradient, v starts at `start`, eps is beside the
    uncorrected √v, and β₁ is 0.99. With `tripling` steps the rate falls as `tripling_rate` says.
    """

    rate: float = 0.001
    beta1: float = 0.99
    beta2: float = 0.999
    eps: float = 1e-4
    start: float = 1.0
    tripling: int = 0

    def init(self, params: Tensors) -> State:
        return {"mean": _like(params), "square": _like(params, self.start), "count": _count(params)}

    def update(self, grads: Tensors, state: State, params: Tensors) -> tuple[dict[str, Tensor], State]:
        count, mean, square = state["count"] + 1, state["mean"], state["square"]
        b1, b2 = self.beta1, self.beta2
        rate = tripling_rate(self.rate, state["count"], self.tripling)
        corrected = rate * (1 - b2**count).sqrt() / (1 - b1**count)
        moved = {
            name: params[name] - corrected * mean[name] / (square[name].sqrt() + self.eps) for name in grads
        }
        after = {
            "mean": {name: b1 * mean[name] + (1 - b1) * g for name, g in grads.items()},
            "square": {name: b2 * square[name] + (1 - b2) * g.square() for name, g in grads.items()},
        }
        return moved, {**after, "count": count}


STAGES = 8
"""Of `tripling_rate`."""


def tripling_rate(rate: float, count: Tensor, steps: int) -> Tensor | float:
    """rate · 10^(−i/7) in stage i = 0, …, 7, each three times as long as the one before and all eight together `steps`
    long; after that as in the last one. In 3,280 passes stage i has 3ⁱ (Burda et al. 2016, §5.1). No steps: `rate`."""
    if not steps:
        return rate
    ends = [steps * (3**i - 1) / (3**STAGES - 1) for i in range(1, STAGES)]
    stage = torch.stack([count >= end for end in ends]).to(count.dtype).sum(0)
    return rate * 10 ** (-stage / (STAGES - 1))


Optimiser = Sgd | Adagrad | Rmsprop | Adam | BurdaAdam
KINDS: dict[str, type[Optimiser]] = {
    "sgd": Sgd,
    "adagrad": Adagrad,
    "rmsprop": Rmsprop,
    "adam": Adam,
    "burda_adam": BurdaAdam,
}


def make(options: Mapping[str, Any]) -> Optimiser:
    """The optimiser described by {name: …, option: …}; ReparamError for an unknown name or option."""
    rest = dict(options)
    name = rest.pop("name", None)
    if name not in KINDS:
        raise ReparamError(f"unknown optimiser {name!r}{nearest(str(name), KINDS)}")
    kind = KINDS[name]
    for option in rest:
        if option not in kind.__dataclass_fields__:
            raise ReparamError(
                f"optimiser {name!r} has no option {option!r}{nearest(option, kind.__dataclass_fields__)}"
            )
    return kind(**rest)
