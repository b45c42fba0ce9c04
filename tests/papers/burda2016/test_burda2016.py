"""Enumerated bounds against the oracle and by hand, inequalities that can fail, and the toy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from findings import Rows, findings

from reparam.distributions import Categorical
from reparam.oracles import objectives
from reparam.papers.burda2016 import procedures as paper

SPEC = {"paper": "burda2016", "experiment": "test", "method": {"name": "iwae", "options": {}}}


def found(procedure: str, **evaluation) -> Rows:
    return findings("burda2016", procedure, evaluation, "iwae")


def small() -> paper.Problem:
    return paper.problems({**SPEC, "evaluation": {"problems": 5, "states": 3, "sharpest": 2.0}}, 1)


@pytest.mark.parametrize("samples", [1, 2, 4])
def test_bounds_are_the_oracle_s(samples: int) -> None:
    """Multisets with their multiplicities against all tuples."""
    problem = small()
    joint, guide = (torch.tensor(part) for part in problem)

    def program(params, sample):
        z = sample("z", Categorical(logits=params["guide"], event_dims=0))
        pick = z.unsqueeze(-1)
        return (joint - guide).gather(-1, pick).squeeze(-1)

    exact = objectives.bound(program, {"guide": guide}, samples)
    np.testing.assert_allclose(paper.bound(problem, samples), exact.numpy(), rtol=1e-12, atol=1e-12)
    _, log_mass = paper.estimates(problem, samples)
    np.testing.assert_allclose(np.exp(log_mass).sum(-1), 1, rtol=1e-12)


def test_an_estimate_has_the_evidence_as_its_mean() -> None:
    problem = small()
    log_estimate, log_mass = paper.estimates(problem, 3)
    np.testing.assert_allclose(
        np.exp(log_mass + log_estimate).sum(-1), np.exp(problem.log_evidence), rtol=1e-12
    )


def test_the_inequalities_hold_and_would_be_seen_to_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    bounds = {"problems": 20, "states": 4, "samples": 4, "sharpest": 3.0}
    tails = {**bounds, "samples": [1, 3], "sharpest": 12.0}
    rows = found("exact_bounds", **bounds)
    assert rows[3, "smallest_step"] > 0 and rows[3, "smallest_gap"] > 0
    rows = found("deviations", **tails)
    assert rows[0, "smallest_room"] > 0 and 0.5 < rows[0, "largest_tail"] <= 1 + 1e-12
    right = paper.estimates
    monkeypatch.setattr(paper, "estimates", lambda p, k: (right(p, k)[0] + 0.5 / k, right(p, k)[1]))
    assert found("deviations", **tails)[0, "largest_tail"] > 1
    assert found("exact_bounds", **bounds)[3, "smallest_gap"] < 0


def test_deviations_of_one_bit_by_hand() -> None:
    """Weights 2 and 1/2 of probabilities 1/3 and 2/3: Z = 1."""
    problem = paper.Problem(np.log([[2 / 3, 1 / 3]]), np.log([[1 / 3, 2 / 3]]))
    log_estimate, log_mass = paper.estimates(problem, 1)
    mean = np.log(2) / 3 - 2 * np.log(2) / 3
    assert paper.bound(problem, 1)[0] == pytest.approx(mean)
    assert set(np.round(np.exp(log_estimate[0] + 0 * log_mass[0]), 12)) == {0.5, 2.0}
    assert problem.log_evidence[0] == pytest.approx(0)


def test_the_gap_closes_on_the_toy() -> None:
    """At K = 16 the gap is Var[w] / (2 Z² K), from E[r²] = 1.0328 per dimension; its standard error is 5e-4."""
    rows = found(
        "sampled_bounds",
        **{
            "data": 64,
            "dimension": 4,
            "perturbation": 0.0,
            "draws": 512,
            "samples": [1, 4, 16],
            "fit_from": 4,
        },
    )
    second = (np.sqrt(2 * (2 / 3) / (2 - 3 / 4))) ** 4
    assert rows[2, "gap"] == pytest.approx((second - 1) / 32, abs=2.5e-3)
    assert rows[2, "smallest_step"] > 0 and rows[2, "gap_slope"] < -0.5
    assert rows[0, "gap"] == pytest.approx(4 * 0.5 * (4 / 3 - 1 - np.log(4 / 3)), rel=0.1)
