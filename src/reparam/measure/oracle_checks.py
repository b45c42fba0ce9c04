"""The checks that come before any training: every estimator against its card and the exact oracles."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from reparam import estimators
from reparam.errors import ReparamError
from reparam.measure import contract


def run(names: Collection[str] | None = None) -> list[dict[str, Any]]:
    """Check these estimators (None: all): one row per finding, with the fields of `contract.Finding`.

    Raises ReparamError for an unknown name, and naming the first promise that an estimator breaks: nothing should be
    trained with it.
    """
    rows = []
    for name in estimators.names() if names is None else names:
        for finding in contract.check(estimators.get(name)):
            if not finding.passed:
                options = ", ".join(f"{key}={value}" for key, value in finding.options.items())
                raise ReparamError(
                    f"oracle check failed: {name}({options}) on {finding.problem}, {finding.check}: "
                    f"{finding.detail}; mend the estimator, or its card, before training"
                )
            rows.append(finding.row())
    return rows
