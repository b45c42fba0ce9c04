"""Table 1 as printed, real annealing at every scale, and the figures."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from reparam import estimators
from reparam.cells import procedures
from reparam.papers.jang2017.figures import FIGURES
from reparam.papers.jang2017.tables import ESTIMATORS, ROWS, TABLE1
from reparam.plan import experiments
from reparam.plan.cells import Cell
from reparam.report.figures import PaperData
from reparam.report.style import theme


def cells(scale: str, name: str = "table1-") -> list[Cell]:
    found = [c for e in experiments.expand("jang2017", scale) for c in e.cells]
    return [cell for cell in found if cell.experiment.startswith(name)]


@pytest.mark.parametrize("scale", ["quick", "standard", "paper"])
def test_every_column_of_the_table_is_run_on_every_row(scale: str) -> None:
    planned = {(cell.experiment, cell.estimator) for cell in cells(scale)}
    assert planned >= {(row, name) for row in ROWS for name in ESTIMATORS}
    assert {len(numbers) for numbers in TABLE1.values()} == {len(ESTIMATORS)}


@pytest.mark.parametrize("scale", ["quick", "standard", "paper"])
def test_temperature_and_slope_really_change(scale: str) -> None:
    """By the formulas of the papers, at the end of training."""
    for cell in cells(scale):
        training, method = cell.spec["training"], cell.spec["method"]
        steps = math.ceil(training["samples"] / training["batch"])
        made = estimators.make(method["name"], method["options"])
        memory = {"estimates": torch.tensor(steps - 1)}
        if cell.estimator == "annealed_straight_through":
            epoch = (1000 if scale == "quick" else 50_000) // training["batch"]
            assert made.every == epoch
            slope = min(5.0, 1 + 0.04 * ((steps - 1) // epoch))
            assert float(made.slope_now(memory)) == pytest.approx(slope) and slope > 1.5
        elif "gumbel" in cell.estimator and "vae" in cell.experiment:
            renewed = (steps - 1) // made.every * made.every
            assert float(made.temperature_now(memory)) == pytest.approx(
                max(0.5, math.exp(-made.rate * renewed))
            )
            assert float(made.temperature_now(memory)) == 0.5
        elif "gumbel" in cell.estimator:
            assert made.temperature_now(memory) == 1.0


def test_the_grid_is_the_papers_over_the_rows() -> None:
    for cell in cells("paper"):
        (rates,) = cell.spec["training"]["choose"]["over"].values()
        assert [rate * 50_000 for rate in rates] == pytest.approx([1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3])


VALUES = {"accuracy/test": 80.0, "seconds": 2.0, "classes": 11.0}
"""About what a metric is in made-up results; bounds are about −20."""


def test_a_step_s_time_is_measured_for_each_number_of_classes() -> None:
    (cell,) = [c for c in cells("smoke", "speed") if c.estimator == "gumbel_softmax"]
    spec = cell.spec | {"evaluation": {"classes": [2], "timings": 1}}
    rows = procedures.get("jang2017", "speed")(spec, 0, torch.device("cpu")).rows
    assert [row[:2] for row in rows] == [(2, "classes"), (2, "seconds")]
    assert rows[0][2] == 2 and 0 < rows[1][2] < 60


def results(scale: str) -> PaperData:
    rows = [
        (
            cell.experiment,
            cell.estimator,
            cell.cell,
            seed,
            step,
            metric,
            VALUES.get(metric, -20.0) - seed + 0.1 * step,
        )
        for cell in [*cells(scale, ""), *newcomers(scale)]
        for seed in (0, 1)
        for step in (10, 20)
        for metric in ("bound_1000/test", "elbo/test", "accuracy/test", "seconds", "classes", "objective")
    ]
    table = pd.DataFrame(rows, columns=["experiment", "estimator", "cell", "seed", "step", "metric", "value"])
    images = {"data": np.zeros((10, 8, 8)), "reconstructions": np.ones((10, 8, 8))}
    return PaperData(
        scale, table, table[["experiment", "estimator", "cell", "seed"]].drop_duplicates(), lambda *_: images
    )


def newcomers(scale: str) -> list[Cell]:
    """An estimator that the tables do not have, in every experiment."""
    return [replace(c, estimator="newcomer") for c in cells(scale, "") if c.estimator == "gumbel_softmax"]


@pytest.mark.parametrize("scale", ["quick"])
@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_every_figure_draws_and_shows_a_newcomer(figure, scale: str) -> None:
    with theme():
        canvas = figure.draw(results(scale))
        assert canvas is not None
        texts = [t.get_text() for ax in canvas.axes for t in (*ax.get_yticklabels(), *ax.texts)]
        texts += [name for ax in canvas.axes for name in ax.get_legend_handles_labels()[1]]
    assert any("newcomer" in text for text in texts)
