"""ARM on one bit by its procedure, a biased estimator in its place, the time of a step, and the figures."""

import pandas as pd
import pytest
import torch

from reparam.cells import procedures
from reparam.evidence.claims import load_claims
from reparam.papers.yin2019.figures import FIGURES, TABLES
from reparam.plan import experiments
from reparam.report.figures import PaperData
from reparam.report.style import theme

GRID = {"probabilities": [0.2, 0.5, 0.9], "targets": [0.499, 0.1], "constants": [0.0], "points": 10_000}


def rows(name: str) -> list:
    spec = {"estimator": "arm", "method": {"name": name, "options": {}}, "evaluation": GRID}
    return procedures.get("yin2019", "one_bit")(spec, 0, torch.device("cpu")).rows


def test_arm_is_unbiased_and_has_its_variance_and_others_do_not() -> None:
    found = {metric: value for step, metric, value in rows("arm") if step == 5}
    assert found["mean_error"] < 1e-9 and found["variance_error"] < 1e-7
    wrong = {metric: value for step, metric, value in rows("straight_through") if step == 5}
    assert wrong["variance_error"] > 0.01


def results(scale: str) -> PaperData:
    """Made-up histories of every cell at a scale."""
    metrics = ("elbo/train", "bound_100/test", "bound_1000/test", "seconds")
    table = [
        (cell.experiment, cell.estimator, cell.cell, seed, step, metric, -step - seed)
        for experiment in experiments.expand("yin2019", scale)
        for cell in experiment.cells
        for seed in (0, 1)
        for step in (1, 2)
        for metric in metrics
    ]
    table += [("one-bit", "arm", "cell", 0, *row) for row in rows("arm")]
    frame = pd.DataFrame(
        table, columns=["experiment", "estimator", "cell", "seed", "step", "metric", "value"]
    )
    cells = frame[["experiment", "estimator", "cell", "seed"]].drop_duplicates().assign(step_seconds=0.01)
    return PaperData(scale, frame, cells, lambda *_: {})


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_every_figure_draws(figure) -> None:
    with theme():
        assert figure.draw(results("quick")) is not None


@pytest.mark.parametrize("scale", ["quick", "standard"])
def test_the_paper_s_levels_stand_beside_its_own_data_only(scale: str) -> None:
    (figure,) = (figure for figure in FIGURES if figure.name == "likelihoods")
    with theme():
        (ax, *_) = figure.draw(results(scale)).axes
    shown = [float(line.get_xdata()[0]) for line in ax.lines]
    assert (TABLES["linear-layers1"]["arm"] in shown) == (scale == "standard")


def test_the_tables_are_the_claims_numbers() -> None:
    claims = load_claims(experiments.PAPERS / "yin2019" / "claims.yaml", "yin2019")
    numbers = {n["what"]: n["value"] for claim in claims for n in claim.numbers}
    for experiment, model in (
        ("linear-layers1", "linear"),
        ("linear-layers2", "two layers"),
        ("nonlinear",) * 2,
    ):
        own, reinforce = TABLES[experiment]["arm"], TABLES[experiment]["score_function"]
        assert numbers[f"MNIST static, {model}"] == -own and numbers[f"REINFORCE, {model}"] == -reinforce
    assert numbers["ARM"] == -TABLES["structured"]["arm"]


def test_a_step_s_time_is_one_number() -> None:
    (cell, *_) = [c for e in experiments.expand("yin2019", "smoke") for c in e.cells if e.name == "speed"]
    spec = {**cell.spec, "paper": "yin2019", "experiment": "speed"}
    ((step, metric, value),) = procedures.get("yin2019", "speed")(spec, 0, torch.device("cpu")).rows
    assert (step, metric) == (0, "seconds") and 0 < value < 60
