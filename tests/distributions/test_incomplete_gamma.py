"""The gamma variable against mpmath: tails, quantiles, and the derivative of samples in the shape."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from reparam.distributions import Gamma
from reparam.distributions.incomplete_gamma import cdf, log_tail, quantile, velocity
from reparam.noise import draw, generator

SHAPES = (1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3)


def exact(alpha: float, x: float, digits: int | None = None) -> tuple[float, float, float]:
    """(log P, log Q, d log x / dα at constant P) by the power series of P, which cancels in the upper tail."""
    with mpmath.workdps(digits or 60 + int(x) // 2):
        a, x = mpmath.mpf(alpha), mpmath.mpf(x)
        term, harmonic, k = 1 / a, 1 / a, 0
        total, moment = term, term * harmonic
        while k < x or term * harmonic > total * mpmath.eps:
            k += 1
            term, harmonic = term * x / (a + k), harmonic + 1 / (a + k)
            total, moment = total + term, moment + term * harmonic
        probability = mpmath.exp(a * mpmath.log(x) - x - mpmath.loggamma(a)) * total
        slope = total * (mpmath.digamma(a) - mpmath.log(x)) + moment
        return float(mpmath.log(probability)), float(mpmath.log1p(-probability)), float(slope)


def test_the_reference_is_mpmath_s_own_incomplete_gamma_function() -> None:
    for alpha, x in ((0.3, 0.01), (0.3, 4.0), (20.0, 15.0), (20.0, 60.0)):
        with mpmath.workdps(40):
            lower = mpmath.gammainc(alpha, 0, x, regularized=True)
            change = mpmath.diff(lambda a, x=x: mpmath.gammainc(a, 0, x, regularized=True), alpha)
            density = mpmath.exp(alpha * mpmath.log(x) - x - mpmath.loggamma(alpha))  # x p(x)
            expected = [float(v) for v in (mpmath.log(lower), mpmath.log1p(-lower), -change / density)]
        np.testing.assert_allclose(exact(alpha, x), expected, rtol=1e-12)


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_the_derivative_of_samples_in_the_shape_is_exact(dtype: torch.dtype, bound: float) -> None:
    """Mean absolute error of dz/dα over 20 draws for each shape; the literature's best are 5e-13 and 2e-6."""
    alpha = torch.tensor(SHAPES, dtype=dtype)
    u = draw("uniform", (20, 6), generator("gamma derivative"), dtype)
    law = Gamma(alpha.repeat(20, 1), torch.ones((), dtype=dtype))
    z, slope = torch.func.jvp(
        lambda a: Gamma(a, law.rate).path({"uniform": u}), (law.concentration,), (torch.ones_like(u),)
    )
    errors = []
    for a, one, found in zip(*(t.flatten().tolist() for t in (law.concentration, z, slope)), strict=True):
        errors.append(abs(found - one * exact(a, one, digits=30)[2]))
    assert np.mean(errors) < bound
    assert np.max(errors) < 40 * bound


@pytest.mark.parametrize("alpha", [1e-3, 0.05, 0.9, 1.0, 1.1, 3.0, 6.0, 15.0, 60.0, 300.0])
def test_tails_and_derivatives_are_exact_far_out(alpha: float) -> None:
    x = stats.gamma(alpha).ppf([1e-200, 1e-30, 1e-8, 0.01, 0.3, 0.45, 0.5, 0.55, 0.7, 0.99, 1 - 1e-8])
    x = [v for v in x if v > 1e-300] + list(stats.gamma(alpha).isf([1e-14, 1e-30, 1e-80]))
    z, a = torch.tensor(x, dtype=torch.float64), torch.full((len(x),), alpha, dtype=torch.float64)
    r = torch.tensor([float(mpmath.log(mpmath.mpf(v) / alpha)) for v in x], dtype=torch.float64)
    expected = torch.tensor([exact(alpha, v) for v in x], dtype=torch.float64)
    lower, log_value, _ = log_tail(r, a)
    torch.testing.assert_close(
        log_value, torch.where(lower, expected[:, 0], expected[:, 1]), rtol=1e-12, atol=1e-12
    )
    torch.testing.assert_close(velocity(r, a)[0] + 1 / a, expected[:, 2], rtol=1e-12, atol=0.0)
    single = velocity(r.float(), a.float())[0] + 1 / a.float()
    shifted = torch.tensor([exact(a.float()[0].item(), v)[2] for v in (a.float() * r.float().exp()).tolist()])
    normal = z > 1e-30
    torch.testing.assert_close(single[normal], shifted[normal], rtol=1e-5, atol=0.0)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-9), (torch.float32, 1e-4)])
def test_the_derivative_for_very_large_shapes_is_that_of_the_expansion(
    dtype: torch.dtype, tolerance: float
) -> None:
    """x = α + √α t + (t² − 1)/3 + (t³ − 7t)/(36 √α) + … for the normal quantile t (Cornish and Fisher)."""
    alpha = torch.tensor([[1e5], [1e6]], dtype=dtype)
    t = torch.linspace(-4, 4, 9, dtype=torch.float64)
    u = torch.special.ndtr(t).to(dtype).expand(2, -1)
    t = torch.special.ndtri(u.double())
    _, slope = torch.func.jvp(
        lambda a: Gamma(a.expand(2, 9), torch.ones((), dtype=dtype)).icdf(u),
        (alpha,),
        (torch.ones_like(alpha),),
    )
    a = alpha.double()
    expected = 1 + t / (2 * a.sqrt()) - (t**3 - 7 * t) / (72 * a**1.5)
    torch.testing.assert_close(slope.double(), expected, rtol=tolerance, atol=0.0)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-11), (torch.float32, 5e-4)])
def test_quantiles_have_the_probability_asked_for(dtype: torch.dtype, tolerance: float) -> None:
    """The relative error of the nearer tail, for every shape and the first and last uniform that is ever drawn."""
    eps = torch.finfo(dtype).eps
    ends = torch.tensor([eps / 4, 1e-6, 1e-3, 1 - 1e-3, 1 - 1e-5, 1 - eps / 2], dtype=torch.float64)
    u = torch.cat([ends, torch.linspace(0.01, 0.99, 60, dtype=torch.float64)]).to(dtype)
    alpha = torch.logspace(-3, 6, 70, dtype=dtype).unsqueeze(-1)
    u, alpha = torch.broadcast_tensors(u, alpha)
    r = quantile(u.log(), torch.log1p(-u), alpha)
    lower, log_value, S = log_tail(r.double(), alpha.double())
    target = torch.where(lower, u.double().log(), torch.log1p(-u.double()))
    rounding = 4 * eps * (1 + r.abs()) / S  # what the last digit of r does to the tail
    assert ((log_value - target).abs() <= tolerance + rounding).all()


def test_second_derivatives_are_those_of_finite_differences() -> None:
    alpha = torch.tensor([0.02, 0.8, 3.0, 20.0, 500.0], dtype=torch.float64)
    u = torch.tensor([0.97, 0.2, 0.6, 0.01, 0.8], dtype=torch.float64)

    def slope(alpha: Tensor) -> Tensor:
        return torch.func.grad(lambda a: quantile(u.log(), torch.log1p(-u), a).sum())(alpha)

    step = 1e-4 * alpha
    second = torch.func.jvp(slope, (alpha,), (torch.ones_like(alpha),))[1]
    torch.testing.assert_close(
        second, (slope(alpha + step) - slope(alpha - step)) / (2 * step), rtol=1e-6, atol=0.0
    )


def test_log_samples_do_not_underflow() -> None:
    """At α = 1e-3, log x = (log u + log Γ(1 + α)) / α where x is small, and most samples are too small for float32."""
    alpha, u = torch.full((999,), 1e-3), torch.linspace(0.001, 0.999, 999)
    law = Gamma(alpha, torch.ones(()))
    logs, z = law.log_path({"uniform": u}), law.path({"uniform": u})
    expected = (u.double().log() + math.lgamma(1.001)) / 1e-3
    small = expected < -20
    torch.testing.assert_close(logs[small].double(), expected[small], rtol=1e-5, atol=1e-3)
    assert 0.9 < (logs < math.log(1e-38)).double().mean() < 0.93
    assert z.isfinite().all() and (z > 0).all()
    slope = torch.func.grad(lambda a: Gamma(a, law.rate).log_path({"uniform": u}).sum())(alpha)
    assert slope.isfinite().all() and (slope > 0).all()


def test_the_cdf_ends_at_zero_and_one() -> None:
    alpha = torch.tensor([1e-3, 2.0, 1e6])
    assert (cdf(torch.full((3,), 80.0), alpha) == 1).all()
    assert cdf(torch.full((3,), -1e5), alpha)[1:].tolist() == [0.0, 0.0]
