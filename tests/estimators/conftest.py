"""The exact mean of estimators whose only randomness is which state a site takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from reparam.distributions import Bernoulli, Law
from reparam.engine.gradient import estimate_gradient
from reparam.estimators import Estimator
from reparam.oracles import objectives
from reparam.program import Params, Program, describe

Gradient = dict[str, torch.Tensor]
ALMOST = 1e-12


@pytest.fixture
def exact_gradient() -> Callable[[Program, Params], Gradient]:
    """∇ E[f] by enumeration."""

    def gradient(program: Program, params: Params) -> Gradient:
        return torch.func.grad(lambda params: objectives.expectation(program, params).sum())(params)

    return gradient


@pytest.fixture
def mean_over_states() -> Callable[..., Gradient]:
    """Σ_z q(z) · (the estimate at z), for a program with one site "z" of one event.

    Uniforms next to 0 and 1 send the site to each of its states.
    """

    def mean(estimator: Estimator, program: Program, params: Params, memory: Any = None) -> Gradient:
        law: Law = describe(program, params)["z"].law
        total = {name: torch.zeros_like(p) for name, p in params.items()}
        for z in law.support():
            noise = {"uniform": torch.where(z > 0, 1 - ALMOST, ALMOST)}
            assert torch.equal(law.path(noise), z)
            mass = (torch.where(z > 0, law.probs, 1 - law.probs)) if isinstance(law, Bernoulli) else None
            weight = (law.probs * z).sum(-1).prod() if mass is None else mass.prod()
            block = {"z": {"uniform": noise["uniform"].unsqueeze(0)}}
            found = estimate_gradient(estimator, program, params, block, memory=memory).gradient
            total = {name: entry + weight * found[name] for name, entry in total.items()}
        return total

    return mean
