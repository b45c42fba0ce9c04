"""Theorem 2 on a small network, its parts by hand, and the frozen network."""

from __future__ import annotations

import math

import pytest
import torch

from reparam.cells import procedures
from reparam.estimators.pathwise import Pathwise
from reparam.measure import signal_to_noise
from reparam.papers.wen2018 import procedures as paper

SPEC = {
    "paper": "wen2018",
    "experiment": "test",
    "task": {"data": "digits", "hidden": 8, "steps": 20, "rate": 0.5, "relative_deviation": 1.0},
}


def found(way: str, **options) -> dict[tuple[int, str], float]:
    spec = {**SPEC, "method": {"name": way, "options": {}}, "evaluation": options}
    rows = procedures.get("wen2018", "gradient_variance")(spec, 0, torch.device("cpu")).rows
    return {(step, metric): value for step, metric, value in rows}


def test_covariance_orders_the_ways() -> None:
    rows = {way: found(way, draws=150, batches=[1, 16, 64]) for way in ("shared", "flipout", "local")}
    for layer in ("hidden", "output"):
        last = [rows[way][2, f"variance/{layer}"] for way in ("shared", "flipout", "local")]
        assert last == sorted(last, reverse=True)
        for way in rows:
            assert rows[way][1, f"to_theorem/{layer}"] == pytest.approx(1, abs=0.3)
        assert rows["shared"][2, f"covariance/{layer}"] > 3 * rows["flipout"][2, f"covariance/{layer}"]


def test_rows_follow_from_variances_and_covariances() -> None:
    """α = 8 and a covariance of 2: at N = 4 the theorem says 8/4 + 3/4 · 2 = 3.5."""
    curves = (
        {name: [8.0, 3.5, 2.375] for name in paper.LAYERS},
        {name: [8.0, 1.0, 2.0] for name in paper.LAYERS},
    )
    for way, together in (("shared", 2.0), ("local", 0.0)):
        spec = {**SPEC, "method": {"name": way, "options": {}}}
        rows = {(step, metric): value for step, metric, value in paper.rows(spec, [1, 4, 16], *curves)}
        assert rows[1, "to_theorem/hidden"] == pytest.approx(3.5 / (2 + 0.75 * together))
        assert rows[2, "knee/output"] == 4 and rows[2, "tenfold_covariance/output"] == 20
        assert rows[2, "last_slope/hidden"] == pytest.approx(-0.2798, abs=1e-4)
        # the line through three evenly spaced points is as steep as that between the outer two
        assert rows[2, "slope/hidden"] == pytest.approx(math.log(2.375 / 8) / math.log(16))
        assert (0, "covariance/hidden") not in rows


def test_half_gradients_meet_the_same_noise_and_add_up_to_the_whole() -> None:
    """Without perturbation or with: the mean of both halves' gradients is that of the minibatch."""
    spec = {**SPEC, "method": {"name": "flipout", "options": {}}}
    x, labels, params, _ = paper.trained(spec, 0)
    masks = (torch.ones(4) / 4, torch.tensor([0.5, 0.5, 0, 0]), torch.tensor([0, 0, 0.5, 0.5]))
    whole, first, second = (
        signal_to_noise.estimates(
            Pathwise(), paper.likelihood(spec, x, labels, params, mask), paper.weights(params), 3, ("halves",)
        ).gradient["output.weight"]
        for mask in masks
    )
    torch.testing.assert_close((first + second) / 2, whole, rtol=1e-4, atol=1e-6)
    assert not torch.allclose(first, second)


def test_the_network_is_partly_trained_and_named_by_its_seed() -> None:
    *_, accuracy = paper.trained({**SPEC, "task": {**SPEC["task"], "hidden": 32, "steps": 60}}, 0)
    assert 0.9 < accuracy < 0.99
    starts = [paper.trained(SPEC, seed)[2]["hidden.weight"] for seed in (0, 1)]
    assert not torch.equal(*starts)
