"""A program whose exact gradients are known."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from reparam.errors import ReparamError
from reparam.estimators.card import Objective
from reparam.oracles import objectives
from reparam.program import Params, Program


class Problem(NamedTuple):
    """A program and where to look at it."""

    program: Program
    params: dict[str, Tensor]
    own: tuple[str, ...] = ()
    """Parameters with an entry per datum on their first axis."""
    log_weight: bool = False
    """Whether the value is log p − log q with q the density of the sites: what `bound` and `wake` are made for."""

    def value(self, objective: Objective = "expectation", samples: int = 1) -> Tensor:
        """The exact objective on the value's plate, in double precision (of `wake`: the bound).

        `samples` is the number of copies of all sites in a `bound` or a `wake`.
        """
        return self._objective(objective, samples, self._params()).detach()

    def exact(self, objective: Objective = "expectation", samples: int = 1) -> dict[str, Tensor]:
        """The exact ∇ of Σ_plate of the objective, by parameter, in double precision."""
        params = {name: p.requires_grad_() for name, p in self._params().items()}
        total = self._objective(objective, samples, params).sum()
        gradients = torch.autograd.grad(total, list(params.values()))
        return dict(zip(params, gradients, strict=True))

    def _params(self) -> dict[str, Tensor]:
        return {name: p.to(torch.float64, copy=True) for name, p in self.params.items()}

    def _objective(self, objective: Objective, samples: int, params: Params) -> Tensor:
        if objective == "expectation":
            return objectives.expectation(self.program, params)
        if not self.log_weight:
            raise ReparamError(f"the value of this problem is no log weight, so it has no {objective}")
        exact = {"bound": objectives.bound, "wake": objectives.wake}[objective]
        return exact(self.program, params, samples)


def tensors(**values: Any) -> dict[str, Tensor]:
    """In single precision."""
    return {name: torch.tensor(value, dtype=torch.float32) for name, value in values.items()}
