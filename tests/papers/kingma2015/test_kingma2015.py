"""Closed forms of a minibatch's variance against brute force, counts of noise, the divergence against mpmath."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import torch
from findings import Rows, as_data, findings

from reparam.cells import procedures
from reparam.papers.kingma2015 import figures
from reparam.papers.kingma2015 import procedures as paper
from reparam.report.style import theme

SPEC = {"paper": "kingma2015", "experiment": "test"}
WAYS = ("shared", "per_example", "local", "flipout")


def found(procedure: str, way: str, **evaluation) -> Rows:
    return findings("kingma2015", procedure, evaluation, way)


@pytest.mark.parametrize("way", WAYS)
def test_a_minibatch_varies_as_the_formula_says(way: str) -> None:
    """Relative standard error of a variance of 4,000 draws: about 3 %; another way's formula is a factor off."""
    sizes = {"points": 50, "inputs": 4, "weight_deviation": 0.4}
    rows = found("minibatch_variance", way, draws=4000, batches=[1, 32], **sizes)
    assert rows[1, "to_formula"] == pytest.approx(1, abs=0.2)
    assert (rows[1, "growth"] > 1.5) == (way in ("shared", "flipout"))


@pytest.mark.parametrize("way", WAYS)
def test_moments_by_brute_force(way: str) -> None:
    """Three rows of two inputs: halved squared residuals over 200,000 weight samples, all pairs of rows."""
    source = np.random.default_rng(3)
    x, y = source.normal(size=(3, 2)), source.normal(size=3)
    mean, scale = np.array([0.4, -0.7]), np.array([0.5, 0.9])
    own, between = paper.moments(way, *(torch.tensor(a) for a in (x, y, mean[None], scale[None])))
    noise = source.normal(size=(400_000, 2)) * scale
    if way == "flipout":
        signs = source.choice([-1, 1], size=(400_000, 3, 2))
        change = np.einsum("rk,rik,ik->ri", noise, signs, x)
    else:
        change = noise @ x.T
    values = -((y - x @ mean - change) ** 2) / 2
    assert own == pytest.approx(values.var(0).mean() + values.mean(0).var(), rel=0.02)
    covariance = np.cov(values.T)
    if way == "flipout":  # of one row drawn twice the signs differ
        others = source.choice([-1, 1], size=(400_000, 3, 2))
        again = -((y - x @ mean - np.einsum("rk,rik,ik->ri", noise, others, x)) ** 2) / 2
        for i in range(3):
            covariance[i, i] = np.cov(values[:, i], again[:, i])[0, 1]
    expected = covariance.mean() if way in ("shared", "flipout") else 0.0
    assert between == pytest.approx(expected, rel=0.03)


def test_outputs_follow_their_law_and_only_shared_noise_correlates() -> None:
    for way in WAYS:
        rows = found("local_law", way, batch=3, inputs=6, outputs=4, draws=3000)
        assert rows[0, "mean_error"] < 0.06 and rows[0, "variance_to_formula"] == pytest.approx(1, abs=0.08)
        assert (rows[0, "correlation"] > 0.08) == (way == "shared")


def test_noise_is_counted_per_datum() -> None:
    counts = {
        way: found("noise_count", way, batch=2, inputs=30, outputs=20)[0, "noise_per_datum"] for way in WAYS
    }
    assert counts == {"shared": 300, "per_example": 600, "local": 20, "flipout": 300 + 50}


@pytest.mark.parametrize("alpha", [0.01, 0.3, 1.0])
def test_the_expected_logarithm_is_mpmath_s(alpha: float) -> None:
    def integrand(e):
        return mpmath.log(abs(e)) * mpmath.npdf(e, 1, mpmath.sqrt(alpha))

    spread = 12 * alpha**0.5
    exact = mpmath.quad(integrand, [min(-0.5, 1 - spread), -1e-3, 0, 1e-3, 1, 1 + spread])
    assert paper.expected_log(alpha) == pytest.approx(float(exact), abs=1e-8)


def test_a_step_has_a_time() -> None:
    task = {"name": "bayesian_network", "data": "digits", "posterior": "relative", "width": 3, "depth": 1}
    spec = {
        **SPEC,
        "task": task,
        "training": {"batch": 4, "optimiser": {"name": "adam"}},
        "method": {"name": "per_example"},
        "evaluation": {"timings": 1},
    }
    rows = procedures.get("kingma2015", "speed")(spec, 0, torch.device("cpu")).rows
    assert [row[:2] for row in rows] == [(0, "seconds")] and rows[0][2] > 0


def test_a_wrong_coefficient_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert found("divergence", "polynomial", points=40, least=0.01)[39, "largest_error"] < 0.03
    first, second, third = paper.POLYNOMIAL
    monkeypatch.setattr(paper, "POLYNOMIAL", (first, -second, third))
    assert found("divergence", "polynomial", points=40, least=0.01)[39, "largest_error"] > 0.5


def test_networks_are_read_where_their_validation_error_is_least() -> None:
    errors = {1: (9.0, 5.0), 2: (7.0, 4.0), 3: (8.0, 3.0)}
    rows = {}
    for step, (valid, test) in errors.items():
        rows |= {(step, "error/valid"): valid, (step, "error/test"): test}
        rows |= {(step, "log_score/test"): -test, (step, "calibration_error/test"): test}
    with theme():
        canvas = figures.networks(as_data([("fig1-none-width100", "backpropagation", rows)]))
    found = [line.get_ydata()[0] for ax in canvas.axes for line in ax.lines if len(line.get_ydata()) == 1]
    assert found == [4.0, -4.0, 4.0]
