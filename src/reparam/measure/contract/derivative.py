"""Who needs ∂f says so, and is refused a program without it; the others do not notice that it is missing."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from reparam.engine.gradient import prepare
from reparam.errors import ReparamError
from reparam.estimators.base import name_of
from reparam.measure.contract.cases import (
    Case,
    Finding,
    by_setting,
    estimates,
    noise_of,
    perturbed,
    representatives,
)
from reparam.noise import Noise
from reparam.program import Params, Program, Sample

DRAWS = 16


def cut(program: Program) -> Program:
    """The program with every sample a constant to what follows it."""

    def without(params: Params, sample: Sample) -> Tensor:
        return program(params, lambda *arguments, **options: sample(*arguments, **options).detach())

    return without


def derivative(found: list[Case]) -> list[Finding]:
    """Of every setting, on its representative problems: whether `needs_derivative` is what it does."""
    findings = []
    for setting in by_setting(found):
        needs = setting[0].estimator.card.needs_derivative
        wrong, noticed = [], False
        for case in representatives(setting):
            notices = _notices(case, noise_of(case, DRAWS, "derivative"))
            noticed = noticed or notices
            if notices and not needs:
                wrong.append(f"it is said not to need ∂f, but without it estimates otherwise on {case.title}")
            wrong += _refusal(case, needs)
        if needs and not noticed:
            wrong.append("it is said to need ∂f, but estimates the same without it")
        findings.append(setting[0].finding("derivative", "; ".join(wrong)))
    return findings


def _notices(case: Case, noise: Noise) -> bool:
    """Whether the estimate is another one, in any bit, with the samples cut off from the value."""
    state = perturbed(case.state)  # a control variate may begin with nothing to say
    with_it = estimates(case, noise, state)
    try:
        without = estimates(case, noise, state, cut(case.problem.program))
    except Exception:  # a derivative that is not there may fail in any way
        return True
    return not _equal(with_it, without)


def _equal(first: Any, second: Any) -> bool:
    pairs = zip(torch.utils._pytree.tree_leaves(first), torch.utils._pytree.tree_leaves(second), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def _refusal(case: Case, needs: bool) -> list[str]:
    """What is wrong with how a program without ∂f is received."""
    name = name_of(case.estimator)
    try:
        prepare(case.estimator, cut(case.problem.program), case.problem.params)
    except ReparamError as error:
        message = str(error)
        clear = "\n" not in message and name in message and any(site in message for site in case.sites)
        if needs and clear:
            return []
        return [f"without ∂f it is refused {case.title} with {message!r}"]
    return [f"it is not refused {case.title} without ∂f"] if needs else []
