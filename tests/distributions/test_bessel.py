"""The Bessel functions against mpmath: any order, any argument, both dtypes, two derivatives."""

from __future__ import annotations

import mpmath
import pytest
import torch

from reparam.distributions.bessel import log_bessel, ratio_slope

ORDERS = (0, 0.5, 1, 1.37, 4, 9.5, 31, 100)
ARGUMENTS = (1e-3, 0.1, 1, 5, 20, 200, 1e4)


def exact(order: float, x: float) -> tuple[float, ...]:
    """log Γ(ν + 1) (2/x)^ν I_ν(x), and its first two derivatives in x."""
    with mpmath.workdps(40):
        nu, x = mpmath.mpf(order), mpmath.mpf(x)
        ratio = mpmath.besseli(nu + 1, x) / mpmath.besseli(nu, x)
        slope = 1 - ratio**2 - (2 * nu + 1) / x * ratio
        return tuple(map(float, (mpmath.log(mpmath.hyp0f1(nu + 1, x * x / 4)), ratio, slope)))


@pytest.mark.parametrize("order", ORDERS)
def test_values_and_derivatives_are_exact_in_double_precision(order: float) -> None:
    expected = torch.tensor([exact(order, x) for x in ARGUMENTS], dtype=torch.float64).unbind(1)
    x = torch.tensor(ARGUMENTS, dtype=torch.float64)

    def sums(x):
        value, ratio = log_bessel(order, x)
        return value.sum(), ratio.sum()

    value, ratio = log_bessel(order, x)
    by_autograd, slope = torch.func.jacrev(sums)(x)
    torch.testing.assert_close(value, expected[0], rtol=1e-12, atol=1e-15)
    torch.testing.assert_close(ratio, expected[1], rtol=4e-15, atol=0.0)
    torch.testing.assert_close(by_autograd, expected[1], rtol=1e-13, atol=0.0)
    torch.testing.assert_close(slope, expected[2], rtol=1e-10, atol=0.0)
    torch.testing.assert_close(torch.func.grad(torch.func.grad(lambda x: sums(x)[0]))(x[3]), expected[2][3])


@pytest.mark.parametrize("order", ORDERS)
def test_single_precision_loses_nothing_but_digits(order: float) -> None:
    x = torch.tensor(ARGUMENTS)
    for found, double in zip(log_bessel(order, x), log_bessel(order, x.double()), strict=True):
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, double.float(), rtol=1e-7, atol=0.0)


def test_nothing_is_lost_at_the_ends() -> None:
    x = torch.tensor([0.0, 1e-30, 1e30])
    value, ratio = log_bessel(2.5, x)
    torch.testing.assert_close(value, torch.tensor([0.0, 0.0, 1e30]))
    torch.testing.assert_close(ratio, torch.tensor([0.0, 1e-30 / 7, 1.0]), atol=0.0, rtol=1e-6)


@pytest.mark.parametrize("order", ORDERS)
def test_the_slope_of_the_ratio_does_not_cancel(order: float) -> None:
    """As vMF's variance along μ it was 0, or below, from 1e8 on."""
    arguments = (1e-6, *ARGUMENTS, 1e6, 1e8, 1e11, 1e14)
    exact = []
    with mpmath.workdps(60):
        nu = mpmath.mpf(order)
        for x in map(mpmath.mpf, arguments):
            ratio = mpmath.besseli(nu + 1, x) / mpmath.besseli(nu, x)
            exact.append(float(1 - ratio**2 - (2 * nu + 1) / x * ratio))
    x, expected = torch.tensor(arguments, dtype=torch.float64), torch.tensor(exact, dtype=torch.float64)
    torch.testing.assert_close(ratio_slope(order, x), expected, rtol=5e-13, atol=0.0)
    torch.testing.assert_close(ratio_slope(order, x.float()), expected.float(), rtol=2e-6, atol=0.0)
    found = ratio_slope(order, torch.zeros(1, dtype=torch.float64)).item()
    assert found == pytest.approx(1 / (2 * order + 2), rel=1e-13)
