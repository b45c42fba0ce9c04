"""A program whose exact gradients are known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from reparam.errors import ReparamError
from reparam.estimators.card import Part
from reparam.oracles import objectives
from reparam.program import Params, Program

EXPECTATION = (Part(1.0, "expectation", 1),)


class Problem(NamedTuple):
    """A program and where to look at it."""

    program: Program
    params: dict[str, Tensor]
    own: tuple[str, ...] = ()
    """Parameters with an entry per datum on their first axis."""
    log_weight: bool = False
    """Whether the value is log p − log q with q the density of the sites: what `bound` and `wake` are made for."""

    def value(self, parts: Sequence[Part] = EXPECTATION) -> Tensor:
        """The exact objective, a sum of these parts, on the value's plate, in double precision."""
        return self._objective(parts, self._params()).detach()

    def exact(self, parts: Sequence[Part] = EXPECTATION) -> dict[str, Tensor]:
        """The exact ∇ of Σ_plate of the objective, by parameter, in double precision."""
        params = {name: p.requires_grad_() for name, p in self._params().items()}
        gradients = torch.autograd.grad(self._objective(parts, params).sum(), list(params.values()))
        return dict(zip(params, gradients, strict=True))

    def _params(self) -> dict[str, Tensor]:
        return {name: p.to(torch.float64, copy=True) for name, p in self.params.items()}

    def _objective(self, parts: Sequence[Part], params: Params) -> Tensor:
        wrong = [part.of for part in parts if part.of != "expectation"]
        if wrong and not self.log_weight:
            raise ReparamError(f"the value of this problem is no log weight, so it has no {wrong[0]}")
        return objectives.combination(self.program, params, parts)


def tensors(**values: Any) -> dict[str, Tensor]:
    """In single precision."""
    return {name: torch.tensor(value, dtype=torch.float32) for name, value in values.items()}
