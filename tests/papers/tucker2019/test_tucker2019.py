"""The toy's slopes, exact biases against a closed form, and definitions that can fail."""

from __future__ import annotations

import math

import numpy as np
import pytest
from findings import Rows, findings

from reparam import estimators
from reparam.estimators.card import Part
from reparam.papers.tucker2019 import procedures as paper

SPEC = {"paper": "tucker2019", "experiment": "test"}
TOY = {"data": 64, "dimension": 4, "perturbation": 0.05}


def found(procedure: str, name: str, **options) -> Rows:
    return findings("tucker2019", procedure, {**TOY, **options}, name)


@pytest.mark.parametrize(("name", "slope"), [("iwae", -0.5), ("dreg", 0.5), ("stl", 0.5)])
def test_ratios_fall_or_rise_as_they_should(name: str, slope: float) -> None:
    sizes = {"draws": 8, "numbers": 512, "fit_from": 8}
    rows = found("signal_to_noise", name, samples=[1, 8, 64], **sizes)
    assert rows[2, "slope/guide"] == pytest.approx(slope, abs=0.15)
    assert rows[2, "slope/prior"] == pytest.approx(0.5, abs=0.15)
    if name != "iwae":
        assert rows[0, "bias/guide"] < 1e-5
        assert (rows[2, "bias/guide"] > 1) == (name == "stl")


def test_the_exact_bias_is_that_of_two_weights_by_hand() -> None:
    """STL misses −E[Σ w̃ ∂ log q/∂b]; for K = 2 a plain sum over a fine grid of both noises, in numpy."""
    rows = found("exact_means", "stl", samples=[1, 2], nodes=24, perturbation=0.3)
    spec = {**SPEC, "evaluation": {**TOY, "data": 8, "dimension": 1, "perturbation": 0.3}}
    x, params = paper.toy(spec, 0)
    mean, weight, bias = (params[n].double().item() for n in ("prior.mean", "guide.weight", "guide.bias"))
    datum, scale = x[0].double().item(), math.sqrt(2 / 3)
    a = weight * datum + bias
    e = np.linspace(-8, 8, 801)
    mass = np.exp(-(e**2) / 2) / np.exp(-(e**2) / 2).sum()
    z = a + scale * e
    log_w = -((z - mean) ** 2) / 2 - (datum - z) ** 2 / 2 + e**2 / 2
    share = 1 / (1 + np.exp(log_w[None, :] - log_w[:, None]))
    path = (mean - z) + (datum - z)
    joint = mass[:, None] * mass[None, :]
    truth = (joint * (share * path[:, None] + (1 - share) * path[None, :])).sum()
    missing = (joint * (share * e[:, None] + (1 - share) * e[None, :])).sum() / scale
    assert rows[1, "mean/guide"] == pytest.approx(truth + missing, rel=1e-5)
    assert rows[1, "bias/guide"] == pytest.approx(abs(missing / truth), rel=1e-4)
    assert rows[0, "bias/guide"] < 1e-8 < rows[1, "bias_largest/guide"]


@pytest.mark.parametrize("name", ["iwae", "dreg"])
def test_unbiased_means_are_exact(name: str) -> None:
    rows = found("exact_means", name, samples=[1, 3], nodes=16, perturbation=0.3)
    assert max(rows[1, f"bias_largest/{key}"] for key in ("guide", "prior")) < 1e-6


def test_estimators_are_their_definitions_and_not_each_other_s(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"draws": 2, "samples": [1, 5], "data": 4}
    for name in ("stl", "dreg"):
        assert max(found("definitions", name, **sizes).values()) < 1e-12
    monkeypatch.setattr(paper, "made", lambda spec, k: estimators.make("iwae", {"samples": k}))
    assert found("definitions", "dreg", **sizes)[0, "error/guide"] > 0.01


@pytest.mark.parametrize("name", ["rws_dreg", "jvi", "jvi_dreg"])
def test_means_of_variants_are_exact_for_their_own_objectives(name: str) -> None:
    rows = found("exact_means", name, samples=[2], nodes=20, perturbation=0.3)
    assert max(rows[0, f"bias_largest/{key}"] for key in ("guide", "prior")) < 1e-5


def test_the_objective_of_wake_phases_is_not_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """Held against the bound, RWS-DReG shows a bias in the guide and none in the model."""
    monkeypatch.setattr(paper, "parts", lambda chosen: (Part(1.0, "bound", chosen.samples),))
    rows = found("exact_means", "rws_dreg", samples=[2], nodes=20, perturbation=0.3)
    assert rows[0, "bias/guide"] > 0.1 and rows[0, "bias/prior"] < 1e-5


def test_variants_are_their_definitions_and_not_each_other_s(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"draws": 2, "samples": [2, 5], "data": 4}
    for name, options in (("rws_dreg", {}), ("rws_dreg", {"share": 0.9}), ("jvi_dreg", {})):
        rows = findings("tucker2019", "definitions", {**TOY, **sizes}, name, **options)
        assert max(rows.values()) < 1e-12
    monkeypatch.setattr(paper, "made", lambda spec, k: estimators.make("dreg", {"samples": k}))
    for name in ("rws_dreg", "jvi_dreg"):
        assert found("definitions", name, **sizes)[0, "error/guide"] > 0.01
