"""Measure-valued gradients of Normal laws: closed-form variances of the quadratic, several sites, mixtures."""

from __future__ import annotations

import math

import pytest
import torch
from scipy.stats import norm

from reparam.distributions import Normal
from reparam.engine.gradient import estimate_gradient
from reparam.errors import ReparamError
from reparam.estimators.measure_valued import MeasureValued
from reparam.estimators.mixed import Mixed
from reparam.measure.problems import PROBLEMS
from reparam.noise import draw_block
from reparam.program import describe

DRAWS = 400_000
BOUND = norm.isf(5e-7)
"""Each comparison has a false-alarm rate of 1e-6."""


def quadratic(params, sample):
    """f = (z − 0)², so D = μ."""
    return sample("z", Normal(params["loc"], params["scale"])).square().sum(-1)


def identity(params, sample):
    return sample("z", Normal(params["loc"], params["scale"])).sum(-1)


def parameters(distance: float, scale: float = 1.0) -> dict[str, torch.Tensor]:
    return {name: torch.tensor([v], dtype=torch.float64) for name, v in (("loc", distance), ("scale", scale))}


def estimates(estimator, program, params, draws: int = DRAWS) -> dict[str, torch.Tensor]:
    noise = draw_block(estimator.noise(describe(program, params)), ("mvd",), draws, dtype=torch.float64)
    return torch.vmap(lambda n: estimate_gradient(estimator, program, params, n).gradient)(noise)


def agrees(sample: torch.Tensor, exact: float) -> bool:
    return bool(abs(sample.mean() - exact) < BOUND * sample.std() / len(sample) ** 0.5)


PI = math.pi
VARIANCES = {  # of the quadratic at σ = 1 with D = μ − k, for ∂/∂μ and ∂/∂σ
    True: (lambda d: (16 / PI - 4) * d**2, lambda d: 4 * d**2 + 4),
    False: (lambda d: 4 / PI + (8 / PI - 2) * d**2, lambda d: 16 * d**2 + 8),
}


@pytest.mark.parametrize("distance", [1.0, 2.0])
@pytest.mark.parametrize("coupled", [True, False])
def test_variances_of_the_quadratic_are_the_closed_forms(coupled: bool, distance: float) -> None:
    found = estimates(MeasureValued(coupled=coupled), quadratic, parameters(distance))
    means = {"loc": 2 * distance, "scale": 2.0}
    for (name, mean), variance in zip(means.items(), VARIANCES[coupled], strict=True):
        sample = found[name][:, 0]
        assert agrees(sample, mean)
        assert agrees((sample - mean).square(), variance(distance))


def test_spot_values_of_the_closed_forms() -> None:
    assert VARIANCES[True][0](1) == pytest.approx(1.0930, abs=5e-5)
    assert VARIANCES[False][0](1) == pytest.approx(1.8197, abs=5e-5)
    assert VARIANCES[True][0](2) == pytest.approx(4.3718, abs=1e-4)
    assert VARIANCES[False][0](2) == pytest.approx(3.4592, abs=1e-4)


@pytest.mark.parametrize(("distance", "helps"), [(1.35, True), (1.7, False)])
def test_coupling_hurts_the_mean_beyond_1_526_scales(distance: float, helps: bool) -> None:
    """At any scale: here 3."""
    coupled, independent = (
        estimates(MeasureValued(coupled=c), quadratic, parameters(3 * distance, 3.0))["loc"].var()
        for c in (True, False)
    )
    assert math.sqrt(2 / (4 - PI)) == pytest.approx(1.526, abs=5e-4)
    assert bool(coupled < 0.97 * independent) is helps
    assert bool(independent < 0.97 * coupled) is not helps


def test_the_two_sides_of_the_scale_are_coupled_as_published() -> None:
    """m² = n² + r² with the sign of n is a double-sided Maxwell variable with n = m u, u uniform: f = z shows m − n."""
    estimator, params = MeasureValued(), parameters(0.0)
    noise = draw_block(estimator.noise(describe(identity, params)), ("mvd",), DRAWS, dtype=torch.float64)
    n = noise["z"]["normal"].flatten()
    m = n + estimates(estimator, identity, params)["scale"][:, 0]
    ratio = n / m
    assert ((ratio > 0) & (ratio < 1)).all()
    for power in (1, 2, 3):
        assert agrees(ratio**power, 1 / (power + 1))
    assert agrees(m**2, 3.0)
    assert agrees(m**4, 15.0)
    assert agrees(m, 0.0)
    assert agrees(m**2 * ratio**2, 1.0)


def test_a_jump_is_differentiated_from_values_alone() -> None:
    """E 1[z > 0] = Φ(μ/σ)."""
    params = parameters(0.3, 0.7)
    found = estimates(
        MeasureValued(), lambda p, s: (s("z", Normal(p["loc"], p["scale"])) > 0).double().sum(-1), params
    )
    density = norm.pdf(0.3 / 0.7)
    assert agrees(found["loc"][:, 0], density / 0.7)
    assert agrees(found["scale"][:, 0], -density * 0.3 / 0.7**2)


@pytest.mark.parametrize(
    ("key", "top", "low"),
    [
        ("normal_two_layers", {"name": "measure_valued"}, {"name": "pathwise"}),
        ("normal_two_layers", {"name": "pathwise"}, {"name": "measure_valued", "coupled": False}),
        ("normal_above_bits", {"name": "measure_valued", "samples": 2}, {"name": "disarm"}),
        ("bits_above_normal", {"name": "arm"}, {"name": "measure_valued"}),
    ],
)
def test_other_sites_may_have_other_estimators(key: str, top, low) -> None:
    problem, estimator = PROBLEMS[key], Mixed(sites={"top": top, "low": low})
    noise = draw_block(estimator.noise(describe(problem.program, problem.params)), ("mixed", key), 40_000)
    found = torch.vmap(lambda n: estimate_gradient(estimator, problem.program, problem.params, n).gradient)(
        noise
    )
    for name, truth in problem.exact().items():
        sample = found[name].double()
        tolerance = BOUND * sample.std(0) / len(sample) ** 0.5 + 1e-5 * (1 + truth.abs())
        assert ((sample.mean(0) - truth).abs() <= tolerance).all(), name


def test_three_runs_per_dimension_and_one() -> None:
    params = {"loc": torch.zeros(4, 5), "scale": torch.ones(5)}
    estimator = MeasureValued(samples=2)
    noise = {
        site: {role: draws[0] for role, draws in roles.items()}
        for site, roles in draw_block(estimator.noise(describe(quadratic, params)), ("count",), 1).items()
    }
    found = estimate_gradient(estimator, quadratic, params, noise)
    assert found.evaluations == 2 * (1 + 3 * 5)
    assert found.gradient["scale"].shape == (5,)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MeasureValued(samples=0), "measure_valued: samples must be an integer ≥ 1"),
        (lambda: MeasureValued(coupled="yes"), "measure_valued: coupled must be True or False, got 'yes'"),
    ],
)
def test_options_are_refused_in_one_line(make, message: str) -> None:
    with pytest.raises(ReparamError, match=message):
        make()
