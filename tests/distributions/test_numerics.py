"""Elementary functions at the ends of a dtype's range."""

from __future__ import annotations

import math

import mpmath
import pytest
import torch
from scipy import special

from reparam.distributions.numerics import (
    digamma_deficit,
    exp_in_range,
    log1mexp,
    log_gamma_excess,
    log_ratio,
    normal_cdf,
    times_exp,
)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_exponential_in_range_has_finite_reciprocals(dtype: torch.dtype) -> None:
    x = torch.tensor([-1e30, -800.0, -3.0, 0.0, 5.0, 800.0, 1e30], dtype=dtype)
    value, pullback = torch.func.vjp(exp_in_range, x)
    (slope,) = pullback(torch.ones_like(x))
    for finite in (value, 1 / value, slope):
        assert finite.isfinite().all()
    assert (value > 0).all()
    torch.testing.assert_close(value[2:5], x[2:5].exp())
    torch.testing.assert_close(slope[2:5], x[2:5].exp())
    assert (slope[[0, 1, 5, 6]] == 0).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_log1mexp_is_accurate_at_both_ends(dtype: torch.dtype) -> None:
    x = -torch.logspace(-30, 1.9, 500, dtype=torch.float64)
    value, pullback = torch.func.vjp(log1mexp, x.to(dtype))
    exact = x.to(dtype).double()
    expected = torch.where(exact > -0.1, torch.log(-torch.expm1(exact)), torch.log1p(-torch.exp(exact)))
    torch.testing.assert_close(value.double(), expected, rtol=4 * torch.finfo(dtype).eps, atol=0.0)
    slope = 1 / torch.expm1(-exact)
    rtol = 100 * torch.finfo(dtype).eps
    torch.testing.assert_close(pullback(torch.ones_like(value))[0].double(), -slope, rtol=rtol, atol=1e-45)


def test_log1mexp_at_zero_is_finite_in_its_derivative() -> None:
    assert torch.func.grad(lambda x: log1mexp(x))(torch.tensor(-0.0)).isfinite()


def test_the_normal_cdf_is_exact_far_below() -> None:
    x = torch.linspace(-37, 8, 300, dtype=torch.float64)
    torch.testing.assert_close(normal_cdf(x), torch.as_tensor(special.ndtr(x.numpy())), rtol=1e-12, atol=0.0)
    assert normal_cdf(torch.tensor(-13.0)).item() == pytest.approx(special.ndtr(-13.0), rel=1e-5)
    assert math.isclose(
        torch.func.grad(normal_cdf)(torch.tensor(0.0)).item(), 1 / math.sqrt(2 * math.pi), rel_tol=1e-6
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_what_stirling_and_the_logarithm_lack_is_exact_for_every_argument(dtype: torch.dtype) -> None:
    """log Γ(1 + a) − a log a + a and log a − ψ(a), with their derivatives, against mpmath."""
    a = torch.cat(
        [torch.logspace(-6, 8, 57, dtype=dtype), torch.tensor([8.0], dtype=dtype)]
    )  # 8: where series meet
    first = [lambda a: mpmath.loggamma(1 + a) - a * mpmath.log(a) + a, log_gamma_excess]
    second = [lambda a: mpmath.log(a) - mpmath.digamma(a), digamma_deficit]
    rtol = 50 * torch.finfo(dtype).eps
    with mpmath.workdps(40):
        for reference, function in (first, second):
            exact = [mpmath.mpf(v) for v in a.tolist()]
            expected = torch.tensor([float(reference(v)) for v in exact], dtype=torch.float64)
            slopes = torch.tensor([float(mpmath.diff(reference, v)) for v in exact], dtype=torch.float64)
            value, slope = torch.func.jvp(function, (a,), (torch.ones_like(a),))
            torch.testing.assert_close(value.double(), expected, rtol=rtol, atol=2 * rtol / 50)
            torch.testing.assert_close(slope.double(), slopes, rtol=10 * rtol, atol=rtol)


def test_products_with_an_exponential_are_exact_for_small_exponents_and_in_range_for_all() -> None:
    scale = torch.tensor([1e6, 1e6, 1e-30, 1e30, 1e-3, 2.0])
    x = torch.tensor([1e-3, -0.9, -100.0, 100.0, -1e4, 3.0])
    value, pullback = torch.func.vjp(times_exp, scale, x)
    expected = scale.double() * x.double().exp()
    inside = torch.tensor([True, True, False, False, False, True])
    torch.testing.assert_close(value[inside].double(), expected[inside], rtol=3e-7, atol=0.0)
    assert value.isfinite().all() and (value > 0).all()
    for slope, exact in zip(pullback(torch.ones_like(value)), (expected / scale, expected), strict=True):
        torch.testing.assert_close(slope[inside].double(), exact[inside], rtol=1e-6, atol=0.0)
        assert (slope[~inside] == 0).all()


def test_log_ratios_of_neighbours_are_exact() -> None:
    scale = torch.tensor([1e6, 1e6, 3.0, 1e-20])
    z = torch.tensor([1e6 + 1, 1e6 - 7, 1e-20, 1e20])
    expected = (z.double() / scale.double()).log()
    torch.testing.assert_close(log_ratio(z, scale).double(), expected, rtol=3e-7, atol=0.0)
