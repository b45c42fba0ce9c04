"""Planned against done."""

from typing import Any

import pandas as pd

from reparam.report.scoreboard import records

COUNTS = ["planned", "done", "diverged", "failed", "missing"]


def coverage_rows(coverage: pd.DataFrame, scale: str) -> list[dict[str, Any]]:
    """One row per planned cell with its counts of seeds as whole numbers."""
    rows = coverage[coverage["scale"] == scale].sort_values(["paper", "experiment", "estimator", "cell"])
    return [row | {name: int(row[name]) for name in COUNTS} for row in records(rows)]


def totals(rows: list[dict[str, Any]]) -> dict[str, int]:
    return {name: sum(row[name] for row in rows) for name in COUNTS}


def troubled(cells: pd.DataFrame) -> list[dict[str, Any]]:
    """The seeds of the reader's own run that diverged or failed, with step and reason."""
    own = cells[(cells["source"] == "run") & (cells["status"] != "ok")]
    return records(own.sort_values(["paper", "experiment", "estimator", "seed"]))
