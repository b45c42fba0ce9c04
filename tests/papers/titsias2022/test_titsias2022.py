"""What the methods cost, and the figures."""

import pandas as pd
import pytest

from reparam import estimators, tasks
from reparam.papers.titsias2022.figures import FIGURES, LARGEST
from reparam.plan import experiments
from reparam.program import describe
from reparam.report.figures import PaperData
from reparam.report.style import theme


def costs(name: str) -> dict[str, int]:
    """By estimator of an experiment at paper scale, the evaluations of f that it takes with one site."""
    found = {experiment.name: experiment.cells for experiment in experiments.expand("titsias2022", "paper")}
    task = tasks.make(found["toy"][0].spec["task"])
    sites = describe(task.program(task.train), task.init(None))
    made = {
        c.estimator: estimators.make(c.spec["method"]["name"], c.spec["method"]["options"])
        for c in found[name]
    }
    return {label: estimator.card.evaluations(estimator, sites) for label, estimator in made.items()}


def test_all_methods_of_the_toy_evaluate_f_at_two_samples_but_for_what_the_figure_says() -> None:
    counts = costs("toy")
    assert counts.pop("score_function_mean") == 22 and counts.pop("muprop") == 3
    assert set(counts.values()) == {2}


def test_auto_encoders_are_trained_at_two_evaluations_and_at_three() -> None:
    for label, count in costs("nonlinear").items():
        assert count == (3 if label.endswith("_3") or label == "relax" else 2), label


def test_the_largest_mean_is_that_of_ones() -> None:
    task = tasks.make({"name": "bits", "target": 0.499, "dimension": 200, "start": 30.0})
    assert abs(task.expectation(task.init(None)).item() - LARGEST) < 1e-7


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_the_figures_draw(figure) -> None:
    rows = [
        (experiment, estimator, "cell", seed, step, metric, 1e-9 * (step + seed))
        for experiment in ("toy", "linear", "nonlinear")
        for estimator in ("disarm", "double_control_variates")
        for seed in (0, 1)
        for step in (10, 20)
        for metric in ("expectation", "variance/bits", "elbo/train")
    ]
    table = pd.DataFrame(rows, columns=["experiment", "estimator", "cell", "seed", "step", "metric", "value"])
    with theme():
        canvas = figure.draw(PaperData("quick", table, table, lambda *_: {}))
    assert canvas is not None and len(canvas.axes) == {"toy": 2, "auto-encoders": 4}[figure.name]
