"""The checks that come before any training: every estimator against its card and the exact oracles."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from reparam import estimators
from reparam.errors import ReparamError
from reparam.measure import contract
from reparam.measure.contract import Finding


def check(names: Collection[str] | None = None) -> list[Finding]:
    """What the contract finds of these estimators (None: all), passed or not.

    Raises ReparamError for an unknown name.
    """
    kinds = [estimators.get(name) for name in (estimators.names() if names is None else names)]
    return [finding for kind in kinds for finding in contract.check(kind)]


def require(findings: Iterable[Finding]) -> None:
    """Raise ReparamError naming the first promise that is broken: nothing should be trained with that estimator."""
    broken = [finding for finding in findings if not finding.passed]
    if broken:
        first, others = broken[0], f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
        where = f" on {first.problem}" if first.problem else ""
        options = ", ".join(f"{key}={value}" for key, value in first.options.items())
        raise ReparamError(
            f"oracle check failed: {first.estimator}({options}){where}, {first.check}: {first.detail}"
            f"{others}; mend the estimator, or its card, before training"
        )
