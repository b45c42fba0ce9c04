"""Per datum, always: a datum's gradient does not see another datum's noise."""

from __future__ import annotations

import torch
from torch import Tensor

from reparam.measure.contract.cases import Case, Finding, by_setting, estimates, noise_of, representatives

DRAWS = 16


def plates(found: list[Case]) -> list[Finding]:
    """On the representative problems with parameters per datum."""
    findings = []
    for setting in by_setting(found):
        for case in representatives([case for case in setting if case.problem.own]):
            noise = noise_of(case, DRAWS, "plate")
            if not noise:
                continue
            first, _ = estimates(case, noise, case.state)
            second, _ = estimates(case, _with_another_last_datum(case, noise), case.state)
            wrong = []
            if any(not torch.equal(first[name][:, :-1], second[name][:, :-1]) for name in case.problem.own):
                wrong.append("the gradient of a datum depends on the noise of another")
            if all(torch.equal(first[name][:, -1], second[name][:, -1]) for name in case.problem.own):
                wrong.append("the gradient of a datum does not depend on its own noise")
            findings.append(case.finding("plate", "; ".join(wrong)))
    return findings


def _with_another_last_datum(case: Case, noise: dict[str, dict[str, Tensor]]) -> dict[str, dict[str, Tensor]]:
    """The noise with that of the last datum moved on to the next draw; a site shared by the plate keeps its own."""
    changed: dict[str, dict[str, Tensor]] = {}
    for site, roles in case.estimator.noise(case.sites).items():
        changed[site] = {role: noise[site][role].clone() for role in roles}
        for role, spec in roles.items() if case.sites[site].law.plate else ():
            axis = 1 if spec.copies is None else 2
            last = noise[site][role].select(axis, -1)
            changed[site][role].select(axis, -1).copy_(last.roll(1, 0))
    return changed
