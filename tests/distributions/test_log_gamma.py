"""Gamma variables from noise whose law depends on the shape: exact gradients by quadrature over it, and the law."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import special, stats
from torch import Tensor

from reparam.distributions import Gamma, log_gamma
from reparam.noise import draw_block

LEVEL = 1e-8
"""Probability that one Kolmogorov–Smirnov test fails though all is right; below 1e-6 for all of this file."""
FUNCTIONS = {  # f of log z, and d/dα E f
    "z": (torch.exp, lambda a: 1.0),
    "z²": (lambda log_z: (2 * log_z).exp(), lambda a: 2 * a + 1),
    "log z": (lambda log_z: log_z, lambda a: special.polygamma(1, a)),
}


def proposals(shape: float) -> tuple[Tensor, Tensor]:
    """(ε of accepted proposals on a grid, their probabilities), by hand: π ∝ e^{3d log y − d y³}, y = 1 + ε/(3√d)."""
    d = shape - 1 / 3
    low = max(-3 * math.sqrt(d), -14)
    epsilon = np.linspace(low, 14, 40_001)[1:]
    y = 1 + epsilon / (3 * math.sqrt(d))
    mass = np.exp(3 * d * np.log(y) - d * (y**3 - 1))
    return torch.tensor(epsilon), torch.tensor(mass / mass.sum())


def accepted(shape: float) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """log x, d log x/dα and d log π/dα of the code at these ε, all accepted, without a boost, with their masses."""
    epsilon, mass = proposals(shape)
    noise = {
        "proposal": epsilon[:, None].expand(-1, log_gamma.PROPOSALS),
        "accept": torch.full((len(epsilon), log_gamma.PROPOSALS), 1e-300, dtype=torch.float64),
    }
    alpha = torch.full_like(epsilon, shape)
    part, pullback = torch.func.vjp(lambda a: log_gamma.accept(a, noise)[:2], alpha)
    one, zero = torch.ones_like(alpha), torch.zeros_like(alpha)
    return part[0], pullback((one, zero))[0], pullback((zero, one))[0], mass, epsilon


@pytest.mark.parametrize("shape", [1.0, 2.0, 5.0, 10.0, 1000.0])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_path_and_correction_add_up_to_the_exact_derivative(shape: float, name: str) -> None:
    log_x, slope, correction, mass, _ = accepted(shape)
    f, exact = FUNCTIONS[name]
    derivative = f(log_x) if name == "z" else 2 * f(log_x) if name == "z²" else torch.ones_like(log_x)
    found = (mass * (derivative * slope + f(log_x) * correction)).sum()
    assert found.item() == pytest.approx(exact(shape), rel=1e-6)
    assert (mass * correction).sum().item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("name", "errors"),
    [
        ("z", (2.44, 0.55, 0.080, 0.019)),
        ("z²", (-2.85, -0.75, -0.13, -0.035)),
        ("log z", (16.2, 2.85, 0.36, 0.081)),
    ],
)
def test_without_the_correction_the_error_is_the_known_one(name: str, errors: tuple[float, ...]) -> None:
    """Per cent, at shapes of 1, 2, 5, 10, to the digits given."""
    for shape, error in zip((1.0, 2.0, 5.0, 10.0), errors, strict=True):
        log_x, slope, _, mass, _ = accepted(shape)
        f, exact = FUNCTIONS[name]
        derivative = f(log_x) if name == "z" else 2 * f(log_x) if name == "z²" else torch.ones_like(log_x)
        found = 100 * ((mass * derivative * slope).sum().item() / exact(shape) - 1)
        assert found == pytest.approx(error, rel=0.04)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("boost", [0, 1, 4, 20])
def test_draws_follow_the_law_and_none_fails(boost: int, dtype: torch.dtype) -> None:
    """Kolmogorov–Smirnov tests of log x, which does not underflow."""
    alpha = torch.tensor([1.0, 1.5, 8.0, 1e4] if boost == 0 else [1e-3, 0.05, 0.7, 3.0, 1e4], dtype=dtype)
    specs = log_gamma.rejection_noise((len(alpha),), boost)
    noise = draw_block({"z": specs}, ("gamma", boost), 2000, dtype=dtype)["z"]
    log_x, _, failed = torch.vmap(lambda n: log_gamma.accept(alpha, n))(noise)
    assert not failed.any()
    for x, a in zip(log_x.T.double().numpy(), alpha.double().numpy(), strict=True):
        assert stats.kstest(x, stats.loggamma(a).cdf).pvalue > LEVEL, a


def test_the_standardised_logarithm_is_that_of_the_sample_itself() -> None:
    """Its value is the law's own path, its noise has mean 0 and variance 1, and its density integrates to one."""
    law = Gamma(torch.tensor([0.3, 2.0, 40.0]).double(), torch.tensor([2.0, 0.5, 1.0]).double())
    noise = {"uniform": torch.tensor([0.1, 0.5, 0.97], dtype=torch.float64)}
    torch.testing.assert_close(law.standardize(noise).z, law.path(noise))
    t = torch.linspace(-60, 12, 20_001, dtype=torch.float64)
    for a in (0.5, 2.0, 40.0):
        alpha = torch.full_like(t, a)
        center, spread = special.digamma(a), math.sqrt(special.polygamma(1, a))
        mass = log_gamma.standardize(alpha, center + spread * t).log_density.exp() * (t[1] - t[0])
        assert mass.sum().item() == pytest.approx(1, rel=1e-6)
        assert (mass * t).sum().item() == pytest.approx(0, abs=1e-6)
        assert (mass * t**2).sum().item() == pytest.approx(1, rel=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("boost", [1, 4, None])
def test_extreme_shapes_and_noise_leave_everything_finite(boost: int | None, dtype: torch.dtype) -> None:
    eps = torch.finfo(dtype).eps
    shape, rate = torch.meshgrid(
        torch.tensor([1e-3, 0.1, 1.0, 1e3, 1e6], dtype=dtype),
        torch.tensor([1e-6, 1.0, 1e6], dtype=dtype),
        indexing="ij",
    )
    for u in (eps / 4, 0.5, 1 - eps / 2):
        for normal in (-6.0, 0.0, 6.0):

            def everything(shape: Tensor, rate: Tensor, u: float = u, normal: float = normal):
                law = Gamma(shape, rate, event_dims=1)
                specs = law.noise() if boost is None else law.rejection_noise(boost)
                noise = {
                    role: torch.full(spec.shape, normal if spec.kind == "normal" else u, dtype=dtype)
                    for role, spec in specs.items()
                }
                draw = law.standardize(noise) if boost is None else law.accept(noise)
                return draw.z.log(), draw.log_density

            values, pullback = torch.func.vjp(everything, shape, rate)
            for value in (*values, *pullback(tuple(map(torch.ones_like, values)))):
                assert value.isfinite().all(), (u, normal, value)


def test_failed_draws_are_told() -> None:
    law = Gamma(torch.tensor([[2.0], [2.0]]), torch.ones(2, 1))
    noise = {role: torch.full(spec.shape, 0.5) for role, spec in law.rejection_noise(1).items()}
    noise["proposal"][1] = -20.0
    z, _, failed = law.accept(noise)
    assert failed.tolist() == [False, True]
    assert z.isfinite().all()
