"""Paths of the importance-weighted bound: exact means with two layers, signal and noise, nothing at the posterior."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from near_posterior import NEAR, POSTERIOR, at_posterior
from torch import Tensor

from reparam import estimators
from reparam.distributions import Normal
from reparam.engine.gradient import estimate_gradient
from reparam.errors import ReparamError
from reparam.estimators.importance_weighted import Ciwae, Dreg, Iwae, Piwae, Stl
from reparam.measure.moments import gradient_moments
from reparam.measure.problems import PROBLEMS
from reparam.oracles import objectives
from reparam.program import Params

LAYERS = {
    "guide_top": torch.tensor([0.7], dtype=torch.float64),
    "guide_low": torch.tensor([-0.4], dtype=torch.float64),
    "link": torch.tensor([0.8], dtype=torch.float64),
    "model": torch.tensor([0.5], dtype=torch.float64),
}


def normal(loc: Tensor, scale: float) -> Normal:
    return Normal(loc, torch.full_like(loc, scale))


def two_layers(params: Params, sample: Any) -> Tensor:
    """A code above a code in the guide, the other way round in the model; `link` is a parameter of both."""
    q_top = normal(params["guide_top"], 0.8)
    top = sample("top", q_top)
    q_low = normal(params["guide_low"] + params["link"] * top, 0.7)
    low = sample("low", q_low)
    p_low = normal(params["model"], 1.0).log_prob(low)
    p_top = normal(params["link"] * low, 0.9).log_prob(top)
    return p_low + p_top - q_top.log_prob(top) - q_low.log_prob(low)


def mean_on_a_grid(estimator: Any, nodes: int = 12) -> dict[str, Tensor]:
    """The mean over Gauss–Hermite points of the noise of both sites and all samples."""
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    count = 2 * estimator.samples
    grid = torch.cartesian_prod(*(torch.tensor(points),) * count)
    mass = torch.cartesian_prod(*(torch.tensor(weights / weights.sum()),) * count).prod(-1)
    noise = {
        name: {"normal": part.unsqueeze(-1)}
        for name, part in zip(("top", "low"), grid.chunk(2, -1), strict=True)
    }
    found = torch.vmap(lambda one: estimate_gradient(estimator, two_layers, LAYERS, one).gradient)(noise)
    return {name: torch.tensordot(mass, entry, 1) for name, entry in found.items()}


def exact(samples: int) -> dict[str, Tensor]:
    params = {name: entry.clone().requires_grad_() for name, entry in LAYERS.items()}
    bound = objectives.bound(two_layers, params, samples, nodes=12).sum()
    return dict(zip(params, torch.autograd.grad(bound, list(params.values())), strict=True))


@pytest.mark.parametrize(
    "estimator", [Iwae(), Dreg(), Iwae(samples=1), Dreg(samples=1), Stl(samples=1)], ids=repr
)
def test_the_mean_is_exact_with_two_layers_and_shared_parameters(estimator: Any) -> None:
    """The quadrature is good to four digits here; laws held constant in place of parameters are 6 % off."""
    torch.testing.assert_close(mean_on_a_grid(estimator), exact(estimator.samples), rtol=1e-3, atol=2e-4)


def test_the_path_derivative_of_a_bound_of_two_samples_is_biased() -> None:
    found, truth = mean_on_a_grid(Stl()), exact(2)
    assert all(abs(found[name] / truth[name] - 1) > 0.05 for name in ("guide_top", "guide_low"))


@pytest.mark.parametrize(
    "estimator", [Stl(samples=1), Stl(samples=3), Dreg(samples=1), Dreg(samples=3)], ids=repr
)
def test_nothing_varies_where_q_is_the_posterior(estimator: Any) -> None:
    found = gradient_moments(at_posterior, POSTERIOR, estimator, draws=20)
    for name in POSTERIOR:
        assert found.variance[name].max() < 1e-25 and found.mean[name].abs().max() < 1e-12
    total = gradient_moments(at_posterior, POSTERIOR, Iwae(samples=1), draws=20)
    assert min(entry.min() for entry in total.variance.values()) > 0.1


def test_the_signal_to_noise_ratio_of_the_total_derivative_falls_and_of_dreg_grows() -> None:
    """Theory: ×1/4 and ×4 from K = 8 to 128; a factor of 2 each way is 15 standard errors and more."""
    ratios = {(kind, k): ratio(kind(samples=k), Dreg(samples=k)) for k in (8, 128) for kind in (Iwae, Dreg)}
    assert (ratios[Iwae, 128] < ratios[Iwae, 8] / 2).all()
    assert (ratios[Dreg, 128] > ratios[Dreg, 8] * 2).all()


def ratio(estimator: Any, signal: Any) -> Tensor:
    """The signal-to-noise ratio of q's means near the posterior, the signal being the mean of another estimator of the
    same gradient."""
    mean = gradient_moments(at_posterior, NEAR, signal, draws=4000).mean["loc"].abs()
    return mean / gradient_moments(at_posterior, NEAR, estimator, draws=4000).variance["loc"].sqrt()


def test_a_share_of_the_elbo_keeps_the_signal() -> None:
    """Its part of the gradient is an average over K samples: half of it is 1/2 of a signal that grows as √K, while
    that of the bound falls (×4 and ×1/4 from K = 8 to 128)."""
    few, many = (ratio(Ciwae(samples=k), Ciwae(samples=k)) for k in (8, 128))
    assert (many > 2 * few).all()


def test_many_bounds_of_few_samples_tell_q_more() -> None:
    """Theory: SNR ∝ √(M/K), 8 times that of one bound of 64 samples for 8 of 8; half is 15 standard errors off."""
    one = ratio(Iwae(samples=64), Dreg(samples=64))
    assert (ratio(Piwae(samples=8, groups=8), Dreg(samples=8, groups=8)) > 4 * one).all()


@pytest.mark.parametrize(("name", "option"), [("ciwae", "beta"), ("rws_dreg", "share")])
def test_a_share_is_between_nothing_and_all(name: str, option: str) -> None:
    assert [getattr(estimators.make(name, {option: given}), option) for given in (0.0, 1.0)] == [0.0, 1.0]
    for given in (-0.1, 1.1):
        with pytest.raises(ReparamError, match=f"{name}: {option} must be between 0 and 1, got {given}"):
            estimators.make(name, {option: given})


@pytest.mark.parametrize("name", ["iwae", "stl", "dreg"])
def test_groups_are_a_mean_of_independent_bounds(name: str) -> None:
    """Of three groups: the same mean, a third of the variance (20,000 draws, 6 standard errors)."""
    problem = PROBLEMS["normal_log_weight"]
    one, three = (
        gradient_moments(problem.program, problem.params, estimators.make(name, {"groups": groups}), 20_000)
        for groups in (1, 3)
    )
    for key in problem.params:
        error = (one.variance[key] + three.variance[key]).sqrt() / 20_000**0.5
        assert ((one.mean[key] - three.mean[key]).abs() < 6 * error).all()
        assert ((one.variance[key] / three.variance[key] / 3 - 1).abs() < 0.15).all()


@pytest.mark.parametrize("name", ["stl", "dreg", "piwae", "rws_dreg", "jvi_dreg"])
def test_a_site_shared_by_the_plate_is_refused(name: str) -> None:
    problem = PROBLEMS["normal_shared"]
    with pytest.raises(
        ReparamError, match=f"{name} weighs .*'shared' is shared by the plate.*iwae"
    ) as caught:
        gradient_moments(problem.program, problem.params, name, draws=2)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("option", ["samples", "groups"])
def test_counts_below_one_are_refused(option: str) -> None:
    with pytest.raises(ReparamError, match=f"iwae: {option} must be an integer ≥ 1, got 0"):
        Iwae(**{option: 0})
