"""The paper's folder: its procedures at small sizes, its claims beside its experiments, its figures."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from reparam.cells import procedures
from reparam.distributions import Normal
from reparam.evidence.claims import load_claims
from reparam.measure import likelihood
from reparam.noise import draw, generator
from reparam.oracles import objectives
from reparam.papers.kingma2014 import digitised
from reparam.papers.kingma2014 import procedures as paper_procedures
from reparam.papers.kingma2014.figures import FIGURES
from reparam.plan import experiments
from reparam.report.figures import PaperData
from reparam.report.style import theme

CLAIMS = Path(experiments.PAPERS) / "kingma2014" / "claims.yaml"


def found(name: str, evaluation: dict, task: dict | None = None, seed: int = 0) -> dict:
    spec = {"paper": "kingma2014", "experiment": name, "evaluation": evaluation, "task": task or {}}
    rows = procedures.get("kingma2014", name)(spec, seed, torch.device("cpu")).rows
    return {(step, metric): value for step, metric, value in rows}


def test_closed_form_of_the_kl() -> None:
    rows = found("kl_identity", {"pairs": 50})
    assert rows[0, "kl_error"] < 1e-11 and rows[0, "kl_gradient_error"] < 1e-10


def test_each_side_of_the_kl_identity_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    """The law's own KL a thousandth off; then it and the quadrature off alike, which only the formula sees."""
    right, exact = Normal.kl, objectives.expectation
    monkeypatch.setattr(Normal, "kl", lambda self, other: 1.001 * right(self, other))
    rows = found("kl_identity", {"pairs": 50})
    assert rows[0, "kl_error"] > 1e-4 and rows[0, "kl_gradient_error"] > 1e-4
    monkeypatch.setattr(objectives, "expectation", lambda *given: 1.001 * exact(*given))
    rows = found("kl_identity", {"pairs": 50})
    assert rows[0, "kl_error"] > 1e-4 and rows[0, "kl_gradient_error"] > 1e-4


def test_likelihood_rows_are_the_errors_of_fresh_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """An estimator that answers −1,000 has a negative mean error as large as its RMSE; its samples are 5 + 5."""
    seen = []
    monkeypatch.setattr(
        likelihood, "harmonic", lambda _, fit, fresh: seen.append((fit, fresh)) or torch.full((30,), -1000.0)
    )
    sizes = {"points": 30, "pixels": 4, "posterior_samples": 5, "leapfrogs": 2, "warmup": 5, "samples": 10}
    rows = found("likelihood_dimension", {"dimensions": [1], **sizes})
    bias, rmse = (rows[1, f"log_likelihood_hmc_{kind}"] for kind in ("bias", "rmse"))
    assert bias < -900 and bias**2 < rmse**2 < 1.01 * bias**2
    ((fit, fresh),) = seen
    assert fit.shape == fresh.shape == (5, 30, 1) and not (fit == fresh).all(-1).all()


def test_variances_of_full_vb_are_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Six entries of variance 4 (means apart, which are no variance) and one parameter of the other group."""
    source = generator("test", "traces")
    gradients = {
        "encoder.a": 2 * draw("normal", (5000, 2, 3), source) + 10 * torch.arange(6).reshape(2, 3),
        "posterior.b": draw("normal", (5000, 1), source),
    }
    monkeypatch.setattr(paper_procedures, "_draws", lambda *_: (torch.arange(5000.0), gradients))
    task = {"name": "full_vb", "data": "digits", "binarisation": "threshold", "hidden": 2, "latent": 1}
    rows = found("full_vb_forms", {"batch": 2, "draws": 1}, task)
    assert abs(rows[0, "gradient_variance/encoder/sampled"] / 24 - 1) < 0.05
    assert abs(rows[0, "gradient_variance/posterior/sampled"] - 1) < 0.1


def test_likelihood_error_grows_with_the_dimension() -> None:
    sizes = {
        "points": 30,
        "pixels": 20,
        "posterior_samples": 50,
        "leapfrogs": 4,
        "warmup": 50,
        "samples": 300,
    }
    rows = found("likelihood_dimension", {"dimensions": [1, 12], **sizes})
    assert rows[1, "log_likelihood_hmc_rmse"] < 0.15
    assert rows[12, "log_likelihood_hmc_rmse"] > 2 * rows[1, "log_likelihood_hmc_rmse"]
    assert rows[12, "log_likelihood_iw_rmse"] < rows[12, "log_likelihood_hmc_rmse"]


def test_full_vb_forms_agree_in_the_mean() -> None:
    """1,000 paired draws: the mean difference is within 5 of the standard errors of either form."""
    task = {"name": "full_vb", "data": "digits", "binarisation": "threshold", "hidden": 5, "latent": 2}
    rows = found("full_vb_forms", {"batch": 5, "draws": 1000}, task)
    assert abs(rows[0, "mean_difference"]) < 5 * (rows[0, "value_variance/sampled"] / 1000) ** 0.5
    assert rows[0, "gradient_variance/encoder/analytic"] < rows[0, "gradient_variance/encoder/sampled"]


def test_every_claim_is_there() -> None:
    assert [claim.id for claim in load_claims(CLAIMS, "kingma2014")] == [f"AEVB-{i}" for i in range(1, 11)]


def test_monte_carlo_em_gets_the_same_evaluations() -> None:
    for scale in ("quick", "standard", "paper"):
        samples = {
            experiment.name: experiment.cells[0].spec["training"]["samples"]
            for experiment in experiments.expand("kingma2014", scale)
            if experiment.name.startswith("fig3-large")
        }
        assert samples["fig3-large"] == 16 * samples["fig3-large-mcem"]


def test_digitised_points_are_the_claims_numbers() -> None:
    by_id = {claim.id: claim for claim in load_claims(CLAIMS, "kingma2014")}
    numbers = {n["what"]: n["value"] for n in by_id["AEVB-2"].numbers}
    at = digitised.FIG2_SAMPLES.index(1e8)
    for latent in (3, 10, 20):
        for method, name in (("pathwise", "AEVB"), ("wake_sleep", "wake-sleep")):
            value = digitised.FIG2_MNIST_TEST[method, latent][at]
            assert numbers[f"MNIST, Nz {latent}, {name} test at 1e8 samples"] == value
    frey = digitised.FIG2_FREY_SAMPLES.index(1e8)
    assert (
        numbers["Frey Face, Nz 5, AEVB test at 1e8 samples"] == digitised.FIG2_FREY_TEST["pathwise", 5][frey]
    )
    flat = {
        value
        for (method, _), row in digitised.FIG2_FREY_TEST.items()
        if method == "wake_sleep"
        for value in row
    }
    assert flat == {numbers["Frey Face, wake-sleep test (flat, any Nz)"]}
    small = {n["what"].removesuffix(" at 60 million samples"): n["value"] for n in by_id["AEVB-5"].numbers}
    for method, name in (("pathwise", "AEVB"), ("mcem", "Monte Carlo EM"), ("wake_sleep", "wake-sleep")):
        for split in ("train", "test"):
            assert small[f"{name} {split}"] == digitised.FIG3["fig3-small", method, split][-1]


def results(scale: str) -> PaperData:
    """Made-up histories of every cell of a scale: each metric of every figure rises from step to step."""
    metrics = [
        *(f"elbo/{split}" for split in ("train", "test")),
        *(f"log_likelihood_hmc/{split}" for split in ("train", "test")),
        *(
            f"gradient_variance/{group}/{part}"
            for group in ("encoder", "decoder")
            for part in ("noise", "data")
        ),
        *(f"log_likelihood_{method}_{kind}" for method in ("hmc", "iw") for kind in ("rmse", "bias")),
        *("samples_seen", "evaluations"),
    ]
    rows = [
        (
            "run",
            scale,
            "kingma2014",
            cell.experiment,
            cell.estimator,
            cell.cell,
            seed,
            step,
            metric,
            step + seed,
        )
        for experiment in experiments.expand("kingma2014", scale)
        for cell in experiment.cells
        for seed in (0, 1)
        for step in (10, 20)
        for metric in metrics
    ]
    columns = [
        "source",
        "scale",
        "paper",
        "experiment",
        "estimator",
        "cell",
        "seed",
        "step",
        "metric",
        "value",
    ]
    table = pd.DataFrame(rows, columns=columns)
    for progress in ("samples_seen", "evaluations"):
        table.loc[table["metric"] == progress, "value"] = table["step"]
    cells = table[["experiment", "estimator", "cell", "seed"]].drop_duplicates()
    images = {"manifold": np.zeros((16, 8, 8)), "samples": np.zeros((64, 8, 8))}
    return PaperData(scale, table, cells, lambda *_: images)


@pytest.mark.parametrize("scale", ["quick", "paper"])
@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_every_figure_draws_and_keeps_the_paper_s_points_to_its_own_data(figure, scale: str) -> None:
    with theme():
        canvas = figure.draw(results(scale))
    assert canvas is not None
    names = [text for ax in canvas.axes for text in ax.get_legend_handles_labels()[1]]
    with_points = figure.name in ("bound", "bound-gaussian", "likelihood")
    assert any("paper" in name for name in names if "HMC" not in name) == (with_points and scale == "paper")
