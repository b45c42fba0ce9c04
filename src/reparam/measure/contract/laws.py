"""A card's `requires`: other laws are refused in one clear line, and for a reason."""

from __future__ import annotations

import torch

from reparam.engine.gradient import prepare
from reparam.errors import ReparamError
from reparam.estimators.base import able, name_of
from reparam.measure.contract.cases import Case, Finding, estimates, fits, noise_of, perturbed
from reparam.measure.contract.derivative import cut
from reparam.measure.contract.moments import BOUND, test_means
from reparam.measure.problems import PROBLEMS
from reparam.oracles.states import table

DRAWS = 10_000


def refusals(found: list[Case]) -> list[Finding]:
    """For every kind of law that the card refuses, under its first setting."""
    kind, options = found[0].kind, found[0].options
    everything = [Case(kind, options, title) for title in PROBLEMS]
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
        findings.append(found[0].finding(f"refuses {law}", "; ".join(wrong)))
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


def _keeps_its_promises(case: Case) -> bool:
    """Whether, with the refusal passed over, the estimator works on this problem as its card says.

    An unbiased one has the exact mean. Of a biased one no more can be asked than that the derivative through the
    samples reaches every parameter of the laws.
    """
    noise = noise_of(case, DRAWS, "mean")
    try:
        state = perturbed(case.state)
        gradients, _ = estimates(case, noise, state)
        without, _ = estimates(case, noise, state, cut(case.problem.program))
    except Exception:  # a law without what the estimator needs of it may fail in any way
        return False
    if case.estimator.card.unbiased:
        return test_means(gradients, case.exact[0]).z <= BOUND
    reached = {name for name, entry in gradients.items() if not torch.equal(entry, without[name])}
    return reached >= _of_laws(case) and all(
        bool(torch.isfinite(entry).all()) for entry in gradients.values()
    )


def _of_laws(case: Case) -> set[str]:
    """The parameters that the sites' laws depend on: not all of their exact gradient is E[∂f]."""
    params = {name: p.double().requires_grad_() for name, p in case.problem.params.items()}
    states = table(case.problem.program, params)
    total = (states.mass.detach() * states.value).sum()
    direct = torch.autograd.grad(total, list(params.values()), allow_unused=True, materialize_grads=True)
    return {
        name
        for name, entry in zip(params, direct, strict=True)
        if not torch.allclose(entry, case.exact[0][name])
    }
