"""What a card says of evaluations, tunables and its own text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any
from unittest import mock

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from reparam.engine.gradient import Runner
from reparam.errors import reason
from reparam.estimators.base import Estimator, name_of
from reparam.estimators.options import lacks_decorator
from reparam.measure.contract.cases import (
    Case,
    Finding,
    admits,
    by_setting,
    estimate,
    fits,
    noise_of,
    perturbed,
    pick,
    representatives,
)
from reparam.measure.problems import PROBLEMS
from reparam.program import Choose, Params, Trace

TEXTS = ("title", "what", "formula", "when", "paper")
YEAR = re.compile(r"\b(1[789]|20)\d\d\b")


def settings(kind: type[Estimator]) -> list[Finding]:
    """Of each setting of the card that no estimator can be made with; none of them where all can."""
    name = name_of(kind)
    if lacks_decorator(kind):
        wrong = f"its options are none: write @dataclass(frozen=True) above the class {kind.__name__}, below @register"
        return [Finding(name, {}, "", "settings", False, wrong)]
    findings = []
    for options in kind.card.settings:
        try:
            kind(**options)
        except Exception as error:
            shown = options if isinstance(options, Mapping) else {}
            wrong = f"its card's setting {options!r} makes no estimator: {reason(error)}"
            findings.append(Finding(name, shown, "", "settings", False, wrong))
    return findings


def text(found: list[Case]) -> list[Finding]:
    """Nothing is left blank, the paper has a year, and the class's card and first setting are those of the defaults."""
    kind, first = found[0].kind, found[0]
    card = kind.card
    wrong = [f"its card's {name} is empty" for name in TEXTS if not str(getattr(card, name)).strip()]
    if card.paper.strip() and not YEAR.search(card.paper):
        wrong.append(f"its card's paper has no year: {card.paper!r}")
    if not card.requires.words.strip():
        wrong.append("its card does not say in words what it requires of a law")
    if first.options and any(fits(case) and admits(case) for case in (Case(kind, {}, t) for t in PROBLEMS)):
        wrong.append("the first setting of its card is not the default one")
    if not first.options:
        wrong += [
            f"its class's card says {field.name} = {getattr(card, field.name)!r}, but with the default options it is "
            f"{getattr(first.estimator.card, field.name)!r}"
            for field in fields(card)
            if field.name != "settings"
            and getattr(card, field.name) != getattr(first.estimator.card, field.name)
        ]
    return [first.finding("card", "; ".join(wrong))]


def evaluations(found: list[Case]) -> list[Finding]:
    """Runs of the program = evaluations that the estimate reports = evaluations on the card, for 1 and 2 sites."""
    findings = []
    for case in (case for setting in by_setting(found) for case in representatives(setting)):
        runs: list[None] = []
        with mock.patch.object(torch, "vmap", _loop), mock.patch.object(torch.func, "vmap", _loop):
            terms = case.estimator.estimate(
                _Counting(runs, case),
                case.problem.params,
                pick(noise_of(case, 1, "count"), 0),
                case.state.tunables,
                case.state.memory,
            )
        promised = case.estimator.card.evaluations(case.estimator, case.sites)
        wrong = ""
        if not len(runs) == terms.evaluations == promised:
            wrong = (
                f"it evaluates f {len(runs)} times, reports {terms.evaluations}, and its card says {promised}"
            )
        findings.append(case.finding("evaluations", wrong))
    return findings


class _Counting(Runner):
    """Notes every run of the program."""

    def __init__(self, runs: list[None], case: Case) -> None:
        super().__init__(case.problem.program)
        object.__setattr__(self, "runs", runs)

    def __call__(self, params: Params, choose: Choose) -> Trace:
        self.runs.append(None)  # type: ignore[attr-defined]
        return super().__call__(params, choose)


def _loop(function: Callable[..., Any], in_dims: Any = 0, out_dims: int = 0) -> Callable[..., Any]:
    """What vmap does, by running `function` once per entry."""

    def mapped(*arguments: Any) -> Any:
        leaves, spec = pytree.tree_flatten(arguments)
        dims = in_dims if isinstance(in_dims, int) else tuple(in_dims)
        axes = pytree._broadcast_to_and_flatten(dims, spec, is_leaf=lambda entry: entry is None)
        assert axes is not None, "in_dims that fit the arguments"
        length = next(leaf.shape[axis] for leaf, axis in zip(leaves, axes, strict=True) if axis is not None)
        outputs = [
            function(
                *pytree.tree_unflatten(
                    [
                        leaf if axis is None else leaf.select(axis, i)
                        for leaf, axis in zip(leaves, axes, strict=True)
                    ],
                    spec,
                )
            )
            for i in range(length)
        ]
        return pytree.tree_map(lambda *entries: torch.stack(entries, dim=out_dims), *outputs)

    return mapped


def own_parameters(found: list[Case]) -> list[Finding]:
    """Under every setting the tunables are the card's, each of them is trained, and each part of the memory moves."""
    findings = []
    for setting in by_setting(found):
        trained: dict[str, bool] = {}
        moved: dict[str, bool] = {}
        for case in setting:
            state = case.fresh
            if not state.tunables and not state.memory:
                continue
            after = estimate(case, pick(noise_of(case, 1, "own"), 0), perturbed(state), tune=True)
            for name, gradient in after.tunable_gradient.items():
                key = _anywhere(name, case)
                trained[key] = trained.get(key, False) or bool(gradient.any())
            for name, (old, new) in _pairs(state.memory, after.memory).items():
                key = _anywhere(name, case)
                moved[key] = moved.get(key, False) or not torch.equal(old, new)
        promised, kinds = setting[0].estimator.card.tunables, {name.partition(".")[0] for name in trained}
        wrong = [f"its card's tunables are {_words(promised)}, but it has {_words(kinds)}"] * (
            kinds != promised
        )
        wrong += [f"its tunable {name} never has a gradient" for name, seen in trained.items() if not seen]
        wrong += [f"its memory {name} never changes" for name, seen in moved.items() if not seen]
        findings.append(setting[0].finding("tunables and memory", "; ".join(wrong)))
    return findings


def _anywhere(name: str, case: Case) -> str:
    """A name without the sites and parameters in it."""
    places = {*case.sites, *case.problem.params}
    return ".".join("*" if part in places else part for part in re.split(r"[.@]", name))


def _pairs(old: Any, new: Any) -> dict[str, tuple[Tensor, Tensor]]:
    """The leaves of two nested dicts of one structure, by path."""
    if not isinstance(old, Mapping):
        return {"": (old, new)}
    return {
        f"{key}.{path}".rstrip("."): leaves
        for key in old
        for path, leaves in _pairs(old[key], new[key]).items()
    }


def _words(names: frozenset[str] | set[str]) -> str:
    return ", ".join(sorted(names)) or "none"
