"""Von Mises–Fisher in any dimension: normaliser, sampler, correction term, KL, from mild to extreme concentrations."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import torch
from scipy import special, stats
from torch import Tensor

from reparam.distributions import HypersphericalUniform, VonMisesFisher, ulrich
from reparam.distributions.sphere import log_area, unit
from reparam.noise import draw_block

DIMENSIONS = (2, 3, 4, 5, 10, 20, 40, 64)
KAPPAS = (0.1, 1.0, 9.0, 10.5, 12.0, 100.0, 500.0)
"""On both sides of 10, above which published code leaves the envelope."""
DRAWS = 5000
LEVEL = 1e-9
"""Probability that one of this file's statistical tests fails though all is right: 1e-6 for all of them."""
BOUND = stats.norm.isf(LEVEL / 2)
DIRECTION = {m: unit(torch.linspace(-1, 2, m, dtype=torch.float64)) for m in DIMENSIONS}


def law_of(m: int, kappa: float | Tensor, dtype: torch.dtype = torch.float64) -> VonMisesFisher:
    kappa = torch.as_tensor(kappa, dtype=dtype)
    return VonMisesFisher(DIRECTION[m].to(dtype).expand(*kappa.shape, m), kappa)


def rejection_noise(law: VonMisesFisher, draws: int = DRAWS) -> dict[str, Tensor]:
    return draw_block({"z": law.rejection_noise()}, ("vmf", law.dimension), draws, dtype=torch.float64)["z"]


def bessel_ratio(m: int, kappa: float) -> tuple[float, float]:
    """A_m(κ) and A_m'(κ)."""
    with mpmath.workdps(30):
        a = mpmath.besseli(mpmath.mpf(m) / 2, kappa) / mpmath.besseli(mpmath.mpf(m) / 2 - 1, kappa)
        return float(a), float(1 - a**2 - (m - 1) / mpmath.mpf(kappa) * a)


def cosines(m: int, kappa: float, count: int = 4001) -> tuple[np.ndarray, np.ndarray]:
    """(1 − w, CDF from w = 1 downwards) on a grid, by Simpson's rule over the angle."""
    width = min(np.pi, 12 * np.sqrt(max(m, 4) / kappa))
    angle = np.linspace(0, width, 2 * count - 1)
    log_density = special.xlogy(m - 2, np.sin(angle)) - 2 * kappa * np.sin(angle / 2) ** 2
    density = np.exp(log_density - log_density.max())
    steps = density[:-2:2] + 4 * density[1::2] + density[2::2]
    total = np.concatenate([[0.0], np.cumsum(steps)])
    return 2 * np.sin(angle[::2] / 2) ** 2, total / total[-1]


@pytest.mark.parametrize("m", DIMENSIONS)
def test_the_density_integrates_to_one_and_has_the_mean_cosine_a(m: int) -> None:
    """∫ exp(log_prob) = 1, E[w] = A_m(κ), dE[w]/dκ = A_m'(κ) by Gauss–Legendre over the angle; moments of the law."""
    points, weights = np.polynomial.legendre.leggauss(400)
    angle = torch.as_tensor(np.pi / 2 * (1 + points))
    area = log_area(m - 1) + (m - 2) * angle.sin().log()
    measure = torch.as_tensor(np.pi / 2 * weights) * area.exp()
    start = torch.eye(m, dtype=torch.float64)[0]
    z = torch.cat([angle.cos()[:, None], angle.sin()[:, None], torch.zeros(400, m - 2)], dim=-1)[:, None]

    def moments(kappa: Tensor) -> tuple[Tensor, Tensor]:
        mass = measure[:, None] * VonMisesFisher(start, kappa).log_prob(z).exp()
        return mass.sum(0), (mass * angle.cos()[:, None]).sum(0)

    kappa = torch.tensor(KAPPAS, dtype=torch.float64)
    one, zero = torch.ones_like(kappa), torch.zeros_like(kappa)
    ratio, slope = torch.tensor([bessel_ratio(m, k) for k in KAPPAS], dtype=torch.float64).T
    found, pullback = torch.func.vjp(moments, kappa)
    torch.testing.assert_close(found, (one, ratio))
    torch.testing.assert_close(pullback((one, zero))[0], zero)
    torch.testing.assert_close(pullback((zero, one))[0], slope)
    law = VonMisesFisher(start, kappa)
    torch.testing.assert_close(law.mean[:, 0], ratio, rtol=1e-12, atol=0.0)
    torch.testing.assert_close(law.variance[:, 0], slope, rtol=1e-9, atol=0.0)
    torch.testing.assert_close(law.variance[:, 1], ratio / kappa, rtol=1e-9, atol=0.0)


@pytest.mark.parametrize("m", DIMENSIONS)
def test_draws_have_the_mean_cosine_and_with_the_correction_its_derivative(m: int) -> None:
    """E[w] = A_m(κ) of the samples; d/dκ = E[dw/dκ + w ∇ log q/r], and the correction alone has mean 0."""
    kappa = torch.tensor(KAPPAS, dtype=torch.float64)
    noise = rejection_noise(law_of(m, kappa))

    def draw(kappa: Tensor, noise: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        law = law_of(m, kappa)
        draw = law.accept(noise)
        return (draw.z * law.mean_direction).sum(-1), draw.log_density

    def slopes(noise: dict[str, Tensor]) -> tuple[Tensor, ...]:
        (w, _), pullback = torch.func.vjp(lambda k: draw(k, noise), kappa)
        one, zero = torch.ones_like(w), torch.zeros_like(w)
        correction = pullback((zero, one))[0]
        return w, pullback((one, zero))[0] + w * correction, correction

    expected = torch.tensor([(*bessel_ratio(m, k), 0.0) for k in KAPPAS], dtype=torch.float64).T
    for found, exact in zip(torch.vmap(slopes)(noise), expected, strict=True):
        error = found.std(0) / DRAWS**0.5
        assert ((found.mean(0) - exact).abs() < BOUND * error).all(), (found.mean(0) - exact) / error


@pytest.mark.parametrize("m", [2, 5, 20])
def test_the_correction_is_not_small(m: int) -> None:
    """Dropped, as published code does, the derivative is wrong by more than 1 %, so the test above sees it."""
    kappa = torch.tensor(KAPPAS, dtype=torch.float64)
    noise = rejection_noise(law_of(m, kappa))

    def cosine(kappa: Tensor, noise: dict[str, Tensor]) -> Tensor:
        law = law_of(m, kappa)
        return (law.accept(noise).z * law.mean_direction).sum(-1)

    path = torch.vmap(lambda n: torch.func.grad(lambda k: cosine(k, n).sum())(kappa))(noise)
    exact = torch.tensor([bessel_ratio(m, k)[1] for k in KAPPAS], dtype=torch.float64)
    z = (path.mean(0) - exact) / (path.std(0) / DRAWS**0.5)
    assert (z.abs() > BOUND).any()


def test_the_path_in_three_dimensions_has_the_mean_cosine_and_its_derivative_exactly() -> None:
    """∫₀¹ w(u) du = A_3(κ) and ∫₀¹ dw/dκ du = A_3'(κ), by Gauss–Legendre in x with u = σ(x)."""
    kappa = torch.tensor(KAPPAS, dtype=torch.float64)
    points, weights = np.polynomial.legendre.leggauss(400)
    u = torch.sigmoid(torch.tensor(30 * points))
    mass = torch.tensor(30 * weights) * u * (1 - u)
    law, normal = law_of(3, kappa), torch.ones(len(KAPPAS), 3, dtype=torch.float64)

    def cosine(u: Tensor, kappa: Tensor) -> Tensor:
        z = law_of(3, kappa).path({"uniform": u.expand(len(KAPPAS)), "normal": normal})
        return (z * law.mean_direction).sum(-1)

    every = kappa.expand(len(u), len(KAPPAS)).clone()
    w, pullback = torch.func.vjp(lambda k: torch.vmap(cosine)(u, k), every)
    exact = torch.tensor([bessel_ratio(3, k) for k in KAPPAS], dtype=torch.float64).T
    torch.testing.assert_close(mass @ w, exact[0], rtol=1e-8, atol=0.0)
    torch.testing.assert_close(mass @ pullback(torch.ones_like(w))[0], exact[1], rtol=1e-8, atol=0.0)


EXTREMES = (1e-3, 0.1, 0.5, 10.5, 500.0, 1e4)


@pytest.mark.parametrize("m", [2, 3, 5, 10, 64])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_draws_follow_the_law_from_flat_to_sharp(m: int, dtype: torch.dtype) -> None:
    """Kolmogorov–Smirnov tests of the cosine, by the law's own path and by rejection; no draw fails."""
    law = law_of(m, torch.tensor(EXTREMES), dtype)
    noise = {name: draw.to(dtype) for name, draw in rejection_noise(law, 2000).items()}
    z, _, failed = torch.vmap(law.accept)(noise)
    own = draw_block({"z": law.noise()}, ("own", m), 2000, dtype=dtype)["z"]
    assert z.dtype == dtype
    assert not failed.any()
    torch.testing.assert_close(z.norm(dim=-1), torch.ones_like(z[..., 0]))
    for i, kappa in enumerate(EXTREMES):
        grid, cdf = cosines(m, kappa)
        for gap in (law._gap(z), law._gap(torch.vmap(law.path)(own))):
            found = np.interp(gap[:, i].double().numpy(), grid, cdf)
            assert stats.kstest(found, "uniform").pvalue > LEVEL, kappa


def test_the_shortcut_of_published_code_for_large_concentrations_would_be_seen(monkeypatch) -> None:
    """b = (m − 1) / 4κ with the acceptance test of the exact b: the wrong law (Davidson et al. 2018, their code)."""
    m, kappa = 40, 10.5
    exact = ulrich._envelope

    def shortcut(concentration: Tensor, dimension: int) -> Tensor:
        return torch.full_like(concentration, (dimension - 1) / (4 * kappa))

    law = law_of(m, kappa)
    noise = rejection_noise(law, 20_000)
    monkeypatch.setattr(ulrich, "_envelope", shortcut)
    gap = law._gap(torch.vmap(law.accept)(noise)[0])
    monkeypatch.setattr(ulrich, "_envelope", exact)
    grid, cdf = cosines(m, kappa)
    assert stats.kstest(np.interp(gap.numpy(), grid, cdf), "uniform").pvalue < LEVEL


@pytest.mark.parametrize("m", [2, 3, 5])
def test_directions_around_the_mean_are_uniform(m: int) -> None:
    """A coordinate t of the part orthogonal to μ, itself a direction in m − 1 dimensions."""
    law = law_of(m, 2.0)
    z = torch.vmap(law.accept)(rejection_noise(law))[0]
    around = unit(z - (z @ law.mean_direction)[:, None] * law.mean_direction)
    other = torch.eye(m, dtype=torch.float64)[0]
    t = (around @ unit(other - other @ law.mean_direction * law.mean_direction)).numpy()
    if m == 2:
        assert stats.binomtest(int((t > 0).sum()), DRAWS).pvalue > LEVEL
    else:
        beta = stats.beta((m - 2) / 2, (m - 2) / 2)
        assert stats.kstest((1 + t) / 2, beta.cdf).pvalue > LEVEL


@pytest.mark.parametrize("m", [2, 3, 5])
def test_the_path_turns_with_the_mean_direction(m: int) -> None:
    """dz = (dμ μᵀ − μ dμᵀ) z: the shortest rotation; the second derivative is that of a rotation, too."""
    law = law_of(m, 3.0)
    mu, normal = law.mean_direction, draw_block({"z": law.noise()}, ("turn",), 1, dtype=torch.float64)["z"]
    noise = {name: draw[0] for name, draw in normal.items()}
    step = torch.linspace(1, 0, m, dtype=torch.float64)
    step = step - (step @ mu) * mu

    def path(t: Tensor) -> Tensor:
        return VonMisesFisher(mu + t * step, law.concentration).path(noise)

    zero = torch.zeros((), dtype=torch.float64)
    z, slope = torch.func.jvp(path, (zero,), (torch.ones_like(zero),))
    torch.testing.assert_close(slope, step * (mu @ z) - mu * (step @ z))
    curvature = torch.func.jacfwd(torch.func.jacfwd(path))(zero)
    torch.testing.assert_close(slope @ slope + z @ curvature, zero)  # |z| = 1


@pytest.mark.parametrize("m", DIMENSIONS)
def test_divergences_are_those_of_high_precision(m: int) -> None:
    """KL to the uniform law is κ A_m(κ) − log 0F1(; m/2; κ²/4); KL to another law, and the entropy, follow from it."""
    kappa = torch.tensor([1e-3, *KAPPAS, 1e4], dtype=torch.float64)
    with mpmath.workdps(30):
        logs = [
            float(mpmath.log(mpmath.hyp0f1(mpmath.mpf(m) / 2, mpmath.mpf(k) ** 2 / 4)))
            for k in kappa.tolist()
        ]
        expected = [
            float(k * bessel_mp(m, k) - mpmath.log(mpmath.hyp0f1(mpmath.mpf(m) / 2, mpmath.mpf(k) ** 2 / 4)))
            for k in kappa.tolist()
        ]
    law, uniform = law_of(m, kappa), HypersphericalUniform(m, kappa.shape, dtype=torch.float64)
    torch.testing.assert_close(
        law.kl(uniform), torch.tensor(expected, dtype=torch.float64), rtol=1e-7, atol=0.0
    )
    torch.testing.assert_close(law.entropy(), uniform.entropy() - law.kl(uniform))
    other = VonMisesFisher(DIRECTION[m].flip(-1).expand(len(kappa), m), kappa.flip(0))
    ratio = torch.tensor([bessel_ratio(m, k)[0] for k in kappa.tolist()], dtype=torch.float64)
    value = torch.tensor(logs, dtype=torch.float64)
    closeness = DIRECTION[m] @ DIRECTION[m].flip(-1)
    cross = kappa * ratio - kappa.flip(0) * ratio * closeness - value + value.flip(0)
    torch.testing.assert_close(law.kl(other), cross, rtol=1e-9, atol=1e-9)


def bessel_mp(m: int, kappa: float) -> mpmath.mpf:
    return mpmath.besseli(mpmath.mpf(m) / 2, kappa) / mpmath.besseli(mpmath.mpf(m) / 2 - 1, kappa)


@pytest.mark.parametrize("m", [2, 3, 64])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_concentrations_and_noise_leave_everything_finite(m: int, dtype: torch.dtype) -> None:
    eps = torch.finfo(dtype).eps
    kappa = torch.tensor([1e-15, 1e-3, 1.0, 1e4, 1e10], dtype=dtype)
    for u in (eps / 4, 0.5, 1 - eps / 2):
        for own in (True, False):

            def everything(mu: Tensor, kappa: Tensor, own: bool = own, u: float = u) -> tuple[Tensor, ...]:
                law = VonMisesFisher(mu, kappa)
                specs = law.noise() if own else law.rejection_noise()
                fill = {"normal": 1.0, "accept": 0.0 + eps}
                noise = {
                    role: torch.full(spec.shape, fill.get(role, u), dtype=dtype)
                    for role, spec in specs.items()
                }
                z, extra, _ = (law.path(noise), kappa, None) if own else law.accept(noise)
                found = (z.sum(-1), extra, law.log_prob(z), law.entropy())
                return (*found, law.kl(HypersphericalUniform(m, (5,))))

            mu = torch.linspace(-1, 2, m, dtype=dtype).expand(5, m)
            values, pullback = torch.func.vjp(everything, mu, kappa)
            for value in (*values, *pullback(tuple(map(torch.ones_like, values)))):
                assert value.isfinite().all(), (u, own, value)


def test_failed_draws_are_told() -> None:
    """With every uniform at its largest each proposal far from the mean is refused."""
    law = law_of(5, torch.tensor([50.0, 50.0]))
    noise = {role: draw[0].clone() for role, draw in rejection_noise(law, 1).items()}
    noise["accept"][0], noise["angle"][0], noise["radius"][0] = 1 - 1e-16, 0.5, 1e-9
    z, _, failed = law.accept(noise)
    assert failed.tolist() == [True, False]
    assert z.isfinite().all()
