"""The beta variable against mpmath: tails, quantiles, and the derivatives of samples in both shapes."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import torch
from torch import Tensor

from reparam.distributions import Beta, StudentT
from reparam.distributions.incomplete_beta import bend, log_tail, quantile, velocity
from reparam.noise import draw, generator


def logs(y: float, a: mpmath.mpf, b: mpmath.mpf) -> tuple[mpmath.mpf, mpmath.mpf, mpmath.mpf]:
    """(log P, log Q, log density) at the logit y, by Gauss's hypergeometric function."""
    x, rest = 1 / (1 + mpmath.exp(-mpmath.mpf(y))), 1 / (1 + mpmath.exp(mpmath.mpf(y)))
    density = (
        a * mpmath.log(x)
        + b * mpmath.log(rest)
        + mpmath.loggamma(a + b)
        - mpmath.loggamma(a)
        - mpmath.loggamma(b)
    )
    below = density - mpmath.log(a) + mpmath.log(mpmath.hyp2f1(a + b, 1, a + 1, x))
    above = density - mpmath.log(b) + mpmath.log(mpmath.hyp2f1(a + b, 1, b + 1, rest))
    return below, above, density


def exact(y: float, a: float, b: float) -> tuple[float, float, float, float]:
    """(log P, log Q, dy/da, dy/db)."""
    with mpmath.workdps(50):
        a, b = mpmath.mpf(a), mpmath.mpf(b)
        below, above, density = logs(y, a, b)
        which = 0 if below < above else 1

        def slope(order: tuple[int, int]) -> mpmath.mpf:
            change = mpmath.diff(lambda a, b: logs(y, a, b)[which], (a, b), order)
            tail = mpmath.exp((below, above)[which] - density)
            return change * tail * (1 if which else -1)

        return float(below), float(above), float(slope((1, 0))), float(slope((0, 1)))


def test_tails_and_derivatives_are_exact() -> None:
    a, b, u = torch.meshgrid(
        torch.tensor([1e-2, 3.0, 400.0], dtype=torch.float64),
        torch.tensor([1e-2, 2.0, 90.0], dtype=torch.float64),
        torch.tensor([1e-8, 0.3, 0.6, 1 - 1e-6], dtype=torch.float64),
        indexing="ij",
    )
    y = quantile(u.log(), torch.log1p(-u), a, b)
    rows = zip(*(t.flatten().tolist() for t in (y, a, b)), strict=True)
    expected = torch.tensor([exact(*row) for row in rows], dtype=torch.float64).reshape(*y.shape, 4)
    lower, log_value, _ = log_tail(y, a, b)
    torch.testing.assert_close(
        log_value, torch.where(lower, expected[..., 0], expected[..., 1]), rtol=1e-12, atol=1e-12
    )
    in_a, in_b = velocity(y, a, b)
    torch.testing.assert_close(in_a, expected[..., 2], rtol=2e-11, atol=1e-12)
    torch.testing.assert_close(in_b, expected[..., 3], rtol=2e-11, atol=1e-12)


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_the_derivatives_of_beta_samples_are_exact(dtype: torch.dtype, bound: float) -> None:
    """Mean absolute error of dz/da and dz/db over draws, for shapes from 1e-2 to 1e3."""
    shapes = draw("uniform", (2, 40), generator("beta shapes"), torch.float64) * 5 - 2
    a, b = (10**shapes).to(dtype)
    u = draw("uniform", (40,), generator("beta derivative"), dtype)
    y, pullback = torch.func.vjp(lambda a, b: Beta(a, b).logit_path({"uniform": u}), a, b)
    z, pullback_z = torch.func.vjp(lambda a, b: Beta(a, b).path({"uniform": u}), a, b)
    found = torch.stack(pullback_z(torch.ones_like(z))).double()
    rows = zip(*(t.double().tolist() for t in (y, a, b)), strict=True)
    slopes = torch.tensor([exact(*row)[2:] for row in rows], dtype=torch.float64).T
    expected = slopes * (torch.sigmoid(y.double()) * torch.sigmoid(-y.double()))
    assert (found - expected).abs().mean() < bound
    assert (torch.stack(pullback(torch.ones_like(y))) / slopes - 1).abs().max() < 200 * bound


def test_the_derivative_of_student_s_samples_is_exact() -> None:
    df = torch.tensor([0.3, 1.0, 4.5, 40.0, 2e3], dtype=torch.float64).repeat(4, 1)
    u = torch.tensor([1e-4, 0.3, 0.52, 0.98], dtype=torch.float64).unsqueeze(-1).expand(4, 5)
    zero, one = torch.zeros_like(df), torch.ones_like(df)
    t, slope = torch.func.jvp(lambda df: StudentT(df, zero, one).path({"uniform": u}), (df,), (one,))

    def reference(nu: float, t: float) -> float:
        def below(nu: mpmath.mpf) -> mpmath.mpf:
            tail = mpmath.betainc(nu / 2, 0.5, 0, nu / (nu + mpmath.mpf(t) ** 2), regularized=True) / 2
            return tail if t < 0 else 1 - tail

        with mpmath.workdps(40):
            nu = mpmath.mpf(nu)
            height = mpmath.gamma((nu + 1) / 2) / mpmath.gamma(nu / 2) / mpmath.sqrt(nu * mpmath.pi)
            density = height * (1 + mpmath.mpf(t) ** 2 / nu) ** (-(nu + 1) / 2)
            return float(-mpmath.diff(below, nu) / density)

    rows = zip(df.flatten().tolist(), t.flatten().tolist(), strict=True)
    expected = torch.tensor([reference(*row) for row in rows], dtype=torch.float64)
    torch.testing.assert_close(slope.flatten(), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-10), (torch.float32, 1e-3)])
def test_quantiles_have_the_probability_asked_for(dtype: torch.dtype, tolerance: float) -> None:
    """The relative error of the nearer tail, for all shapes and the first and last uniform that is ever drawn."""
    eps = torch.finfo(dtype).eps
    u = torch.tensor(
        [eps / 4, 1e-6, 1e-3, 0.1, 0.3, 0.5, 0.7, 0.9, 1 - 1e-3, 1 - 1e-5, 1 - eps / 2], dtype=dtype
    )
    shapes = torch.logspace(-3, 6, 25, dtype=dtype)
    a, b, u = torch.meshgrid(shapes, shapes, u, indexing="ij")
    below, above = u.double().log(), torch.log1p(-u.double())
    y = quantile(u.log(), torch.log1p(-u), a, b).double()
    lower, log_value, S = log_tail(y, a.double(), b.double())
    rounding = 16 * eps * (1 + y.abs()) / S
    assert ((log_value - torch.where(lower, below, above)).abs() <= tolerance + rounding).all()


def test_second_derivatives_are_those_of_finite_differences() -> None:
    a = torch.tensor([0.05, 0.8, 3.0, 20.0], dtype=torch.float64)
    b = torch.tensor([2.0, 0.3, 40.0, 1.0], dtype=torch.float64)
    u = torch.tensor([0.9, 0.2, 0.6, 0.01], dtype=torch.float64)

    def slopes(a: Tensor, b: Tensor) -> Tensor:
        path = lambda a, b: quantile(u.log(), torch.log1p(-u), a, b).sum()  # noqa: E731
        return torch.stack(torch.func.grad(path, (0, 1))(a, b))

    for i, parameter in enumerate((a, b)):
        step = 1e-4 * parameter
        change = [step if j == i else torch.zeros_like(step) for j in range(2)]
        second = torch.func.jvp(slopes, (a, b), tuple(c / 1e-4 for c in change))[1]
        ahead, behind = slopes(a + change[0], b + change[1]), slopes(a - change[0], b - change[1])
        torch.testing.assert_close(second, (ahead - behind) / 2e-4, rtol=1e-6, atol=1e-6)


def test_the_bend_is_the_cumulant_function_of_a_bit_less_its_line() -> None:
    x = torch.tensor([1e-9, 0.2, 0.5, 0.999, 1 - 1e-9], dtype=torch.float64).unsqueeze(-1)
    v = torch.tensor([-700.0, -30.0, -1e-3, 0.0, 1e-5, 2.0, 30.0, 700.0], dtype=torch.float64)
    with mpmath.workdps(40):
        places = [(mpmath.mpf(p), mpmath.mpf(w)) for p in x.flatten().tolist() for w in v.tolist()]
        expected = [float(mpmath.log(1 - p + p * mpmath.exp(w)) - p * w) for p, w in places]
    found = bend(*torch.broadcast_tensors(v, x, 1 - x))
    torch.testing.assert_close(
        found, torch.tensor(expected, dtype=torch.float64).reshape(5, 8), rtol=1e-9, atol=1e-18
    )


def test_logits_of_small_shapes_do_not_round_to_an_end() -> None:
    """At shapes of 1e-3 nearly all samples are 0 or 1 in float32; half of the logits are below 0."""
    a, u = torch.full((999,), 1e-3), torch.linspace(0.001, 0.999, 999)
    law = Beta(a, a)
    y, z = law.logit_path({"uniform": u}), law.path({"uniform": u})
    assert y.isfinite().all() and (y.diff() > 0).all() and y[499].abs() < 1e-2
    assert ((z > 0) & (z < 1)).all() and law.log_prob(z.unsqueeze(-1)).isfinite().all()
    np.testing.assert_allclose(y[0].item(), (np.log(0.002) + np.log(1)) / 1e-3, rtol=1e-3)
