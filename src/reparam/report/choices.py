"""The grids of a paper's cells, as the report lists them."""

import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from reparam.report.tables import is_known


@dataclass(frozen=True)
class Candidate:
    """One point of a grid; `options` in words."""

    options: str
    reading: float
    chosen: bool
    diverged: bool


@dataclass(frozen=True)
class Grid:
    """One cell's grid, by the metric that decides."""

    source: str
    scale: str
    experiment: str
    estimator: str
    metric: str
    candidates: list[Candidate]


def choices(table: pd.DataFrame, paper: str) -> list[Grid]:
    """The paper's grids, in the table's order."""
    decisive = table[(table["paper"] == paper) & table["decides"].fillna(False).astype(bool)]
    found = []
    for where, rows in decisive.groupby(
        ["source", "scale", "experiment", "estimator", "cell", "metric"], sort=False
    ):
        source, scale, experiment, estimator, _, metric = map(str, where)
        candidates = [_candidate(row) for row in rows.to_dict("records")]
        found.append(Grid(source, scale, experiment, estimator, metric, candidates))
    return found


def _candidate(row: Mapping[Hashable, Any]) -> Candidate:
    options = json.loads(row["options"])
    words = ", ".join(
        f"{path.rpartition('.')[2].replace('_', ' ')} {value}" for path, value in options.items()
    )
    return Candidate(words, row["reading"], bool(row["chosen"]), is_known(row["diverged"]))
