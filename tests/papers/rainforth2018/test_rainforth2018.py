"""The toy's ratios against closed forms and quadrature, and the sum over data against its own draws."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from findings import Rows, findings
from scipy import stats

from reparam.cells import procedures
from reparam.estimators.importance_weighted import Iwae
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


def found(**options) -> Rows:
    return findings("rainforth2018", "signal_to_noise", {**SIZES, **options}, "iwae")


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
            spec = experiment.cells[0].spec
            if spec["procedure"] in ("signal_to_noise", "optimum"):
                assert (spec["evaluation"]["data"], spec["evaluation"]["dimension"]) == (1024, 20)


def test_bounds_are_their_definitions_and_not_each_other_s(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = {"data": 4, "dimension": 4, "perturbation": 0.5, "draws": 2, "samples": [1, 3], "groups": [1, 2]}
    for name, options in (("iwae", {}), ("ciwae", {"beta": 0.3}), ("piwae", {})):
        assert max(findings("rainforth2018", "definitions", sizes, name, **options).values()) < 1e-12
    monkeypatch.setattr(paper.estimators, "make", lambda name, given: Iwae(**given))
    for name, wrong in (("ciwae", "guide"), ("piwae", "prior")):
        assert findings("rainforth2018", "definitions", sizes, name)[0, f"error/{wrong}"] > 0.01
