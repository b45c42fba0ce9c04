"""Signal-to-noise ratios: sums over data, rates, and estimates that meet the same noise."""

from __future__ import annotations

import pytest
import torch

from reparam.distributions import Normal
from reparam.estimators.importance_weighted import Dreg, Iwae
from reparam.estimators.pathwise import Pathwise
from reparam.measure import signal_to_noise


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


def program(params, sample):
    return sample("z", Normal(params["loc"], torch.ones_like(params["loc"]))).square().sum(-1)


def test_estimates_are_the_paths_of_named_noise_and_come_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """∇ z² = 2 z and the value z²; chunks have streams of their own."""
    params = {"loc": torch.tensor([[0.5], [-1.0]])}
    found = signal_to_noise.estimates(Pathwise(), program, params, 6, ("test",))
    assert found.gradient["loc"].shape == (6, 2, 1) and found.value.shape == (6, 2)
    torch.testing.assert_close(found.gradient["loc"][..., 0].square() / 4, found.value)
    monkeypatch.setattr(signal_to_noise, "AT_ONCE", 8)
    again = signal_to_noise.estimates(Pathwise(), program, params, 6, ("test",))
    torch.testing.assert_close(again.value[:4], found.value[:4])
    assert len(set(again.value[:, 0].tolist())) == 6


def test_estimators_of_one_bound_meet_the_same_noise() -> None:
    params = {"loc": torch.tensor([[0.5], [-1.0]])}
    values = [
        signal_to_noise.estimates(kind(samples=3), program, params, 4, ("test",)).value
        for kind in (Iwae, Dreg)
    ]
    torch.testing.assert_close(*values)
