"""An estimator that is put into a paper's experiments appears in its figures, whoever they were drawn for."""

from fnmatch import fnmatchcase

import pandas as pd
import pytest

from reparam.plan import experiments
from reparam.report.figures import SERIES, Figure, PaperData, load_figures
from reparam.report.style import theme

NEWCOMER = "newcomer_5"
"""With a number of samples, which some labels have."""
CHOSEN = {"target": 0.1, "constant": 0.0}
"""Metrics by which figures on one bit choose the rows that they show."""


class Anything(PaperData):
    """Two seeds and four steps of whatever metric is asked for, of every estimator of the cells."""

    def pairs(self, experiment: str, estimator: str = "*") -> list[tuple[str, str]]:
        every = self.cells[["experiment", "estimator"]].itertuples(index=False)
        return [(e, m) for e, m in every if fnmatchcase(e, experiment) and fnmatchcase(m, estimator)]

    def series(
        self, metric: str, *, experiment: str = "*", estimator: str = "*", x: str = "step"
    ) -> pd.DataFrame:
        rows = [
            (e, m, "cell", seed, step, 0.5 + step)
            for e, m in self.pairs(experiment, estimator)
            for seed in (0, 1)
            for step in range(4)
        ]
        frame = pd.DataFrame(rows, columns=[*SERIES, "value"])
        return frame if x == "step" else self.beside(frame, x)

    def beside(self, rows: pd.DataFrame, metric: str) -> pd.DataFrame:
        return rows.assign(**{metric: CHOSEN.get(metric, rows["step"] + 0.1)})

    def wildcards(self, metric: str, *, experiment: str) -> list[str]:
        return sorted({m for _, m in self.pairs(experiment)})


def legends(figure: Figure, data: PaperData) -> str:
    with theme():
        canvas = figure.draw(data)
    shown = [ax.get_legend() for ax in canvas.axes] if canvas else []
    return " ".join(text.get_text() for legend in shown if legend for text in legend.get_texts())


@pytest.mark.parametrize("paper", experiments.papers())
def test_a_newcomer_is_drawn(paper: str) -> None:
    planned = [c for e in experiments.expand(paper, "quick") for c in e.cells]
    pairs = sorted({(c.experiment, label) for c in planned for label in (c.estimator, NEWCOMER)})
    rows = [(e, m, "cell", 0, 0, "metric", 1.0) for e, m in pairs]
    frame = pd.DataFrame(rows, columns=[*SERIES, "metric", "value"])
    data = Anything("quick", frame, frame, lambda *_: {})
    figures = load_figures(experiments.PAPERS / paper)
    assert any("newcomer" in legends(figure, data) for figure in figures)
