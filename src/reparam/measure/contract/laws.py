"""A card's `requires`: other laws are refused in one clear line, and for a reason."""

from __future__ import annotations

import torch

from reparam.engine.gradient import prepare
from reparam.errors import ReparamError
from reparam.estimators.base import able, name_of
from reparam.measure.contract.cases import Case, Finding, estimates, fits, noise_of, perturbed
from reparam.measure.contract.derivative import cut
from reparam.measure.contract.moments import BOUND, compare
from reparam.measure.problems import PROBLEMS
from reparam.oracles.states import table

DRAWS, FEW = 10_000, 16
FAR = 1.0
"""How far tunables are moved where a wrong use of them must show."""


def refusals(found: list[Case]) -> list[Finding]:
    """For every kind of law that the card refuses; under the first setting and the first unbiased one."""
    unbiased = [case for case in found if case.estimator.card.unbiased]
    settings = {id(case.options): case for case in (found[0], *unbiased[:1])}
    return [finding for case in settings.values() for finding in _refusals(case)]


def _refusals(example: Case) -> list[Finding]:
    """Under the setting of `example`."""
    everything = [Case(example.kind, example.options, title) for title in PROBLEMS]
    by_law: dict[str, list[Case]] = {}
    for case in filter(fits, everything):
        laws = {type(site.law).__name__ for site in case.sites.values() if not _holds(case, site.law)}
        if len(laws) == 1:
            by_law.setdefault(laws.pop(), []).append(case)
    findings = []
    for law, cases in by_law.items():
        wrong = [problem for case in cases for problem in _message(case)]
        if all(_keeps_its_promises(case) for case in cases):
            wrong.append(f"its card refuses {law} laws, but it keeps its promises on them")
        findings.append(example.finding(f"refuses {law}", "; ".join(wrong)))
    return findings


def _holds(case: Case, law: object) -> bool:
    return case.estimator.card.requires.holds(law)  # type: ignore[arg-type]


def _message(case: Case) -> list[str]:
    """What is wrong with the error that names the site and the estimators that could."""
    name, site = next((name, site) for name, site in case.sites.items() if not _holds(case, site.law))
    try:
        prepare(case.estimator, case.problem.program, case.problem.params)
    except ReparamError as error:
        message, others = str(error), able(site.law)
        clear = "\n" not in message and name_of(case.kind) in message and repr(name) in message
        if clear and all(other in message for other in others):
            return []
        return [f"it refuses {case.title} with {message!r}"]
    return [f"it is not refused {case.title}"]


def reach(found: list[Case]) -> list[Finding]:
    """What can be asked of a biased mean on a law that the card admits: its derivative reaches every parameter."""
    findings = []
    for case in found:
        card = case.estimator.card
        if not card.unbiased and card.needs_derivative:
            missed = sorted(_of_laws(case) - _reached(case))
            wrong = (
                f"its derivative does not reach {', '.join(missed)}, on which a law depends" if missed else ""
            )
            findings.append(case.finding("reach", wrong))
    return findings


def _keeps_its_promises(case: Case) -> bool:
    """Whether, with the refusal passed over, the estimator works on this problem as its card says.

    An unbiased one has the exact mean, a biased one reaches every parameter; but that is no promise kept on laws with a
    differentiable path, which need no biased stand-in for it.
    """
    try:
        if not case.estimator.card.unbiased:
            paths = all(site.law.reparameterized for site in case.sites.values())
            return not paths and _reached(case) >= _of_laws(case)
        gradients, _ = estimates(case, noise_of(case, DRAWS, "mean"), perturbed(case.state, FAR))
    except Exception:  # a law without what the estimator needs of it may fail in any way
        return False
    return compare(gradients, case.exact[0]).z <= BOUND


def _reached(case: Case) -> set[str]:
    """The parameters whose estimates are finite and change when the samples are cut off from the value."""
    noise, state = noise_of(case, FEW, "reach"), perturbed(case.state)
    gradients, _ = estimates(case, noise, state)
    without, _ = estimates(case, noise, state, cut(case.problem.program))
    return {
        name
        for name, entry in gradients.items()
        if torch.isfinite(entry).all() and not torch.equal(entry, without[name])
    }


def _of_laws(case: Case) -> set[str]:
    """The parameters that the sites' laws depend on: not all of the exact gradient of E[f] is E[∂f]."""
    params = {name: p.double().requires_grad_() for name, p in case.problem.params.items()}
    states = table(case.problem.program, params)
    total = (states.mass.detach() * states.value).sum()
    if not total.requires_grad:
        return set(params)
    direct = torch.autograd.grad(total, list(params.values()), allow_unused=True, materialize_grads=True)
    exact = case.problem.exact()
    return {
        name for name, entry in zip(params, direct, strict=True) if not torch.allclose(entry, exact[name])
    }
