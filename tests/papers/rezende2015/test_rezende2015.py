"""Potentials against the formulas by hand, normalisers against scipy, and flows that are not invertible."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate

from reparam.cells import procedures
from reparam.papers.rezende2015 import procedures as paper


def by_hand(x: float, y: float) -> list[float]:
    w1 = math.sin(2 * math.pi * x / 4)
    w2 = 3 * math.exp(-0.5 * ((x - 1) / 0.6) ** 2)
    w3 = 3 / (1 + math.exp(-(x - 1) / 0.3))
    return [
        0.5 * ((math.hypot(x, y) - 2) / 0.4) ** 2
        - math.log(math.exp(-0.5 * ((x - 2) / 0.6) ** 2) + math.exp(-0.5 * ((x + 2) / 0.6) ** 2)),
        0.5 * ((y - w1) / 0.4) ** 2,
        -math.log(math.exp(-0.5 * ((y - w1) / 0.35) ** 2) + math.exp(-0.5 * ((y - w1 + w2) / 0.35) ** 2)),
        -math.log(math.exp(-0.5 * ((y - w1) / 0.4) ** 2) + math.exp(-0.5 * ((y - w1 + w3) / 0.35) ** 2)),
    ]


def test_potentials_are_those_of_the_table() -> None:
    for x, y in ((0.3, -0.7), (1.5, 1.0), (-2.2, 0.4)):
        z = torch.tensor([x, y], dtype=torch.float64).expand(4, 2)
        assert torch.allclose(paper.potentials(z), torch.tensor(by_hand(x, y), dtype=torch.float64))


def test_normalisers() -> None:
    """U2 integrates to a width times √(2π) 0.4; U1 by scipy."""
    found = paper.log_normalisers()
    width = 8 + 0.4 * math.sqrt(2 * math.pi)
    assert found[1].item() == pytest.approx(math.log(width * 0.4 * math.sqrt(2 * math.pi)), abs=1e-5)
    ring, _ = integrate.dblquad(lambda y, x: math.exp(-by_hand(x, y)[0]), -4, 4, -4, 4, epsabs=1e-6)
    assert found[0].item() == pytest.approx(math.log(ring), abs=1e-4)


def run(procedure: str, **parts: dict) -> procedures.Findings:
    method = {"name": "pathwise", "options": {}}
    spec = {"paper": "rezende2015", "experiment": "test", "method": method, **parts}
    return procedures.get("rezende2015", procedure)(spec, 0, torch.device("cpu"))


def test_flows_begin_as_identities() -> None:
    params = paper.initial(3, torch.Generator().manual_seed(0))
    weight, scale = params["q.weight"].double(), params["q.scale"].double()
    params = {name: p.double() for name, p in params.items()}
    params["q.scale"] = paper.IDENTITY * weight / weight.square().sum(-1, keepdim=True)
    assert not torch.equal(scale, params["q.scale"])
    x = torch.randn(5, 4, 2, dtype=torch.float64)
    law = paper.posterior(params, 5)
    z = law.path({"normal": x})
    assert torch.allclose(z, x, atol=1e-6) and torch.allclose(
        law.log_prob(z), law.base.log_prob(x), atol=1e-6
    )


def test_training_lowers_the_kl_and_its_readings_fit() -> None:
    training = {"batch": 20, "steps": 60, "optimiser": {"name": "adam", "rate": 0.03}}
    found = run("potentials", training=training, evaluation={"length": 2, "samples": 1000, "readings": 3})
    rows = {(step, metric): value for step, metric, value in found.rows}
    assert sorted({step for step, _ in rows}) == [20, 40, 60]
    for i in range(1, 5):
        assert rows[60, f"kl/U{i}"] == pytest.approx(
            rows[60, f"bound/U{i}"] + rows[60, f"log_normaliser/U{i}"]
        )
        assert rows[60, f"kl/U{i}"] > 0
    assert sum(rows[60, f"kl/U{i}"] for i in range(1, 5)) < sum(rows[20, f"kl/U{i}"] for i in range(1, 5))
    assert found.arrays["samples"].shape == (4, 1000, 2)
    assert np.allclose(found.arrays["target"].sum((1, 2)) * (8 / 120) ** 2, 1, atol=0.15)


def test_invertibility() -> None:
    rows = {metric: value for _, metric, value in run("invertibility", evaluation={"draws": 200}).rows}
    assert rows["planar_error"] < 1e-9 and rows["radial_error"] < 1e-9 and rows["inverse_error"] < 1e-8
    assert rows["planar_least"] > 0 and rows["radial_least"] > 0
    assert -1 < rows["radial_stated_least"] < -0.9


def test_a_flow_without_its_constraint_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    class Free(paper.PlanarFlow):
        def __init__(self, weight, scale, bias) -> None:
            super().__init__(weight, scale, bias)
            self._shift = scale

        def inverse(self, y):
            return y

    monkeypatch.setattr(paper, "PlanarFlow", Free)
    rows = {metric: value for _, metric, value in run("invertibility", evaluation={"draws": 200}).rows}
    assert rows["planar_least"] < 0 and rows["planar_error"] > 1
