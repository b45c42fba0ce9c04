"""The relaxed optimum against mpmath, where there is none, and the figures."""

import mpmath
import pandas as pd
import pytest
import torch

from reparam.cells import procedures
from reparam.papers.tucker2017.figures import FIGURES
from reparam.papers.tucker2017.procedures import slope
from reparam.plan import experiments
from reparam.report.figures import PaperData
from reparam.report.style import theme


def found(temperature: float, target: float = 0.45) -> dict[str, float]:
    spec = {"task": {"target": target}, "evaluation": {"temperatures": [temperature]}}
    rows = procedures.get("tucker2017", "relaxed_optimum")(spec, 0, torch.device("cpu")).rows
    return {metric: value for _, metric, value in rows}


def relaxed_loss(theta: float, temperature: float, target: float = 0.45) -> float:
    """E[(s − t)²] over the uniform, by mpmath."""

    def term(u):
        return (1 / (1 + mpmath.exp(-(theta + mpmath.log(u / (1 - u))) / temperature)) - target) ** 2

    return float(mpmath.quad(term, [0, 0.01, 0.1, 0.5, 0.9, 0.99, 1]))


@pytest.mark.parametrize("temperature", [0.3, 1.0])
def test_the_relaxed_optimum_is_a_minimum_of_the_relaxed_loss(temperature: float) -> None:
    rows = found(temperature)
    least = relaxed_loss(rows["logit"], temperature)
    assert rows["relaxed_loss"] == pytest.approx(least, rel=1e-8)
    for step in (-0.05, 0.05):
        assert relaxed_loss(rows["logit"] + step, temperature) > least
    p = 1 / (1 + mpmath.exp(-rows["logit"]))
    assert rows["loss"] == pytest.approx(float(p * 0.55**2 + (1 - p) * 0.45**2), rel=1e-12)


@pytest.mark.parametrize(("temperature", "sign"), [(0.08, 1), (0.12, -1)])
def test_far_out_the_derivative_changes_its_sign_at_one_minus_2t(temperature: float, sign: int) -> None:
    """Above, so for small temperatures, the relaxed loss falls all the way to the deterministic optimum."""
    assert sign * slope(-8.0, temperature, 0.45) > 0


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_every_figure_draws(figure) -> None:
    rows = [
        (cell.experiment, cell.estimator, cell.cell, seed, step, metric, 0.2 + 0.01 * step + seed)
        for experiment in experiments.expand("tucker2017", "quick")
        for cell in experiment.cells
        for seed in (0, 1)
        for step in (1, 2)
        for metric in ("expectation", "log_variance/bits", "loss", "temperature")
    ]
    table = pd.DataFrame(rows, columns=["experiment", "estimator", "cell", "seed", "step", "metric", "value"])
    cells = table[["experiment", "estimator", "cell", "seed"]].drop_duplicates()
    with theme():
        assert figure.draw(PaperData("quick", table, cells, lambda *_: {})) is not None
