"""The relaxed optimum against mpmath, where there is none, the quoted table, and the figures."""

from dataclasses import replace

import mpmath
import pandas as pd
import pytest
import torch

from reparam.cells import procedures
from reparam.evidence.claims import load_claims
from reparam.papers.tucker2017.digitised import TABLE_1
from reparam.papers.tucker2017.figures import FIGURES, followed
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


METRICS = (
    "expectation",
    "log_variance/bits",
    "loss",
    "temperature",
    "elbo/train",
    "running_log_variance/own",
    "running_log_variance/nvil",
    "running_log_variance/nvil/encoder",
)
READINGS = ("variance", "reference_norm", "squared_bias", "bias_z")


def results(scale: str = "quick") -> PaperData:
    """Made-up histories of every cell at a scale: a newcomer beside the estimators of the plane has a bias."""
    plane = [f"{reading}/{who}/encoder" for reading in READINGS for who in ("disarm", "newcomer")]
    plane += ["evaluations/disarm", "evaluations/newcomer"]
    rows = [
        (cell.experiment, cell.estimator, cell.cell, seed, step, metric, value(metric, step, seed))
        for experiment in experiments.expand("tucker2017", scale)
        for cell in experiment.cells
        for seed in (0, 1)
        for step in (1, 2)
        for metric in (plane if cell.experiment == "plane" else METRICS)
    ]
    table = pd.DataFrame(rows, columns=["experiment", "estimator", "cell", "seed", "step", "metric", "value"])
    cells = table[["experiment", "estimator", "cell", "seed"]].drop_duplicates()
    return PaperData(scale, table, cells, lambda *_: {})


def value(metric: str, step: int, seed: int) -> float:
    return 9.0 if metric == "bias_z/newcomer/encoder" else 0.2 + 0.01 * step + seed


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_every_figure_draws(figure) -> None:
    with theme():
        assert figure.draw(results()) is not None


def test_whoever_leads_a_trajectory_is_drawn_under_its_name() -> None:
    found = followed(results("standard"), "trajectory-omniglot")
    assert set(found) == {"simple_muprop", "nvil"}


def test_the_plane_tells_biased_from_unbiased() -> None:
    (figure,) = (figure for figure in FIGURES if figure.name == "plane")
    with theme():
        above, below = figure.draw(results()).axes
    assert [text.get_text() for text in above.texts] == ["newcomer"]
    assert [text.get_text() for text in below.get_yticklabels()] == ["DisARM"]


@pytest.mark.parametrize("scale", ["quick", "standard"])
def test_published_levels_stand_beside_runs_on_the_paper_s_data_only(scale: str) -> None:
    (figure,) = (figure for figure in FIGURES if figure.name == "table-1")
    with theme():
        (ax, *_) = figure.draw(replace(results(), scale=scale)).axes
    shown = [float(line.get_xdata()[0]) for line in ax.lines]
    assert (TABLE_1["linear-1"]["rebar"] in shown) == (scale == "standard")


def test_quoted_numbers_are_those_of_the_claims() -> None:
    names = {"nvil": "NVIL", "muprop": "MuProp", "rebar": "REBAR (adaptive)", "concrete": "Concrete"}
    models = {"linear-1": "linear 1L", "linear-2": "linear 2L", "nonlinear": "nonlinear"}
    claims = load_claims(experiments.PAPERS / "tucker2017" / "claims.yaml", "tucker2017")
    numbers = {n["what"]: n["value"] for claim in claims if claim.id == "RB-1" for n in claim.numbers}
    for model, row in TABLE_1.items():
        for estimator, number in row.items():
            assert numbers[f"MNIST {models[model]}, {names[estimator]}"] == number
