"""The toy's ratios against closed forms and quadrature, and the sum over data against its own draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from reparam.cells import procedures
from reparam.measure import signal_to_noise
from reparam.models import linear_gaussian
from reparam.papers.rainforth2018 import procedures as paper
from reparam.plan import experiments

SPEC = {"paper": "rainforth2018", "experiment": "samples", "method": {"name": "iwae", "options": {}}}
SIZES = {
    "data": 64,
    "dimension": 4,
    "perturbation": 0.05,
    "batch": 64,
    "draws": 16,
    "numbers": 2048,
    "fit_from": 8,
}


def found(**options) -> dict[tuple[int, str], float]:
    spec = {**SPEC, "evaluation": {**SIZES, **options}}
    rows = procedures.get("rainforth2018", "signal_to_noise")(spec, 0, torch.device("cpu")).rows
    return {(step, metric): value for step, metric, value in rows}


def test_ratios_fall_and_rise_as_they_should() -> None:
    rows = found(samples=[1, 8, 64], groups=[1])
    for name, slope in (("guide", -0.5), ("prior", 0.5)):
        assert rows[2, f"slope_samples/{name}"] == pytest.approx(slope, abs=0.12)
        assert rows[2, f"snr_to_leading/{name}"] == pytest.approx(1, abs=0.1)
        assert rows[0, f"snr/{name}"] == pytest.approx(rows[0, f"elbo/{name}"], rel=0.1)
    assert rows[2, "snr_naive/guide"] > 1.5 * rows[2, "snr/guide"]


def test_ratios_grow_with_the_groups() -> None:
    rows = found(samples=[4], groups=[1, 16], numbers=512)
    assert [rows[step, "groups"] for step in (0, 1)] == [1, 16]
    for name in ("guide", "prior"):
        assert rows[1, f"slope_groups/{name}"] == pytest.approx(0.5, abs=0.12)


def test_far_from_the_optimum_no_leading_term_is_made_up() -> None:
    rows = found(samples=[8, 16], groups=[1], perturbation=30.0, numbers=16)
    assert not any(metric.startswith(("leading", "snr_to")) for _, metric in rows)


def test_leading_terms_are_moments_of_the_weights_by_quadrature() -> None:
    """One datum of one dimension: Var[w] and its slope in b, E[(∇w)²], over z with scipy's densities."""
    x = torch.tensor([[0.9]])
    params = {
        "prior.mean": torch.tensor([0.2]),
        "guide.weight": torch.tensor([[0.4]]),
        "guide.bias": torch.tensor([0.35]),
    }
    scale = math.sqrt(2 / 3)

    def moments(bias: float) -> tuple[float, float, float]:
        a, m = 0.9 * 0.4 + bias, (0.9 + 0.2) / 2
        z = np.linspace(a - 12, a + 12, 40_001)
        q, step = stats.norm(a, scale).pdf(z), z[1] - z[0]
        w = stats.norm(0.2, 1).pdf(z) * stats.norm(z, 1).pdf(0.9) / q
        evidence = (q * w).sum() * step
        second = (q * w**2).sum() * step / evidence**2
        path = (q * (w * -2 * (z - m)) ** 2).sum() * step / evidence**2
        score = (q * (w * (z - m)) ** 2).sum() * step / evidence**2
        return second, path, score

    second, path, score = moments(0.35)
    slope = (moments(0.3501)[0] - moments(0.3499)[0]) / 2e-4
    leading = paper.leading_terms(x, params, samples=50, groups=4)
    assert leading["guide"] == pytest.approx(2 * abs(slope) / (2 * math.sqrt(50) * math.sqrt(path)), rel=1e-4)
    assert leading["prior"] == pytest.approx(2 * math.sqrt(50) * (0.9 - 0.2) / 2 / math.sqrt(score), rel=1e-4)
    assert second > 1


def test_log_weights_add_up_to_the_evidence() -> None:
    """E_q exp(log weight) is p(x): one datum, by quadrature over the noise."""
    x = torch.tensor([[0.9, -1.2]], dtype=torch.float64)
    params = {
        name: p.double()
        for name, p in linear_gaussian.perturbed(
            linear_gaussian.best(x), 0.3, torch.Generator().manual_seed(0)
        ).items()
    }
    points, weights = np.polynomial.hermite_e.hermegauss(24)
    grid = torch.cartesian_prod(torch.tensor(points), torch.tensor(points))
    mass = torch.outer(torch.tensor(weights), torch.tensor(weights)).flatten() / (2 * math.pi)
    program = linear_gaussian.log_weight(x)
    values = torch.stack(
        [program(params, lambda name, law, e=e: law.path({"normal": e.unsqueeze(0)})) for e in grid]
    )
    total = (mass * values[:, 0].exp()).sum().log()
    assert total.item() == pytest.approx(
        linear_gaussian.log_evidence(x, params["prior.mean"]).item(), abs=1e-6
    )
    covariance = stats.multivariate_normal(params["prior.mean"].numpy(), 2 * np.eye(2))
    assert linear_gaussian.log_evidence(x, params["prior.mean"]).item() == pytest.approx(
        covariance.logpdf(x[0].numpy())
    )


def test_the_variance_of_a_sum_is_the_sum_of_variances_and_not_its_square_root() -> None:
    draws = (
        torch.randn(5000, 3, 2, generator=torch.Generator().manual_seed(1))
        * torch.tensor([[1.0], [2.0], [3.0]])
        + 7
    )
    moments = signal_to_noise.sum_over_data(draws)
    torch.testing.assert_close(moments.variance, torch.full((2,), 14.0).double(), rtol=0.1, atol=0)
    torch.testing.assert_close(moments.mean, torch.full((2,), 21.0).double(), rtol=0.02, atol=0)
    assert signal_to_noise.ratio(torch.tensor([28.0, -28.0]).double(), moments) == pytest.approx(
        28 / 14**0.5, rel=0.05
    )


def test_rates_are_slopes_of_logarithms() -> None:
    assert signal_to_noise.rate([1, 2, 4, 8], [9, 1, 0.5, 0.25], least=2) == pytest.approx(-1)


def test_the_optimum_and_only_it_has_no_gradient() -> None:
    spec = {**SPEC, "evaluation": {**SIZES, "perturbation": 0.01}}
    rows = procedures.get("rainforth2018", "optimum")(spec, 0, torch.device("cpu")).rows
    values = {metric: value for _, metric, value in rows}
    assert (
        max(values["gradient/likelihood"], values["gradient/guide"])
        < 1e-12
        < 1e-4
        < values["gradient/elsewhere"]
    )


def test_every_scale_runs_the_papers_toy() -> None:
    for scale in ("smoke", "quick", "standard", "paper"):
        for experiment in experiments.expand("rainforth2018", scale):
            evaluation = experiment.cells[0].spec["evaluation"]
            assert (evaluation["data"], evaluation["dimension"]) == (1024, 20)
