"""What the estimators cost, which set-ups compare with the paper's, and the figures."""

import pandas as pd
import pytest

from reparam import estimators, tasks
from reparam.evidence.claims import load_claims
from reparam.papers.shi2022.figures import ALPHA, FIGURES, SETUPS, VARIANCE, by_cost, setups
from reparam.plan import experiments
from reparam.program import describe
from reparam.report.figures import PaperData
from reparam.report.style import theme

METRICS = (VARIANCE, "elbo/train", ALPHA)


def planned(scale: str) -> list:
    return [cell for experiment in experiments.expand("shi2022", scale) for cell in experiment.cells]


def made(cell) -> estimators.Estimator:
    return estimators.make(cell.spec["method"]["name"], cell.spec["method"]["options"])


def results(scale: str) -> PaperData:
    """Made-up histories of every cell at a scale, each with as many evaluations as its label says."""
    rows = []
    for cell in planned(scale):
        cost = 3 if cell.estimator.endswith("_3") or cell.estimator == "relax" else 2
        for seed in (0, 1):
            for step in (1, 2):
                values = {metric: 0.1 * step + seed for metric in METRICS}
                values |= {"evaluations": 100.0 * cost * step, "samples_seen": 100.0 * step}
                where = (cell.experiment, cell.estimator, cell.cell, seed, step)
                rows += [(*where, metric, value) for metric, value in values.items()]
    table = pd.DataFrame(rows, columns=["experiment", "estimator", "cell", "seed", "step", "metric", "value"])
    cells = table[["experiment", "estimator", "cell", "seed"]].drop_duplicates()
    return PaperData(scale, table, cells, lambda *_: {})


def test_an_estimator_evaluates_f_as_often_as_its_label_says() -> None:
    task = tasks.make({"name": "bits", "target": 0.4, "dimension": 3})
    sites = describe(task.program(task.train), task.init(None))
    for cell in planned("paper"):
        estimator = made(cell)
        three = cell.estimator.endswith("_3") or cell.estimator == "relax"
        assert estimator.card.evaluations(estimator, sites) == (3 if three else 2), cell.estimator


def test_there_are_six_set_ups_with_seven_estimators_each() -> None:
    cells = planned("paper")
    assert {cell.experiment for cell in cells} == set(SETUPS)
    assert len(cells) == 6 * 7
    rates = {cell.experiment: cell.spec["training"]["optimiser"]["rate"] for cell in cells}
    assert list(rates.values()) == [1e-3, 3e-4, 1e-3, 1e-4, 1e-4, 1e-4]


def test_fashion_is_left_out_where_the_paper_finds_the_opposite() -> None:
    claims = {c.id: c for c in load_claims(experiments.PAPERS / "shi2022" / "claims.yaml", "shi2022")}
    pairs = {(cell.experiment, cell.estimator) for cell in planned("paper")}
    two, three = (rule.matches(pairs) for rule in claims["RO-4"].rules[:2])
    assert set(three) == set(SETUPS) and set(two) == {name for name in SETUPS if "fashion" not in name}


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_every_figure_draws(figure) -> None:
    with theme():
        assert figure.draw(results("quick")) is not None


def test_titles_name_the_data() -> None:
    assert "Digits" in setups(results("quick"), VARIANCE)["bernoulli-mnist"]
    assert setups(results("standard"), VARIANCE) == SETUPS


def test_panels_hold_those_that_evaluate_f_equally_often() -> None:
    found = by_cost(results("quick"), "bernoulli-mnist", VARIANCE)
    assert {cost: set(rows["estimator"]) for cost, rows in found.items()} == {
        2: {"disarm", "double_control_variates", "rodeo"},
        3: {"disarm_3", "double_control_variates_3", "rodeo_3", "relax"},
    }
