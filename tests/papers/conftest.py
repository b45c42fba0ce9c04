"""Made-up results of a paper's cells, for its figures."""

from collections.abc import Callable, Iterable

import pandas as pd
import pytest

from reparam.plan import experiments
from reparam.report.figures import PaperData

Fabricate = Callable[..., PaperData]


@pytest.fixture
def fabricate() -> Fabricate:
    """(paper, metrics, scale) → histories of every cell, and in every experiment of an estimator of somebody's own,
    `newcomer_5`: two seeds, two steps, and values that grow with both."""

    def made(paper: str, metrics: Iterable[str], scale: str = "quick") -> PaperData:
        rows = [
            (experiment.name, estimator, cell, seed, step, metric, step + seed)
            for experiment in experiments.expand(paper, scale)
            for estimator, cell in {
                **{each.estimator: str(each.path) for each in experiment.cells},
                "newcomer_5": f"{experiment.name}/newcomer",
            }.items()
            for seed in (0, 1)
            for step in (1, 2)
            for metric in metrics
        ]
        columns = ["experiment", "estimator", "cell", "seed", "step", "metric", "value"]
        table = pd.DataFrame(rows, columns=columns)
        for along in ("samples_seen", "evaluations"):
            table.loc[table["metric"] == along, "value"] = 100 * table["step"]
        cells = table[["experiment", "estimator", "cell", "seed"]].drop_duplicates()
        return PaperData(scale, table, cells, lambda *_: {})

    return made
