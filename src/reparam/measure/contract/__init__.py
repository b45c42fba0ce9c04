"""The contract of every estimator: each line of its card, checked against what it does.

`check(kind)` runs all of it but compiling; `reparam oracles NAME`, the cells before training, the test suite and the
tests of a package with an estimator of its own all call this.
"""

from __future__ import annotations

from collections.abc import Callable, Collection

from reparam.estimators.base import Estimator, name_of
from reparam.measure.contract.cases import Case, Finding, cases, raised
from reparam.measure.contract.compiled import compiled
from reparam.measure.contract.derivative import derivative
from reparam.measure.contract.laws import reach, refusals
from reparam.measure.contract.means import means, nested
from reparam.measure.contract.plates import plates
from reparam.measure.contract.promises import evaluations, own_parameters, settings, text
from reparam.measure.contract.signals import signals

__all__ = ["CHECKS", "Case", "Finding", "cases", "check", "compiled"]

CHECKS: dict[str, Callable[[list[Case]], list[Finding]]] = {
    "text": text,
    "derivative": derivative,
    "refusals": refusals,
    "reach": reach,
    "evaluations": evaluations,
    "own parameters": own_parameters,
    "signals": signals,
    "plates": plates,
    "means": means,
    "nested": nested,
}
"""Each takes all cases of one estimator."""


def check(kind: type[Estimator], names: Collection[str] = tuple(CHECKS)) -> list[Finding]:
    """Check an estimator class on every problem, under every setting of its card, by these of the CHECKS.

    What an estimator raises on a problem that its card admits is a finding, too; with a setting that makes no
    estimator, that is the only one.
    """
    unmade = settings(kind)
    if unmade:
        return unmade
    found = cases(kind)
    if not found:
        wrong = "no setting of its card works on any problem, so nothing that it promises can be tested"
        return [Finding(name_of(kind), {}, "", "admitted", False, wrong)]
    findings = []
    for name in names:
        try:
            findings += CHECKS[name](found)
        except Exception as error:
            findings.append(Finding(name_of(kind), {}, "", name, False, raised(error, kind)))
    return findings
