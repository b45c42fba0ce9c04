"""The checks against exact answers: estimator × problem, and what failed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from reparam.measure.contract.moments import BOUND
from reparam.report.scoreboard import records
from reparam.report.tables import as_json


@dataclass(frozen=True)
class Entry:
    """What was found of one estimator on one problem."""

    z: float
    """The largest deviation of a mean from its exact value, in standard errors, over all settings."""
    power: float | None
    """Of the check of the mean gradient under the first setting; None where that is off."""
    look: str
    """good, bad, or open: the mean is off, and the card says that it is."""

    @property
    def text(self) -> str:
        """z, to a tenth where that matters."""
        return f"{self.z:.1f}" if self.z < 100 else f"{self.z:.0f}"


@dataclass(frozen=True)
class Row:
    """One estimator: its entries in the order of the problems, and how many checks of any kind it passed."""

    estimator: str
    entries: list[Entry | None]
    checks: int
    passed: int


@dataclass(frozen=True)
class Oracles:
    """The table of the page, and the findings that failed."""

    problems: list[str]
    rows: list[Row]
    failed: list[dict[str, Any]]


def oracles(table: pd.DataFrame, scale: str) -> Oracles:
    """What the reader's own run found at this scale."""
    own = table[(table["source"] == "run") & (table["scale"] == scale)]
    own = own.assign(passed=own["passed"].fillna(False).astype(bool))
    means = own[own["z"].notna() & (own["tests"].fillna(0) > 0)]  # not the summaries over problems
    problems = list(dict.fromkeys(means["problem"]))
    rows = []
    for name, part in own.groupby("estimator"):
        by_problem = dict(list(means[means["estimator"] == name].groupby("problem", sort=False)))
        entries = [_entry(by_problem[problem]) if problem in by_problem else None for problem in problems]
        rows.append(Row(str(name), entries, len(part), int(part["passed"].sum())))
    failed = records(own[~own["passed"]])
    return Oracles(problems, rows, [row | {"options": _options(row["options"])} for row in failed])


def _entry(part: pd.DataFrame) -> Entry:
    largest = float(part["z"].max())
    if not part["passed"].all():
        return Entry(largest, None, "bad")
    if largest > BOUND:
        return Entry(largest, None, "open")
    first = part.loc[part["check"] == "mean", "power"].head(1)
    return Entry(largest, float(first.iloc[0]) if first.notna().all() and len(first) else None, "good")


def _options(text: Any) -> str:
    """Options of a setting in words."""
    given = as_json(text) or {}
    return ", ".join(f"{name} = {value}" for name, value in given.items()) or "the defaults"
