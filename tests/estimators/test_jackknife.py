"""The jackknife's bound: exact in small cases, its bias, and what the second path takes from its variance."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from near_posterior import NEAR, at_posterior

from reparam import estimators
from reparam.engine.gradient import estimate_gradient
from reparam.errors import ReparamError
from reparam.estimators.card import parts
from reparam.measure.moments import gradient_moments
from reparam.oracles import objectives


def value(samples: int, noise: list[float]) -> torch.Tensor:
    """The reading of one estimate for both data, with this noise of the samples."""
    draws = torch.tensor(noise, dtype=torch.float64).reshape(samples, 1, 1).expand(samples, 2, 1)
    estimator = estimators.make("jvi", {"samples": samples})
    return estimate_gradient(estimator, at_posterior, NEAR, {"z": {"normal": draws}}).value


def test_the_reading_of_two_samples_is_the_bound_s_excess_over_the_mean() -> None:
    """K = 2: 2 log (w₁ + w₂)/2 − (log w₁ + log w₂)/2, with the weights by hand."""
    noise, x = torch.tensor([[0.4], [-1.1]], dtype=torch.float64), torch.tensor([0.6, -1.4])
    scale = NEAR["log_scale"][:, 0].exp()
    z = NEAR["loc"][:, 0] + scale * noise
    log_w = -z.square() / 2 - (x - z).square() / 2 - math.log(2 * math.pi) / 2
    log_w = log_w + noise.square() / 2 + scale.log()
    expected = 2 * (log_w.exp().mean(0)).log() - log_w.mean(0)
    torch.testing.assert_close(value(2, [0.4, -1.1]), expected)


def test_the_bias_of_the_bound_falls_as_the_square_of_the_samples() -> None:
    """By quadrature, K = 2 and 4: the bound's distance to log p(x) ∝ 1/K, the jackknife's ∝ 1/K² (x ~ N(0, 2))."""
    x = torch.tensor([0.6, -1.4], dtype=torch.float64)
    evidence = -x.square() / 4 - math.log(4 * math.pi) / 2
    gaps = {
        samples: evidence
        - objectives.combination(
            at_posterior, NEAR, parts(estimators.make("jvi", {"samples": samples})), nodes=20
        )
        for samples in (2, 3, 4)
    }
    plain = {k: evidence - objectives.bound(at_posterior, NEAR, k, nodes=20) for k in (2, 4)}
    assert (gaps[4].abs() < plain[4] / 4).all()
    assert all((later.abs() < earlier.abs()).all() for earlier, later in pairwise(gaps.values()))
    assert (plain[2] / plain[4] < 2.6).all() and (gaps[2] / gaps[4] > 4).all()


def test_near_the_posterior_the_second_path_varies_far_less() -> None:
    """Of q's parameters, K = 2 and 8, 4,000 draws: by factors of 6 and of thousands."""
    for samples, factor in ((2, 3), (8, 100)):
        jvi, second = (
            gradient_moments(
                at_posterior, NEAR, estimators.make(name, {"samples": samples}), draws=4000
            ).variance
            for name in ("jvi", "jvi_dreg")
        )
        for name in NEAR:
            assert (second[name] < jvi[name] / factor).all()


@pytest.mark.parametrize("name", ["jvi", "jvi_dreg"])
def test_one_sample_cannot_be_left_out(name: str) -> None:
    with pytest.raises(ReparamError, match=f"{name}: samples must be an integer ≥ 2, got 1"):
        estimators.make(name, {"samples": 1})
