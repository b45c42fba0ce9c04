"""Elementary functions at the ends of a dtype's range."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import special

from reparam.distributions.numerics import exp_in_range, log1mexp, normal_cdf


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
