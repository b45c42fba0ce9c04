"""Variances and covariances of halves: against closed forms, whatever the minibatch and the noise that is shared."""

from __future__ import annotations

import pytest
import torch

from reparam.distributions import Normal
from reparam.estimators.pathwise import Pathwise
from reparam.measure import halves

PARAMS = {"a": torch.tensor([2.0, 0.5], dtype=torch.float64), "b": torch.tensor([1.0], dtype=torch.float64)}
DRAWS = 6000


def program(shared: float, own: float):
    """Datum i's value is Σ_k a_k (1 + s c_k + t e_ik) + b: its gradient in a is 1 + s c + t e_i, in b it is 1."""

    def of(count: int):
        def value(params, sample):
            zeros = torch.zeros(count, 2, dtype=torch.float64)
            common = sample("common", Normal(zeros[0], zeros[0] + 1, event_dims=1)) if shared else zeros[0]
            each = sample("each", Normal(zeros, zeros + 1))
            return (params["a"] * (1 + shared * common + own * each)).sum(-1) + params["b"]

        return value

    return of


@pytest.mark.parametrize("batch", [1, 2, 16])
@pytest.mark.parametrize(("shared", "own"), [(0.0, 1.0), (0.5, 2.0), (3.0, 1.0)])
def test_variance_and_covariance_are_those_of_the_law(batch: int, shared: float, own: float) -> None:
    """Var = s² + t²/n and Cov = s², from 6,000 draws of two entries. Six standard errors: √2 Var/√12,000 of a variance,
    at most that of Var_half of the covariance; false alarms of all nine tests: below 1e-7."""
    found = halves.spread(Pathwise(), program(shared, own), PARAMS, batch, DRAWS, ("test", batch))
    exact = shared**2 + own**2 / batch
    error = (2 / (2 * DRAWS)) ** 0.5
    assert found.variance["a"] == pytest.approx(exact, abs=6 * error * exact)
    assert found.variance["b"] == pytest.approx(0, abs=1e-12)
    if batch == 1:
        assert found.covariance == {}
    else:
        half = shared**2 + 2 * own**2 / batch
        assert found.covariance["a"] == pytest.approx(shared**2, abs=6 * error * half)


def test_the_law_is_the_same_however_many_draws_are_made_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(halves, "AT_ONCE", 64)
    found = halves.spread(Pathwise(), program(3.0, 1.0), PARAMS, 2, 1000, ("test", 2))
    assert found.variance["a"] == pytest.approx(9.5, rel=0.2)
    assert found.covariance["a"] == pytest.approx(9.0, rel=0.2)
