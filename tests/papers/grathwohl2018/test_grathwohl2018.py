"""The exact-gradient curves, the digitised points beside the claims, and the figures."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch

from reparam.cells import procedures
from reparam.evidence.claims import load_claims
from reparam.papers.grathwohl2018 import digitised
from reparam.papers.grathwohl2018.figures import FIGURES
from reparam.papers.tucker2017 import digitised as tucker2017
from reparam.plan import experiments
from reparam.report.figures import PaperData
from reparam.report.style import theme


def adam(gradient, steps: int, rate: float) -> float:
    """The logit after so many steps of Adam from 0, written out once more."""
    theta = mean = square = 0.0
    for t in range(1, steps + 1):
        g = gradient(1 / (1 + math.exp(-theta)))
        mean, square = 0.9 * mean + 0.1 * g, 0.999 * square + 0.001 * g * g
        theta -= rate * (mean / (1 - 0.9**t)) / (math.sqrt(square / (1 - 0.999**t)) + 1e-8)
    return theta


def test_both_exact_curves_follow_their_gradients() -> None:
    spec = {"task": {"target": 0.4, "start": 0.0}, "evaluation": {"steps": 60, "rate": 0.05, "every": 30}}
    found = procedures.get("grathwohl2018", "exact_gradient")(spec, 0, torch.device("cpu"))
    rows = {(step, metric): value for step, metric, value in found.rows}
    assert {step for step, _ in rows} == {30, 60}
    for name, gradient in {"right": lambda p: 0.2 * p * (1 - p), "released_code": lambda p: 0.2 * p}.items():
        p = 1 / (1 + math.exp(-adam(gradient, 60, 0.05)))
        assert rows[60, f"expectation/{name}"] == pytest.approx(p * 0.36 + (1 - p) * 0.16, rel=1e-9)
    assert rows[60, "expectation/right"] != pytest.approx(rows[60, "expectation/released_code"], rel=1e-6)


def test_digitised_points_are_the_claims_numbers() -> None:
    by_id = {
        claim.id: claim
        for claim in load_claims(experiments.PAPERS / "grathwohl2018" / "claims.yaml", "grathwohl2018")
    }
    assert {f"RX-{i}" for i in range(1, 7)} <= set(by_id)
    names = {"exact": "exact", "relax": "RELAX", "rebar": "REBAR", "score_function": "REINFORCE"}
    loss = {n["what"]: n["value"] for n in by_id["RX-1"].numbers}
    variance = {n["what"]: n["value"] for n in by_id["RX-2"].numbers}
    for estimator, name in names.items():
        assert loss[f"{name}, expected loss at 10,000 steps"] == digitised.TOY_LOSS[estimator][-1]
        assert len(digitised.TOY_LOSS[estimator]) == len(digitised.TOY_STEPS)
    for estimator, points in digitised.TOY_LOG_VARIANCE.items():
        assert variance[f"{names[estimator]}, log variance at 10,000 steps"] == points[-1]
        assert len(points) == len(digitised.TOY_LOG_VARIANCE_STEPS)
    solved = {n["what"]: (n["value"], n["tolerance"]) for n in by_id["RX-5"].numbers}
    spread = {n["what"]: n["value"] for n in by_id["RX-6"].numbers}
    for estimator, name in {"a2c": "A2C", "relax": "RELAX"}.items():
        assert solved[f"CartPole, {name}, episodes"] == digitised.SOLVED[estimator]
        mean = spread[f"CartPole, {name}, mean log variance over 470 episodes"]
        least, middle, most = digitised.LOG_VARIANCE[estimator]
        assert least < middle == mean < most


WITH_POINTS = {"toy", "companion", "exact-gradient", "policy-gradients", "solving"}


def results() -> PaperData:
    """Made-up histories of every cell at quick or standard scale."""
    metrics = (
        *("expectation", "log_variance/bits", "expectation/right", "expectation/released_code"),
        *("elbo/train", "elbo/valid", "samples_seen", "evaluations"),
        *("return/100", "log_variance", "log_variance/plain", "relative_error/gain"),
    )
    cells = {
        (cell.experiment, cell.estimator): cell
        for scale in ("standard", "quick")
        for experiment in experiments.expand("grathwohl2018", scale)
        for cell in experiment.cells
        if not experiment.base.startswith("omniglot")
    }
    rows = [
        (cell.experiment, cell.estimator, cell.cell, seed, step, metric, 0.25 - 1e-8 * step + 1e-4 * seed)
        for cell in cells.values()
        for seed in (0, 1)
        for step in (500, 1000)
        for metric in metrics
    ]
    table = pd.DataFrame(rows, columns=["experiment", "estimator", "cell", "seed", "step", "metric", "value"])
    seeds = table[["experiment", "estimator", "cell", "seed"]].drop_duplicates().assign(step_seconds=0.01)
    curve = {"relaxation_g": np.linspace(-6, 6, 5), "relaxation_c": np.zeros(5)}
    return PaperData("quick", table, seeds, lambda *_: curve)


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_every_figure_draws_and_the_toys_have_the_paper_s_points(figure) -> None:
    with theme():
        canvas = figure.draw(results())
    assert canvas is not None
    names = [text for ax in canvas.axes for text in ax.get_legend_handles_labels()[1]]
    assert any("paper" in name for name in names) == (figure.name in WITH_POINTS)


@pytest.mark.parametrize("scale", ["quick", "standard"])
def test_published_levels_stand_beside_runs_on_the_paper_s_data_only(scale: str) -> None:
    (figure,) = (figure for figure in FIGURES if figure.name == "table-1")
    with theme():
        (ax, *_) = figure.draw(replace(results(), scale=scale)).axes
    shown = [float(line.get_xdata()[0]) for line in ax.lines]
    assert (digitised.TABLE_1["linear-1"]["relax"] in shown) == (scale == "standard")


def test_the_shifted_rows_are_the_claim_s_numbers_and_a_draft_s_names() -> None:
    """Each of the first three numbers belongs to the header one to its right, in the paper by Tucker et al., too."""
    claims = load_claims(experiments.PAPERS / "grathwohl2018" / "claims.yaml", "grathwohl2018")
    numbers = {n["what"]: n["value"] for claim in claims if claim.id == "RX-3" for n in claim.numbers}
    draft = ("NVIL's", "MuProp's", "Tucker's REBAR")
    for data, row in digitised.NONLINEAR.items():
        for printed, meant, number in zip(digitised.COLUMNS, draft, row, strict=False):
            assert numbers[f"{data} nonlinear, printed under {printed} ({meant} in a draft)"] == number
    quoted = tucker2017.TABLE_1["nonlinear"]
    assert [quoted[name] for name in ("nvil", "muprop", "rebar")] == list(digitised.NONLINEAR["MNIST"][:3])
    for model, row in digitised.TABLE_1.items():
        names = {
            "concrete": "Concrete",
            "nvil": "NVIL",
            "muprop": "MuProp",
            "rebar": "REBAR",
            "relax": "RELAX",
        }
        for estimator, number in row.items():
            assert numbers[f"MNIST linear {model[-1]}L, {names[estimator]}"] == number


def test_curves_have_a_number_for_every_epoch() -> None:
    for (model, _), by_estimator in digitised.CURVES.items():
        assert all(len(points) == len(digitised.EPOCHS[model]) for points in by_estimator.values())
