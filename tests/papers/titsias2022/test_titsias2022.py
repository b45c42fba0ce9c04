"""The toy's cells, and its figure."""

import pandas as pd

from reparam import estimators, tasks
from reparam.papers.titsias2022.figures import FIGURES, LARGEST
from reparam.plan import experiments
from reparam.program import describe
from reparam.report.figures import PaperData
from reparam.report.style import theme


def test_all_methods_evaluate_f_at_two_samples_but_for_what_the_figure_says() -> None:
    (experiment,) = experiments.expand("titsias2022", "quick")
    task = tasks.make(experiment.cells[0].spec["task"])
    sites = describe(task.program(task.train), task.init(None))
    made = {
        c.estimator: estimators.make(c.spec["method"]["name"], c.spec["method"]["options"])
        for c in experiment.cells
    }
    counts = {label: estimator.card.evaluations(estimator, sites) for label, estimator in made.items()}
    assert counts.pop("score_function_mean") == 22 and counts.pop("muprop") == 3
    assert set(counts.values()) == {2}


def test_the_largest_mean_is_that_of_ones() -> None:
    task = tasks.make({"name": "bits", "target": 0.499, "dimension": 200, "start": 30.0})
    assert abs(task.expectation(task.init(None)).item() - LARGEST) < 1e-7


def test_the_figure_draws() -> None:
    rows = [
        ("toy", estimator, "cell", seed, step, metric, 1e-9 * (step + seed))
        for estimator in ("disarm", "double_control_variates")
        for seed in (0, 1)
        for step in (10, 20)
        for metric in ("expectation", "variance/bits")
    ]
    table = pd.DataFrame(rows, columns=["experiment", "estimator", "cell", "seed", "step", "metric", "value"])
    with theme():
        canvas = FIGURES[0].draw(PaperData("quick", table, table, lambda *_: {}))
    assert canvas is not None and len(canvas.axes) == 2
