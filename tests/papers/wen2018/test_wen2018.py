"""Theorem 2 on a small network, its parts by hand, and the frozen networks."""

from __future__ import annotations

import math

import pytest
import torch
from findings import as_data

from reparam.cells import procedures
from reparam.noise import draw, generator
from reparam.papers.wen2018 import figures, networks
from reparam.papers.wen2018 import procedures as paper
from reparam.program import describe

LAYERS = ("hidden", "output")
TASK = {"data": "digits", "hidden": 8, "depth": 1, "steps": 20, "rate": 0.5, "relative_deviation": 1.0}
SPEC = {"paper": "wen2018", "experiment": "test", "task": {**TASK, "measured": list(LAYERS)}}
PERTURBED = {"perturbed": "flipout", "batch": 32, "until": 0.3, "rate": 0.02, "steps": 200}
CONVOLUTIONAL = {**TASK, "channels": [4, 6], "depth": 0, "measured": ["convolution1", "convolution2"]}


def found(way: str, task=None, **options) -> dict[tuple[int, str], float]:
    spec = {**SPEC, "method": {"name": way, "options": {}}, "evaluation": options}
    spec["task"] = task or spec["task"]
    rows = procedures.get("wen2018", "gradient_variance")(spec, 0, torch.device("cpu")).rows
    assert len({row[:2] for row in rows}) == len(rows)
    return {(step, metric): value for step, metric, value in rows}


def test_covariance_orders_the_ways() -> None:
    rows = {way: found(way, draws=100, batches=[1, 8, 64]) for way in ("shared", "flipout", "local")}
    for layer in LAYERS:
        last = [rows[way][2, f"variance/{layer}"] for way in ("shared", "flipout", "local")]
        assert last == sorted(last, reverse=True)
        for way in rows:
            assert rows[way][1, f"to_theorem/{layer}"] == pytest.approx(1, abs=0.3)
        assert rows["shared"][2, f"covariance/{layer}"] > 3 * rows["flipout"][2, f"covariance/{layer}"]


def test_convolutions_are_measured_by_name() -> None:
    rows = {way: found(way, CONVOLUTIONAL, draws=30, batches=[1, 64]) for way in ("shared", "flipout")}
    for layer in ("convolution1", "convolution2"):
        assert rows["shared"][1, f"covariance/{layer}"] > 2 * rows["flipout"][1, f"covariance/{layer}"]
    assert (1, "variance/output") not in rows["shared"]


def test_rows_follow_from_variances_and_covariances() -> None:
    """α = 8 and a covariance of 2: at N = 4 the theorem says 8/4 + 3/4 · 2 = 3.5."""
    curves = {name: ([8.0, 3.5, 2.375], [0.0, 1.0, 2.0]) for name in LAYERS}
    for way, together in (("shared", 2.0), ("local", 0.0)):
        spec = {**SPEC, "method": {"name": way, "options": {}}}
        rows = {(step, metric): value for step, metric, value in paper.rows(spec, [1, 4, 16], curves)}
        assert rows[1, "to_theorem/hidden"] == pytest.approx(3.5 / (2 + 0.75 * together))
        assert rows[2, "knee/output"] == 4 and rows[2, "tenfold_covariance/output"] == 20
        assert rows[2, "last_slope/hidden"] == pytest.approx(-0.2798, abs=1e-4)
        # the line through three evenly spaced points is as steep as that between the outer two
        assert rows[2, "slope/hidden"] == pytest.approx(math.log(2.375 / 8) / math.log(16))
        assert (0, "covariance/hidden") not in rows


def test_parts_are_drawn_from_the_first_variance_and_the_last_covariances() -> None:
    """α = 8 at N = 1; covariances of 2 (shared) and 0.5 (flipout) at the largest N: β is their difference."""
    parts = [
        (
            "batches",
            way,
            {(0, "variance/hidden"): 8.0, (1, "covariance/hidden"): 9.0, (2, "covariance/hidden"): last},
        )
        for way, last in (("shared", 2.0), ("flipout", 0.5))
    ]
    ax = figures.parts(as_data(parts)).axes[0]
    points = {
        round(line.get_xdata()[0], 2): line.get_ydata()[0] for line in ax.lines if len(line.get_xdata()) == 1
    }
    assert points == {-0.15: 8.0, 0.0: 1.5, 0.15: 0.5}
    assert [text.get_text() for text in ax.get_xticklabels()] == ["first\nlayer"]


@pytest.mark.parametrize("task", [TASK, {**TASK, "depth": 2}, CONVOLUTIONAL])
def test_all_weights_are_perturbed_and_no_bias(task) -> None:
    """Sites are the layers, and those of signs; noise of 0 leaves the network as it is without."""
    model = networks.network(task, (8, 8), 10)
    params = model.init(generator("test"))
    x = draw("uniform", (3, 64), generator("test", "x"))
    sites = describe(lambda params, sample: model.logits(params, x, "shared", sample).sum(-1), params)
    assert set(sites) == set(model.layers) and list(model.layers)[-1] == "output"
    for name, site in sites.items():
        weight = params[f"{name}.weight"]
        assert torch.equal(site.law.loc, weight) and torch.equal(site.law.scale, weight.abs())
    still = model.logits(params, x, "shared", lambda name, law: law.loc)
    torch.testing.assert_close(model.logits(params, x, "shared", None), still)


def test_training_ends_at_the_accuracy_asked_for_or_after_its_steps() -> None:
    """A running mean of some twenty minibatches of 32 rows cannot pass its mark by much."""
    reached = networks.trained({**SPEC, "task": {**TASK, "hidden": 32, **PERTURBED}}, 0)[-1]
    assert 0.3 <= reached < 0.4
    short = networks.trained({**SPEC, "task": {**TASK, "hidden": 32, **PERTURBED, "steps": 2}}, 0)[-1]
    assert short < 0.3
    still = networks.trained({**SPEC, "task": {**TASK, **PERTURBED, "perturbed": "none"}}, 0)[-1]
    assert 0.3 <= still < 0.4


def test_the_network_is_partly_trained_and_named_by_its_seed() -> None:
    *_, accuracy = networks.trained({**SPEC, "task": {**TASK, "hidden": 32, "steps": 60}}, 0)
    assert 0.9 < accuracy < 0.99
    starts = [networks.trained(SPEC, seed)[3]["hidden.weight"] for seed in (0, 1)]
    assert not torch.equal(*starts)


def test_an_update_has_a_time() -> None:
    task = {"name": "bayesian_network", "data": "digits", "width": 3, "depth": 1}
    training = {"batch": 4, "optimiser": {"name": "adam"}}
    spec = {**SPEC, "task": task, "training": training, "method": {"name": "flipout"}}
    spec["evaluation"] = {"timings": 1}
    rows = procedures.get("wen2018", "speed")(spec, 0, torch.device("cpu")).rows
    assert [row[:2] for row in rows] == [(0, "seconds")] and rows[0][2] > 0
