"""Laws by a user's own inverse CDF: densities by inversion, and one-line refusals."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from reparam.distributions import Exponential, FromInverseCDF
from reparam.errors import ReparamError

RATE = torch.tensor([0.3, 1.0, 7.0], dtype=torch.float64)


def exponential(u: Tensor, rate: Tensor) -> Tensor:
    return -torch.log1p(-u) / rate


def of_rate(rate: Tensor) -> FromInverseCDF:
    return FromInverseCDF(exponential, (rate,), support=(0.0, math.inf))


def test_density_and_cdf_come_from_the_inverse_alone() -> None:
    z = torch.tensor([0.5, 1e-6, 0.02], dtype=torch.float64)
    torch.testing.assert_close(of_rate(RATE).log_prob(z), Exponential(RATE).log_prob(z))
    torch.testing.assert_close(of_rate(RATE).cdf(z), Exponential(RATE).cdf(z))


def test_second_derivatives_of_the_density_are_exact() -> None:
    """In the rate, the sample and both; −1/rate² and −1 for the exponential law."""
    z = torch.tensor([0.5, 2.0, 0.02], dtype=torch.float64)

    def hessian(law) -> tuple[tuple[Tensor, ...], ...]:
        return torch.func.hessian(lambda rate, z: law(rate).log_prob(z), (0, 1))(RATE, z)

    torch.testing.assert_close(hessian(of_rate), hessian(Exponential), rtol=1e-9, atol=1e-10)


def test_outside_the_support_the_density_is_zero() -> None:
    law = of_rate(RATE)
    z = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
    slopes = torch.func.grad(lambda rate: of_rate(rate).cdf(z).sum())(RATE)
    assert law.log_prob(z) == -torch.inf
    assert torch.equal(law.cdf(z)[:2], torch.zeros(2, dtype=torch.float64))
    assert torch.equal(slopes[:2], torch.zeros(2, dtype=torch.float64))


@pytest.mark.parametrize(
    ("icdf", "support", "message"),
    [
        (
            lambda u, a: -u + a,
            (-math.inf, math.inf),
            "The increase of FromInverseCDF's icdf must be positive",
        ),
        (lambda u, a: torch.log(u - 0.5) + a, (-math.inf, math.inf), "FromInverseCDF's icdf must be finite"),
        (lambda u, a: u + a, (2.0, math.inf), "FromInverseCDF's icdf must be inside (2, inf)"),
        (
            lambda u, a: (u + a).sum(),
            (0.0, 9.0),
            "FromInverseCDF's function must act on entries",
        ),
    ],
)
def test_a_function_that_is_no_inverse_cdf_is_refused(icdf, support, message: str) -> None:
    with pytest.raises(ReparamError) as caught:
        FromInverseCDF(icdf, (torch.ones(3),), support).validate()
    assert str(caught.value).startswith(message)


def test_a_support_out_of_order_is_refused() -> None:
    with pytest.raises(ReparamError, match="in order, got"):
        FromInverseCDF(exponential, (RATE,), support=(1.0, 0.0))


def test_the_shape_may_be_given() -> None:
    """Five entries share a rate of shape ()."""
    law = FromInverseCDF(exponential, (torch.tensor(2.0),), (0.0, math.inf), shape=(5,))
    assert law.shape == (5,)
    assert law.noise()["uniform"].shape == (5,)
    assert law.log_prob(law.icdf(torch.full((5,), 0.3))).shape == law.plate == ()
    law.validate()
