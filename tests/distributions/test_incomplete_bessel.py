"""The von Mises angle against mpmath: normaliser, masses, quantiles, and the derivative of samples in κ."""

from __future__ import annotations

from functools import partial

import mpmath
import numpy as np
import pytest
import torch
from scipy import special
from torch import Tensor

from reparam.distributions import VonMises
from reparam.distributions.incomplete_bessel import mass, normaliser, quantile, velocity
from reparam.noise import draw, generator

KAPPAS = (1e-2, 1e-1, 1.0, 1e1, 1e2, 1e3)


def path(u: Tensor, kappa: Tensor) -> Tensor:
    return VonMises(torch.zeros_like(kappa), kappa).path({"uniform": u})


def exact(t: float, kappa: float) -> float:
    """dt/dκ = −∫₀^t (cos s − I₁/I₀) e^κ(cos s − cos t) ds, by mpmath's quadrature."""
    with mpmath.workdps(25):
        t, kappa = mpmath.mpf(t), mpmath.mpf(kappa)
        ratio = mpmath.besseli(1, kappa) / mpmath.besseli(0, kappa)

        def integrand(s: mpmath.mpf) -> mpmath.mpf:
            return (mpmath.cos(s) - ratio) * mpmath.exp(kappa * (mpmath.cos(s) - mpmath.cos(t)))

        width = min(t, 3 / mpmath.sqrt(kappa))
        return float(-mpmath.quad(integrand, [0, width, t]))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_the_normaliser_and_the_circular_variance_are_bessel_functions(dtype: torch.dtype) -> None:
    kappa = torch.logspace(-6, 6, 40, dtype=dtype)
    found, gap = normaliser(kappa)
    rtol = 1e-12 if dtype == torch.float64 else 1e-4
    expected = np.pi * special.i0e(kappa.double().numpy())
    torch.testing.assert_close(found.double(), torch.as_tensor(expected), rtol=rtol, atol=0.0)
    with mpmath.workdps(40):
        gaps = [float(1 - mpmath.besseli(1, k) / mpmath.besseli(0, k)) for k in kappa.tolist()]
    torch.testing.assert_close(gap.double(), torch.tensor(gaps, dtype=torch.float64), rtol=rtol, atol=0.0)
    slope = torch.func.jvp(lambda k: normaliser(k)[0].log(), (kappa,), (torch.ones_like(kappa),))[1]
    torch.testing.assert_close(slope, -gap, rtol=rtol, atol=0.0)


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float64, 1e-13), (torch.float32, 1e-6)])
def test_the_derivative_of_samples_in_the_concentration_is_exact(dtype: torch.dtype, bound: float) -> None:
    """Mean absolute error of dz/dκ over draws; the literature's best are 1e-13 and 2e-7."""
    kappa = torch.tensor(KAPPAS, dtype=dtype).repeat(12, 1)
    u = draw("uniform", (12, 6), generator("von mises derivative"), dtype)
    z, slope = torch.func.jvp(partial(path, u), (kappa,), (torch.ones_like(kappa),))
    rows = zip(*(t.flatten().tolist() for t in (z, kappa)), strict=True)
    expected = torch.tensor([np.sign(a) * exact(abs(a), k) for a, k in rows], dtype=torch.float64)
    assert (slope.flatten().double() - expected).abs().mean() < bound
    torch.testing.assert_close(slope.flatten().double(), expected, rtol=300 * bound, atol=10 * bound)


def test_the_derivative_for_very_large_concentrations_is_that_of_the_normal_law() -> None:
    """z ≈ ε (1 + (1 + ε²/3) / (8κ)) / √κ, so dz/dκ = −ε / (2 κ^1.5) up to a relative 1 / κ."""
    kappa = torch.tensor([1e5, 1e6], dtype=torch.float64).unsqueeze(-1).expand(2, 9).contiguous()
    epsilon = torch.linspace(-4, 4, 9, dtype=torch.float64).expand(2, 9)
    u = torch.special.ndtr(epsilon)
    for dtype, rtol in ((torch.float64, 1e-4), (torch.float32, 2e-3)):
        k = kappa.to(dtype)
        _, slope = torch.func.jvp(partial(path, u.to(dtype)), (k,), (torch.ones_like(k),))
        torch.testing.assert_close(slope.double(), -epsilon / (2 * kappa**1.5), rtol=rtol, atol=1e-12)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-11), (torch.float32, 1e-4)])
def test_quantiles_have_the_mass_asked_for(dtype: torch.dtype, tolerance: float) -> None:
    """The relative error of the mass, for every κ and the first and last uniform that is ever drawn."""
    eps = torch.finfo(dtype).eps
    tail = torch.cat([torch.tensor([eps / 4, 1e-6, 1e-4, 1e-3]), torch.linspace(0.01, 0.4999, 40)]).to(dtype)
    kappa, tail = torch.meshgrid(torch.logspace(-6, 6, 73, dtype=dtype), tail, indexing="ij")
    t = quantile(1 - 2 * tail, 2 * tail, kappa).double()
    inner, found = mass(t, kappa.double())
    beyond = 2 * tail.double()
    wanted = torch.where(inner, 1 - beyond, beyond)
    density = torch.exp(-2 * kappa.double() * (t / 2).sin().square()) / normaliser(kappa.double())[0]
    rounding = 8 * eps * (t * density + torch.where(inner, eps, 0))
    assert ((found - wanted).abs() <= tolerance * wanted + rounding).all()


def test_second_derivatives_are_those_of_finite_differences() -> None:
    kappa = torch.tensor([0.02, 0.8, 3.0, 20.0, 500.0], dtype=torch.float64)
    tail = torch.tensor([0.03, 0.2, 0.4, 0.01, 0.2], dtype=torch.float64)

    def slope(kappa: Tensor) -> Tensor:
        return torch.func.grad(lambda k: quantile(1 - 2 * tail, 2 * tail, k).sum())(kappa)

    step = 1e-4 * kappa
    second = torch.func.jvp(slope, (kappa,), (torch.ones_like(kappa),))[1]
    torch.testing.assert_close(
        second, (slope(kappa + step) - slope(kappa - step)) / (2 * step), rtol=1e-6, atol=1e-12
    )


def test_the_velocity_vanishes_at_the_mode_and_opposite_to_it() -> None:
    kappa = torch.tensor([1e-3, 2.0, 50.0], dtype=torch.float64)
    for t in (0.0, np.pi):
        (slope,) = velocity(torch.full_like(kappa, t), kappa)
        torch.testing.assert_close(slope, torch.zeros_like(kappa), rtol=0.0, atol=1e-12)


def test_kl_is_the_integral_that_it_stands_for() -> None:
    loc, kappa = torch.tensor([0.3, -1.0, 2.0]), torch.tensor([0.1, 3.0, 200.0])
    loc, kappa = loc.double(), kappa.double()
    p, q = VonMises(loc, kappa, event_dims=0), VonMises(loc + 0.7, 0.6 * kappa, event_dims=0)
    z = torch.linspace(-torch.pi, torch.pi, 20_001, dtype=torch.float64)[:-1].unsqueeze(-1)
    expected = (p.log_prob(z).exp() * (p.log_prob(z) - q.log_prob(z))).mean(0) * 2 * torch.pi
    torch.testing.assert_close(p.kl(q), expected)
    torch.testing.assert_close(p.kl(p), torch.zeros(3, dtype=torch.float64))
