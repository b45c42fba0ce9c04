"""What the contract is checked on: an estimator under one of its card's settings, on one problem."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import groupby
from typing import Any, NamedTuple

import torch
from torch import Tensor

from reparam.engine.diagnosis import unlifted
from reparam.engine.gradient import Estimate, check, estimate_gradient, inspect
from reparam.errors import ReparamError, place, reason
from reparam.estimators.base import Estimator, Sites, name_of
from reparam.estimators.card import Part, parts
from reparam.measure.problems import PROBLEMS, Problem
from reparam.noise import Noise, draw, draw_block, generator
from reparam.program import Program

SETTLING = 8
"""Estimates that an estimator with memory makes before the memory is held."""


@dataclass(frozen=True)
class Finding:
    """What one check found."""

    estimator: str
    options: Mapping[str, Any]
    problem: str
    check: str
    passed: bool
    detail: str = ""
    """What is wrong, in words; empty where the check passed."""
    draws: int = 0
    tests: int = 0
    """Numbers that were tested against their exact values."""
    z: float | None = None
    """The largest |mean − exact| in standard errors."""
    power: float | None = None
    """Probability that this check fails an estimate in which any one parameter's gradient is 5 % too small."""

    def row(self) -> dict[str, Any]:
        """As a JSON object."""
        return dict(vars(self), options=_plain(self.options))


class State(NamedTuple):
    """What an estimator has of its own."""

    tunables: dict[str, Tensor]
    memory: Any


@dataclass(frozen=True)
class Case:
    """An estimator under one setting, on one problem."""

    kind: type[Estimator]
    options: Mapping[str, Any]
    title: str
    """Of the problem."""

    @property
    def problem(self) -> Problem:
        return PROBLEMS[self.title]

    @cached_property
    def estimator(self) -> Estimator:
        return self.kind(**self.options)

    @property
    def sites(self) -> Sites:
        return _sites(self.title)

    @cached_property
    def state(self) -> State:
        """Its tunables as they begin, and its memory after a few estimates, so that its averages say something."""
        state = self.fresh
        if state.memory:
            settling = noise_of(self, SETTLING, "settle")
            for step in range(SETTLING):
                state = state._replace(memory=estimate(self, pick(settling, step), state).memory)
        return state

    @cached_property
    def fresh(self) -> State:
        """Its tunables and memory as they begin."""
        params = self.problem.params
        return State(*self.estimator.start(params, self.sites, generator("contract", "init")))

    @property
    def samples(self) -> int:
        """K, the estimator's samples."""
        return getattr(self.estimator, "samples", 1)

    @property
    def exact(self) -> tuple[dict[str, Tensor], Tensor]:
        """The exact gradient and value of its objective."""
        return _exact(self.title, parts(self.estimator))

    def finding(self, check: str, wrong: str = "", **numbers: Any) -> Finding:
        """A finding about this case; it passed unless something is `wrong`."""
        return Finding(name_of(self.kind), self.options, self.title, check, not wrong, wrong, **numbers)


@cache
def _sites(title: str) -> Sites:
    problem = PROBLEMS[title]
    return inspect(problem.program, problem.params)


@cache
def _exact(title: str, objective: tuple[Part, ...]) -> tuple[dict[str, Tensor], Tensor]:
    problem = PROBLEMS[title]
    return problem.exact(objective), problem.value(objective)


def cases(kind: type[Estimator]) -> list[Case]:
    """Every setting of the estimator's card on every problem that it admits."""
    everything = [Case(kind, options, title) for options in kind.card.settings for title in PROBLEMS]
    return [case for case in everything if fits(case) and admits(case)]


def fits(case: Case) -> bool:
    """Whether the problem's value is what the estimator's objective is made for."""
    return case.estimator.card.objective == "expectation" or case.problem.log_weight


def admits(case: Case) -> bool:
    """Whether the estimator accepts the problem; what else it raises is no refusal, and for the checks to find."""
    try:
        check(case.estimator, case.problem.program, case.problem.params, case.sites)
    except ReparamError:
        return False
    except Exception:
        return True
    return True


def representatives(setting: Sequence[Case]) -> list[Case]:
    """The first of its problems with one site, and the first with two."""
    first: dict[int, Case] = {}
    for case in setting:
        first.setdefault(len(case.sites), case)
    return list(first.values())


def by_setting(found: Sequence[Case]) -> list[list[Case]]:
    """The cases of each setting, in order."""
    return [list(group) for _, group in groupby(found, key=lambda case: id(case.options))]


def perturbed(state: State, by: float = 0.1) -> State:
    """The same with every tunable elsewhere, a little or more, so that nothing rests on how it begins."""
    source = generator("contract", "perturb")
    moved = {
        name: value * (1 + by * draw("normal", tuple(value.shape), source).to(value))
        + by * draw("normal", tuple(value.shape), source).to(value)
        for name, value in state.tunables.items()
    }
    return state._replace(tunables=moved)


def noise_of(case: Case, draws: int, stream: str) -> dict[str, dict[str, Tensor]]:
    """Noise of this many estimates: {site: {role: [draws, …]}}."""
    return draw_block(case.estimator.noise(case.sites), ("contract", case.title, stream), draws)


def pick(noise: Noise, step: int) -> dict[str, dict[str, Tensor]]:
    """The noise of one estimate."""
    return {site: {role: draws[step] for role, draws in roles.items()} for site, roles in noise.items()}


def estimate(
    case: Case, noise: Noise, state: State, program: Program | None = None, tune: bool = False
) -> Estimate:
    """One estimate, of the problem's program or of this one."""
    program = program or case.problem.program
    return estimate_gradient(case.estimator, program, case.problem.params, noise, *state, tune=tune)


def estimates(
    case: Case, noise: Noise, state: State, program: Program | None = None
) -> tuple[dict[str, Tensor], Tensor]:
    """Gradients {parameter: [draws, …]} and values [draws, *plate]; one of each where there is no noise."""

    def one(noise: Noise) -> tuple[dict[str, Tensor], Tensor]:
        found = estimate(case, noise, state, program)
        return found.gradient, found.value

    if noise:
        return torch.vmap(one)(noise)
    gradient, value = one({})
    return {name: entry.unsqueeze(0) for name, entry in gradient.items()}, value.unsqueeze(0)


def raised(error: Exception, kind: type[Estimator]) -> str:
    """What is wrong with an estimator that raises this, and where in its file."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    where = place(error, file) if file else ""
    words = unlifted(error)
    return (f"it {words}" if words else f"it raises {reason(error)}") + (f", at {where}" if where else "")


def _plain(value: Any) -> Any:
    """Options as JSON: an estimator among them becomes its name and options."""
    if isinstance(value, Estimator):
        return {"name": name_of(value), **_plain(vars(value))}
    if isinstance(value, Mapping):
        return {key: _plain(entry) for key, entry in value.items()}
    return value
