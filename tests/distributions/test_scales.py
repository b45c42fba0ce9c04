"""Scale parametrisations: finite everywhere, and what each does to the gradient of log q and of a bound."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from reparam.distributions import Normal, standard_normal
from reparam.distributions.scales import scale_from_exp, scale_from_log_variance, scale_from_softplus

SCALES = {
    "log-variance": scale_from_log_variance,
    "softplus": scale_from_softplus,
    "exp": scale_from_exp,
}
EACH = pytest.mark.parametrize("name", SCALES)
LEAST = {"log-variance": math.exp(-10), "softplus": 1e-6, "exp": 1e-6}
"""The smallest standard deviation of each."""


def slope(function: Callable[[Tensor], Tensor], raw: Tensor) -> Tensor:
    return torch.func.vjp(function, raw)[1](torch.ones_like(raw))[0]


@EACH
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_every_finite_input_gives_a_positive_finite_scale(name: str, dtype: torch.dtype) -> None:
    top = torch.finfo(dtype).max / 4
    raw = torch.tensor([-top, -1e6, -200.0, -20.0, 0.0, 20.0, 200.0, 1e6, top], dtype=dtype)
    sigma = SCALES[name](raw)
    assert sigma.isfinite().all()
    assert (sigma >= LEAST[name] * (1 - 1e-6)).all()
    for derivative in (slope(SCALES[name], raw), slope(lambda r: SCALES[name](r).log(), raw)):
        assert derivative.isfinite().all()
        assert (derivative >= 0).all()


def test_what_each_scale_is() -> None:
    raw = torch.tensor([-6.0, -1.0, 0.0, 1.5], dtype=torch.float64)
    torch.testing.assert_close(scale_from_log_variance(raw), (raw / 2).exp())
    torch.testing.assert_close(scale_from_log_variance(raw, -2.0, 1.0), (raw.clamp(-2, 1) / 2).exp())
    torch.testing.assert_close(scale_from_softplus(raw, least=0.1), (1 + raw.exp()).log() + 0.1)
    torch.testing.assert_close(scale_from_exp(raw, constant=0.1), (raw / 2).exp() + 0.1)


def test_defaults_and_limits() -> None:
    far = torch.tensor([-1e3, 1e3], dtype=torch.float64)
    torch.testing.assert_close(
        scale_from_log_variance(far), torch.tensor([-10.0, 1.0], dtype=torch.float64).exp()
    )
    assert scale_from_softplus(far)[0].item() == scale_from_exp(far)[0].item() == 1e-6
    edge = math.log(torch.finfo(torch.float32).max)
    raw = torch.tensor([0.99 * edge, 1.01 * edge])
    assert ((slope(scale_from_exp, raw) > 0) == torch.tensor([True, False])).all()


def test_the_softplus_is_exact_where_torch_s_is_not() -> None:
    """torch cuts its softplus off at 20, which is 2e-9 away."""
    raw = torch.tensor([25.0], dtype=torch.float64)
    assert (scale_from_softplus(raw, least=0.0) - raw).item() == pytest.approx(math.exp(-25), rel=1e-3)


def test_derivatives_are_those_that_are_documented() -> None:
    raw = torch.tensor([-30.0, -20.1, -19.9, -3.0, 0.0, 1.9, 2.1, 10.0], dtype=torch.float64)
    sigma = scale_from_log_variance(raw)
    inside = (raw > -20) & (raw < 2)
    torch.testing.assert_close(slope(scale_from_log_variance, raw), torch.where(inside, sigma / 2, 0.0))
    torch.testing.assert_close(slope(scale_from_softplus, raw), torch.sigmoid(raw))
    assert slope(scale_from_softplus, raw).max() <= 1
    torch.testing.assert_close(slope(scale_from_exp, raw), (scale_from_exp(raw) - 1e-6) / 2)
    # Large scales: the softplus grows in proportion, the exponential by its own size.
    assert slope(scale_from_exp, raw)[-1] > 70
    # Small scales: only the constant makes the derivative of log σ fade; the softplus is e^raw there.
    small = torch.tensor([-10.0, -40.0], dtype=torch.float64)
    free = slope(lambda r: scale_from_softplus(r, least=0.0).log(), small)
    torch.testing.assert_close(free, torch.ones(2, dtype=torch.float64), rtol=1e-4, atol=0.0)
    fading = slope(lambda r: scale_from_exp(r, constant=1e-3).log(), small)
    assert fading[0] == pytest.approx(0.5 * (1 - 1e-3 / scale_from_exp(small, constant=1e-3)[0].item()))
    assert fading[1] < 1e-5


@EACH
def test_the_gradient_of_log_q_is_bounded_by_the_least_scale(name: str) -> None:
    """|∂ log q / ∂z| = |ε| / σ ≤ |ε| / least, where e^(raw/2) alone would explode."""
    epsilon, raw = torch.tensor([2.0], dtype=torch.float64), torch.tensor([-60.0], dtype=torch.float64)
    law = Normal(torch.zeros(1, dtype=torch.float64), SCALES[name](raw))
    found = torch.func.grad(law.log_prob)(law.path({"normal": epsilon}))
    assert found.abs().item() <= 2 / LEAST[name] * (1 + 1e-6)
    plain = Normal(torch.zeros(1, dtype=torch.float64), (raw / 2).exp())
    assert torch.func.grad(plain.log_prob)(plain.path({"normal": epsilon})).abs().item() > 1e12


@EACH
def test_the_gradient_of_a_bound_as_the_scale_falls(name: str) -> None:
    """ELBO of q = N(0, σ²) under N(0, 1): −KL, whose slope in raw is (1/σ − σ) dσ/draw, exactly and by samples.

    As raw → −∞ it tends to ½ for exp and 1 for softplus while σ ≫ its least value, fades below it, and the clamp
    cuts it to 0.
    """

    def bound(raw: Tensor) -> Tensor:
        law = Normal(torch.zeros(1, dtype=torch.float64), SCALES[name](raw))
        return -law.kl(standard_normal(law.loc))

    limit = {"log-variance": 0.5, "softplus": 1.0, "exp": 0.5}[name]
    for raw, expected in ((-9.0, limit), (-19.0, limit), (-60.0, 0.0)):
        if raw == -19.0 and name == "softplus":
            continue  # σ = 5.6e-9 has passed its least value
        x = torch.tensor([raw], dtype=torch.float64)
        sigma = SCALES[name](x)
        found = torch.func.grad(bound)(x)
        torch.testing.assert_close(found, (1 / sigma - sigma) * slope(SCALES[name], x))
        assert found.item() == pytest.approx(expected, abs=0.02)
