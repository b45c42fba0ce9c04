"""Rejection of cosines to a mean direction: the law of angles, from flat to sharp, and exact derivatives by quadrature.

Draws of vectors are in test_von_mises_fisher.py.
"""

from __future__ import annotations

import mpmath
import numpy as np
import pytest
import torch
from scipy import stats

from reparam.distributions import VonMises, ulrich
from reparam.noise import draw_block

LEVEL = 1e-8
"""Probability that one Kolmogorov–Smirnov test fails though all is right; below 1e-6 for all of this file."""
KAPPAS = (1e-12, 1e-3, 0.5, 10.5, 500.0, 2e3, 1e4, 1e6, 1e10)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_von_mises_angles_follow_the_law_and_none_fails(dtype: torch.dtype) -> None:
    law = VonMises(torch.zeros(len(KAPPAS), dtype=dtype), torch.tensor(KAPPAS, dtype=dtype))
    noise = draw_block({"z": law.rejection_noise()}, ("angles",), 4000, dtype=dtype)["z"]
    z, _, failed = torch.vmap(law.accept)(noise)
    assert not failed.any()
    for angle, kappa in zip(z.double().T.numpy(), KAPPAS, strict=True):
        assert stats.kstest(angle, stats.vonmises(kappa).cdf).pvalue > LEVEL, kappa


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_concentrations_and_noise_leave_everything_finite(dtype: torch.dtype) -> None:
    eps = torch.finfo(dtype).eps
    kappa = torch.tensor([1e-15, 1e-3, 1.0, 1e4, 1e10], dtype=dtype)
    for u in (eps / 4, 0.25, 0.5, 1 - eps / 2):

        def everything(kappa: torch.Tensor, u: float = u) -> tuple[torch.Tensor, ...]:
            law = VonMises(torch.zeros_like(kappa), kappa, event_dims=0)
            noise = {
                role: torch.full(spec.shape, u, dtype=dtype) for role, spec in law.rejection_noise().items()
            }
            return law.accept(noise)[:2]

        values, pullback = torch.func.vjp(everything, kappa)
        for value in (*values, *pullback(tuple(map(torch.ones_like, values)))):
            assert value.isfinite().all(), (u, value)


DIMENSIONS = (2, 3, 4, 5, 10, 20, 40, 64)
RANGE = (0.1, 1.0, 9.0, 10.5, 12.0, 100.0, 500.0)


def accepted(m: int, kappa: torch.Tensor) -> tuple[np.ndarray, torch.Tensor]:
    """(angles on a grid [nodes], probabilities of accepted proposals e = sin²(angle / 2) there [nodes, κ]), by hand.

    w = (1 − (1 + b) e) / (1 − (1 − b) e) has the density ∝ e^{κ w} (1 − w²)^{(m−3)/2} in m dimensions. The grid is that
    of the midpoint rule, which converges exponentially.
    """
    angle = (np.pi / 2000 * (0.5 + np.arange(2000)))[:, None]
    e, k = np.sin(angle / 2) ** 2, kappa.numpy()
    b = (np.sqrt(4 * k**2 + (m - 1) ** 2) - 2 * k) / (m - 1)
    below = 1 - (1 - b) * e
    w = (1 - (1 + b) * e) / below
    log_density = k * (w - 1) + (m - 3) / 2 * np.log(4 * b * e * (1 - e) / below**2)
    density = np.exp(log_density) * 2 * b / below**2 * np.sin(angle)
    return angle[:, 0], torch.tensor(density / density.sum(0))


def noise_at(angle: np.ndarray, accept: torch.Tensor) -> dict[str, torch.Tensor]:
    """One proposal at each of these angles, on the unit circle, for uniforms [nodes, κ] that accept it."""
    turns = torch.tensor(angle / (2 * np.pi))[:, None].expand(accept.shape)
    noise = {"radius": torch.zeros_like(turns), "angle": turns, "accept": accept}
    return {role: entry.unsqueeze(-1) for role, entry in noise.items()}


def bessel_ratio(m: int, kappa: float) -> tuple[float, float]:
    """A_m(κ) and A_m'(κ)."""
    with mpmath.workdps(30):
        a = mpmath.besseli(mpmath.mpf(m) / 2, kappa) / mpmath.besseli(mpmath.mpf(m) / 2 - 1, kappa)
        return float(a), float(1 - a**2 - (m - 1) / mpmath.mpf(kappa) * a)


@pytest.mark.parametrize("m", DIMENSIONS)
def test_path_and_correction_add_up_to_the_exact_derivative_of_the_mean_cosine(m: int) -> None:
    """E[w] = A_m(κ) and d/dκ E[w] = E[dw/dκ + w ∇ log π] = A_m'(κ) to 1e-6, and the correction has mean 0."""
    kappa = torch.tensor(RANGE, dtype=torch.float64)
    angle, mass = accepted(m, kappa)
    noise = noise_at(angle, torch.zeros_like(mass))

    def draw(kappa: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        cosine = ulrich.accept_cosine(kappa, m, noise)
        return 1 - cosine.gap, cosine.log_density

    every = kappa.expand(len(angle), len(RANGE)).clone()
    (w, _), pullback = torch.func.vjp(draw, every)
    one, zero = torch.ones_like(w), torch.zeros_like(w)
    slope, correction = pullback((one, zero))[0], pullback((zero, one))[0]
    exact = torch.tensor([bessel_ratio(m, k) for k in RANGE], dtype=torch.float64).T
    torch.testing.assert_close((mass * w).sum(0), exact[0], rtol=1e-6, atol=0.0)
    torch.testing.assert_close((mass * (slope + w * correction)).sum(0), exact[1], rtol=1e-6, atol=0.0)
    torch.testing.assert_close((mass * correction).sum(0), torch.zeros_like(kappa), rtol=0.0, atol=1e-7)


@pytest.mark.parametrize("m", DIMENSIONS)
def test_a_proposal_is_accepted_as_often_as_the_ratio_of_the_densities_says(m: int) -> None:
    """The largest uniform that accepts, over its largest anywhere, against q/r by hand, at proposals on a grid."""
    kappa = torch.tensor(RANGE, dtype=torch.float64)
    angle, mass = accepted(m, kappa)
    ratio = mass / torch.tensor(np.sin(angle) ** (m - 2))[:, None]  # to proposals, on the same nodes
    expected = (ratio / ratio.amax(0))[::20]
    low, high = torch.zeros_like(expected), torch.ones_like(expected)
    for _ in range(25):
        middle = (low + high) / 2
        failed = ulrich.accept_cosine(kappa, m, noise_at(angle[::20], middle)).failed
        low, high = torch.where(failed, low, middle), torch.where(failed, middle, high)
    torch.testing.assert_close(low, expected, rtol=1e-4, atol=1e-7)
