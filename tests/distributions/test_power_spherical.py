"""The power spherical law: its density, cosine, divergence and derivative, from flat to sharp in any dimension."""

from __future__ import annotations

import math

import mpmath
import pytest
import torch
from scipy import integrate, stats

from reparam.distributions import HypersphericalUniform, PowerSpherical
from reparam.distributions.sphere import log_area, unit
from reparam.errors import ReparamError
from reparam.noise import draw_block

LEVEL = 1e-8
"""Probability that one Kolmogorov–Smirnov test fails though all is right; below 1e-6 for all of this file."""
DIMENSIONS = (2, 3, 5, 40)
KAPPAS = (1e-3, 0.5, 10.0, 1e4)


def law_of(m: int, kappa, dtype: torch.dtype = torch.float64) -> PowerSpherical:
    kappa = torch.as_tensor(kappa, dtype=dtype)
    return PowerSpherical(torch.linspace(-1, 2, m, dtype=dtype).expand(*kappa.shape, m), kappa)


@pytest.mark.parametrize("m", DIMENSIONS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_draws_follow_the_law_from_flat_to_sharp(m: int, dtype: torch.dtype) -> None:
    """(1 − w) / 2 is of the law Beta((m − 1)/2, κ + (m − 1)/2)."""
    law = law_of(m, KAPPAS, dtype)
    z = torch.vmap(law.path)(draw_block({"z": law.noise()}, ("power", m), 2000, dtype=dtype)["z"])
    torch.testing.assert_close(z.norm(dim=-1), torch.ones_like(z[..., 0]))
    for opposite, kappa in zip((law._gap(z) / 2).double().T.numpy(), KAPPAS, strict=True):
        beta = stats.beta((m - 1) / 2, kappa + (m - 1) / 2)
        assert stats.kstest(opposite, beta.cdf).pvalue > LEVEL, kappa


@pytest.mark.parametrize("m", DIMENSIONS)
@pytest.mark.parametrize("kappa", [0.5, 10.0])
def test_the_density_integrates_to_one_and_has_the_moments(m: int, kappa: float) -> None:
    start = torch.eye(m, dtype=torch.float64)[0]
    law = PowerSpherical(start, torch.tensor(kappa, dtype=torch.float64))

    def of(power: int) -> float:
        def integrand(angle: float) -> float:
            z = torch.zeros(m, dtype=torch.float64)
            z[0], z[1] = math.cos(angle), math.sin(angle)
            area = math.exp(log_area(m - 1)) * math.sin(angle) ** (m - 2)
            return area * law.log_prob(z).exp().item() * math.cos(angle) ** power

        return integrate.quad(integrand, 0, math.pi)[0]

    assert of(0) == pytest.approx(1, rel=1e-7)
    assert law.mean[0].item() == pytest.approx(of(1), rel=1e-7)
    assert law.variance[0].item() == pytest.approx(of(2) - of(1) ** 2, rel=1e-6)
    assert law.variance[1].item() == pytest.approx((1 - of(2)) / (m - 1), rel=1e-6)


@pytest.mark.parametrize("m", DIMENSIONS)
def test_the_divergence_from_the_uniform_law_is_that_of_high_precision(m: int) -> None:
    kappa = torch.tensor(KAPPAS, dtype=torch.float64)
    with mpmath.workdps(30):
        half = mpmath.mpf(m - 1) / 2
        expected = [
            float(
                k * (mpmath.psi(0, k + half) - mpmath.psi(0, k + 2 * half))
                + mpmath.log(mpmath.beta(half, half) / mpmath.beta(k + half, half))
            )
            for k in KAPPAS
        ]
    law, uniform = law_of(m, kappa), HypersphericalUniform(m, (len(KAPPAS),), dtype=torch.float64)
    torch.testing.assert_close(
        law.kl(uniform), torch.tensor(expected, dtype=torch.float64), rtol=1e-12, atol=3e-14
    )
    torch.testing.assert_close(law.entropy(), uniform.entropy() - law.kl(uniform))


@pytest.mark.parametrize("m", DIMENSIONS)
def test_the_derivative_of_the_path_is_that_of_the_inverse_cdf(m: int) -> None:
    kappa = torch.tensor([0.5, 10.0, 1e3], dtype=torch.float64)
    noise = {
        role: draw[0]
        for role, draw in draw_block({"z": law_of(m, kappa).noise()}, ("slope", m), 1, dtype=torch.float64)[
            "z"
        ].items()
    }

    def gap(kappa: torch.Tensor) -> torch.Tensor:
        law = law_of(m, kappa)
        return law._gap(law.path(noise))

    found = torch.func.grad(lambda k: gap(k).sum())(kappa)
    half = (m - 1) / 2
    low, high = (
        stats.beta(half, k + half).ppf(1 - noise["uniform"].numpy())
        for k in (kappa * (1 - 1e-5), kappa * (1 + 1e-5))
    )
    torch.testing.assert_close(gap(kappa), torch.as_tensor(low + high), rtol=1e-6, atol=1e-9)
    torch.testing.assert_close(found, torch.as_tensor((high - low) / 1e-5) / kappa, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("m", [2, 3, 64])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_concentrations_and_noise_leave_everything_finite(m: int, dtype: torch.dtype) -> None:
    eps = torch.finfo(dtype).eps
    kappa = torch.tensor([1e-6, 1.0, 1e4, 1e8], dtype=dtype)
    for u in (eps / 4, 0.5, 1 - eps / 2):

        def everything(mu: torch.Tensor, kappa: torch.Tensor, u: float = u) -> tuple[torch.Tensor, ...]:
            law = PowerSpherical(mu, kappa)
            z = law.path(
                {"uniform": torch.full((4,), u, dtype=dtype), "normal": torch.ones(4, m, dtype=dtype)}
            )
            return z.sum(-1), law.log_prob(z), law.entropy(), law.kl(HypersphericalUniform(m, (4,)))

        mu = unit(torch.linspace(-1, 2, m, dtype=dtype)).expand(4, m)
        values, pullback = torch.func.vjp(everything, mu, kappa)
        for value in (*values, *pullback(tuple(map(torch.ones_like, values)))):
            assert value.isfinite().all(), (u, value)


def test_a_negative_concentration_is_refused() -> None:
    with pytest.raises(ReparamError, match="PowerSpherical's concentration must be positive and finite"):
        law_of(3, -1.0).validate()


@pytest.mark.parametrize("m", DIMENSIONS)
def test_no_digits_are_lost_at_large_concentrations(m: int) -> None:
    """Log density at μ, divergence from the uniform law, and the variances along and across μ, by mpmath."""
    for kappa in (1e-3, 1.0, 1e4, 1e8, 1e12, 1e16):
        start = torch.eye(m, dtype=torch.float64)[0]
        law = PowerSpherical(start, torch.tensor(kappa, dtype=torch.float64))
        with mpmath.workdps(60):
            k, h = mpmath.mpf(kappa), mpmath.mpf(m - 1) / 2
            height = mpmath.loggamma(k + 2 * h) - mpmath.loggamma(k + h) - h * mpmath.log(4 * mpmath.pi)
            area = mpmath.log(2) + (h + 0.5) * mpmath.log(mpmath.pi) - mpmath.loggamma(h + 0.5)
            divergence = k * (mpmath.digamma(k + h) - mpmath.digamma(k + 2 * h)) + height + area
            n = k + 2 * h
            along, mean_square = 4 * (k + h) * h / n**2 / (n + 1), (k / n) ** 2
            across = (1 - mean_square - along) / (m - 1)
            expected = [float(value) for value in (height, along, across)]
        found = [law.log_prob(start), law.variance[0], law.variance[1]]
        assert [value.item() for value in found] == pytest.approx(expected, rel=1e-13)
        uniform = HypersphericalUniform(m, dtype=torch.float64)
        assert law.kl(uniform).item() == pytest.approx(float(divergence), rel=1e-13, abs=1e-13)
