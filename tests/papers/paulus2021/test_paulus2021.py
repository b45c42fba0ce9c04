"""The quadratic and Rao–Blackwell on bits, against exact numbers; the plan of the VAEs, and the figures."""

import numpy as np
import pandas as pd
import pytest
import torch

from reparam.cells import procedures
from reparam.papers.paulus2021.figures import FIGURES, METHODS, best
from reparam.papers.paulus2021.procedures import CENTRE, quadratic_cost, quadratic_matrix, simplex
from reparam.plan import experiments
from reparam.plan.cells import Cell
from reparam.program import run
from reparam.report.figures import PaperData
from reparam.report.style import theme


def rows(procedure: str, evaluation: dict, name: str, **options: object) -> list:
    spec = {
        "paper": "paulus2021",
        "experiment": "test",
        "method": {"name": name, "options": options},
        "evaluation": evaluation,
    }
    return procedures.get("paulus2021", procedure)(spec, 0, torch.device("cpu")).rows


def test_the_cost_of_a_corner() -> None:
    """Q has 1, e⁻² and e⁻⁴ by distance; (z − c)ᵀ Q (z − c) at the first corner."""
    matrix = quadratic_matrix().numpy()
    assert np.allclose(matrix[0], [1, np.exp(-2), np.exp(-4)]) and np.allclose(matrix, matrix.T)
    z = np.array([1.0, 0, 0]) - CENTRE
    program = quadratic_cost(quadratic_matrix())
    params = {"toy.logits": torch.zeros(1, 3, dtype=torch.float64)}
    value = run(program, params, lambda name, law: torch.tensor([[1.0, 0, 0]], dtype=torch.float64)).value
    assert value.item() == pytest.approx(z @ matrix @ z, rel=1e-12)


def test_points_are_the_inner_lattice() -> None:
    points = simplex(5)
    assert len(points) == 6 and (points > 0).all() and np.allclose(points.sum(1), 1)


def test_more_inner_samples_reduce_the_trace() -> None:
    """One inner sample has the trace of ST-GS (within 5 standard errors of 4,000 draws), a hundred a smaller one."""
    evaluation = {"temperature": 0.5, "parts": 3, "draws": 4000}
    one, many = (
        {metric: value for _, metric, value in rows("quadratic", evaluation, "gumbel_rao", inner=inner)}
        for inner in (1, 100)
    )
    assert abs(one["reduction"]) < 0.1 and many["reduction"] > 0.1
    assert many["reduction_least"] == many["reduction_mean"] == many["reduction"]
    plain = {metric: value for _, metric, value in rows("quadratic", evaluation, "st_gumbel_softmax")}
    assert "reduction" not in plain
    assert plain["log10_trace"] == pytest.approx(many["log10_trace"] + many["reduction"], abs=1e-9)


def test_rao_blackwell_keeps_the_mean_and_saves_variance() -> None:
    evaluation = {"probabilities": [0.25, 0.5], "temperatures": [0.5], "points": 4096}
    found = {
        metric: value for step, metric, value in rows("rao_blackwell", evaluation, "gumbel_rao", inner=2)
    }
    assert found["mean_difference"] < 0.01 and found["variance_saved"] > 0.05
    other = {metric: value for step, metric, value in rows("rao_blackwell", evaluation, "concrete")}
    assert other["mean_difference"] > 0.05


def vaes(scale: str) -> list[Cell]:
    found = [cell for entry in experiments.expand("paulus2021", scale) for cell in entry.cells]
    return [cell for cell in found if cell.experiment.startswith(("plain-", "gumbel-"))]


def test_seven_estimators_meet_every_arity_and_batch_of_the_table() -> None:
    """With codes of 240 numbers, 50,000 steps, and as many candidates as the paper's random search has runs."""
    planned = vaes("paper")
    table = {
        (c.estimator, c.spec["task"]["classes"], c.spec["training"]["batch"]): (c.experiment, c.spec)
        for c in planned
    }
    assert set(table) == {(m, k, b) for m in METHODS for k in (2, 4, 8, 16) for b in (20, 200)}
    assert len(planned) == len(table)
    for (_, classes, batch), (experiment, spec) in table.items():
        task, training = spec["task"], spec["training"]
        assert f"batch{batch}-classes{classes}-" in experiment
        assert task["units"] * classes == 240 and training["samples"] == 50_000 * batch
        assert np.prod([len(values) for values in training["choose"]["over"].values()]) == 20


@pytest.mark.parametrize("scale", ["smoke", "quick", "standard"])
def test_smaller_scales_keep_the_size_of_codes_and_the_steps(scale: str) -> None:
    specs = [cell.spec for cell in vaes(scale)]
    assert len({spec["task"]["units"] * spec["task"]["classes"] for spec in specs}) == 1
    assert len({spec["training"]["samples"] // spec["training"]["batch"] for spec in specs}) == 1


def made_up(scale: str = "quick") -> PaperData:
    """Bounds of the VAEs that fall while the validation bound has its peak in the middle."""
    rows = [
        (cell.experiment, cell.estimator, "cell", seed, step, metric, value)
        for entry in experiments.expand("paulus2021", scale)
        for cell in entry.cells
        if not cell.experiment.startswith(("toy", "rao"))
        for seed in (0, 1)
        for step, valid in ((1, -22.0), (2, -20.0), (3, -21.0))
        for metric, value in (("elbo/valid", valid), ("bound_5000/test", -19.0 - step - 0.1 * seed))
    ]
    table = pd.DataFrame(rows, columns=["experiment", "estimator", "cell", "seed", "step", "metric", "value"])
    return PaperData(scale, table, table, lambda *_: {})


def test_the_reading_is_that_of_the_best_validation_bound() -> None:
    found = best(made_up(), "plain-*")
    assert set(found["step"]) == {2} and set(found["value"]) == {-21.0, -21.1}
    assert len(found) == 2 * 4


@pytest.mark.parametrize("scale", ["quick", "paper"])
@pytest.mark.parametrize("name", ["bounds", "temperatures"])
def test_the_figures_of_vaes_draw(name: str, scale: str) -> None:
    (figure,) = [figure for figure in FIGURES if figure.name == name]
    with theme():
        canvas = figure.draw(made_up(scale))
    assert canvas is not None
    if name == "bounds":
        assert len(canvas.axes) == {"quick": 2, "paper": 8}[scale]


@pytest.mark.parametrize("figure", FIGURES[:2], ids=lambda figure: figure.name)
def test_every_figure_of_the_toy_draws(figure) -> None:
    evaluation = {"temperature": 0.5, "parts": 4, "draws": 20}
    table = pd.DataFrame(
        [
            (f"toy-temperature{temperature}", label, "cell", seed, *row)
            for temperature in (0.1, 1.0)
            for seed in (0, 1)
            for label, name, options in (
                ("st_gumbel_softmax", "st_gumbel_softmax", {}),
                ("gumbel_rao_1000", "gumbel_rao", {"inner": 5}),
            )
            for row in rows("quadratic", {**evaluation, "temperature": temperature}, name, **options)
        ],
        columns=["experiment", "estimator", "cell", "seed", "step", "metric", "value"],
    )
    with theme():
        assert figure.draw(PaperData("quick", table, table, lambda *_: {})) is not None
