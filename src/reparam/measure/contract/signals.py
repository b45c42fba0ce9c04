"""A card's `given_signal`: who takes learning signals in place of f's values, and who refuses them."""

from __future__ import annotations

from unittest import mock

import torch
from torch import Tensor
from torch.utils import _pytree as pytree

from reparam.engine.gradient import Runner, estimate_gradient
from reparam.errors import ReparamError
from reparam.estimators.base import name_of
from reparam.measure.contract.cases import Case, Finding, by_setting, noise_of, pick, raised
from reparam.noise import Noise
from reparam.program import follow


def signals(found: list[Case]) -> list[Finding]:
    """Of every setting, on its first problem.

    The values of f, given as signals, make the same estimate, and others make another one; an estimator whose card
    says no raises one clear line, and could do nothing with them.
    """
    findings = []
    for case in (setting[0] for setting in by_setting(found)):
        noise = pick(noise_of(case, 1, "signals"), 0)
        check = _taken if case.estimator.card.given_signal else _refused
        findings.append(case.finding("given signals", check(case, noise)))
    return findings


def _taken(case: Case, noise: Noise) -> str:
    if case.estimator.card.evaluations(case.estimator, case.sites) > case.samples:
        return "it is said to take given signals, but asks for f at other samples, too"
    try:
        values, own = _values(case, noise), _gradient(case, noise, None)
        same, other = (
            _gradient(case, noise, {site: given for site in case.sites})
            for given in (values, 3 * values.square() + 1)
        )
    except Exception as error:  # whatever it trips over, it does not take them
        return f"it is said to take given signals, but {raised(error, case.kind)}"
    if not all(torch.allclose(same[name], own[name], rtol=1e-4, atol=1e-5) for name in own):
        return "given the values of f as signals it estimates otherwise"
    if all(torch.allclose(other[name], own[name]) for name in own):
        return "it takes given signals, but makes nothing of them"
    return ""


def _refused(case: Case, noise: Noise) -> str:
    some = {site: torch.ones(case.sites[site].law.plate) for site in case.sites}
    try:
        _gradient(case, noise, some)
    except ReparamError as error:
        message = str(error)
        if "\n" in message or name_of(case.kind) not in message or "signals" not in message:
            return f"it refuses given signals with {message!r}"
    else:
        return "it is said not to take given signals, but does not refuse them"
    with mock.patch.object(case.kind, "check_signals", lambda self: None):
        return "" if _taken(case, noise) else "it is said not to take given signals, but could"


def _gradient(case: Case, noise: Noise, given: dict[str, Tensor] | None) -> dict[str, Tensor]:
    return estimate_gradient(
        case.estimator, case.problem.program, case.problem.params, noise, *case.state, given, tune=False
    ).gradient


def _values(case: Case, noise: Noise) -> Tensor:
    """f at the estimator's own samples: [samples, *plate], without the axis where there is one."""
    roles = {site: case.sites[site].law.noise() for site in case.sites}
    own = {site: {role: noise[site][role] for role in roles[site]} for site in roles if noise}
    run = Runner(case.problem.program)
    draws = [pytree.tree_map(lambda entry, k=k: entry[k], own) for k in range(case.samples)]
    values = torch.stack([run(case.problem.params, follow(draw)).value for draw in draws])
    return values if case.samples > 1 else values[0]
