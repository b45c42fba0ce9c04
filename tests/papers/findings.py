"""What a paper's procedure finds, and what its figures draw of that."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
import torch

from reparam.cells import procedures
from reparam.report.figures import SERIES, PaperData

Rows = dict[tuple[int, str], float]
"""(step, metric) → value."""


def findings(
    paper: str,
    procedure: str,
    evaluation: Mapping[str, Any],
    name: str = "pathwise",
    *,
    seed: int = 0,
    **options: Any,
) -> Rows:
    """Of the estimator `name` with these options, in an experiment `test`."""
    method = {"name": name, "options": options}
    spec = {"paper": paper, "experiment": "test", "evaluation": evaluation, "method": method}
    rows = procedures.get(paper, procedure)(spec, seed, torch.device("cpu")).rows
    found = {(step, metric): value for step, metric, value in rows}
    assert len(found) == len(rows)
    return found


def as_data(parts: Iterable[tuple[str, str, Rows]]) -> PaperData:
    """(experiment, estimator, rows) → the tables that figures draw from, with the same rows for two seeds."""
    rows = [
        (experiment, estimator, "c", seed, step, metric, value)
        for experiment, estimator, entries in parts
        for seed in (0, 1)
        for (step, metric), value in entries.items()
    ]
    table = pd.DataFrame(rows, columns=[*SERIES, "metric", "value"])
    return PaperData("quick", table, table, lambda *_: {})
