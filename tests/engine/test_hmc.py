"""HMC against a Gaussian whose moments are known."""

import math

import torch

from reparam.engine import hmc
from reparam.noise import draw, generator

MEAN = torch.tensor([1.0, -2.0], dtype=torch.float64)
COVARIANCE = torch.tensor([[1.0, 0.6], [0.6, 0.8]], dtype=torch.float64)


def log_density(z: torch.Tensor) -> torch.Tensor:
    law = torch.distributions.MultivariateNormal(MEAN, COVARIANCE, validate_args=False)
    return law.log_prob(z)


def noise(name: str, *plate: int) -> tuple[torch.Tensor, torch.Tensor]:
    source = generator("test", "hmc", name)
    normal = draw("normal", (*plate, 2), source, torch.float64)
    return normal, draw("uniform", plate, source, torch.float64)


def step_size(value: float) -> torch.Tensor:
    return torch.tensor(value, dtype=torch.float64)


def test_the_target_is_left_invariant() -> None:
    """20,000 exact draws, three transitions; five moments within 4.5 standard errors: false alarm 4e-5."""
    chains = 20_000
    start, _ = noise("start", chains)
    z = MEAN + start @ torch.linalg.cholesky(COVARIANCE).T
    for i in range(3):
        momentum, uniform = noise(f"step{i}", chains)
        z, acceptance = hmc.transition(log_density, z, step_size(0.9), momentum, uniform, 3)
        assert 0.5 < acceptance.mean() < 0.95
    error = (z.mean(0) - MEAN) / (COVARIANCE.diag() / chains).sqrt()
    assert error.abs().max() < 4.5
    centred = z - MEAN
    second = centred.T @ centred / chains
    spread = (COVARIANCE.diag()[:, None] * COVARIANCE.diag() + COVARIANCE.square()).sqrt() / math.sqrt(chains)
    assert ((second - COVARIANCE) / spread).abs().max() < 4.5


def test_without_the_metropolis_step_it_would_not_be() -> None:
    """The invariance test has power: always accepting at this step size breaks the second moments."""
    chains = 20_000
    start, _ = noise("start", chains)
    z = MEAN + start @ torch.linalg.cholesky(COVARIANCE).T
    for i in range(3):
        momentum, _ = noise(f"step{i}", chains)
        z = hmc.leapfrog(log_density, z, momentum, step_size(0.9), 3).z
    second = (z - MEAN).T @ (z - MEAN) / chains
    assert (second - COVARIANCE).abs().max() > 10 * 1.5 / math.sqrt(chains)


def test_leapfrog_is_reversible_and_of_second_order() -> None:
    momentum, _ = noise("reverse", 50)
    z, _ = noise("position", 50)
    end = hmc.leapfrog(log_density, z, momentum, step_size(0.1), 10)
    back = hmc.leapfrog(log_density, end.z, -end.momentum, step_size(0.1), 10)
    torch.testing.assert_close(back.z, z)
    torch.testing.assert_close(back.momentum, -momentum)

    def energy_error(step: float, count: int) -> torch.Tensor:
        end = hmc.leapfrog(log_density, z, momentum, step_size(step), count)
        change = log_density(end.z) - log_density(z) - 0.5 * (end.momentum**2 - momentum**2).sum(-1)
        torch.testing.assert_close(end.after - end.before, change)
        return change.abs().mean()

    ratio = energy_error(0.1, 10) / energy_error(0.05, 20)
    assert 3.5 < ratio < 4.5


def test_step_size_reaches_the_target_acceptance() -> None:
    """Mean acceptance of the last 50 transitions of 500 chains within 0.02 of 0.9."""
    z, _ = noise("start", 500)
    step = step_size(5.0)
    seen = []
    for i in range(150):
        momentum, uniform = noise(f"adapt{i}", 500)
        z, acceptance = hmc.transition(log_density, z, step, momentum, uniform, 4)
        step = hmc.adapt(step, acceptance.mean())
        seen.append(acceptance.mean())
    assert abs(torch.stack(seen[-50:]).mean() - 0.9) < 0.02


def test_a_proposal_that_is_not_a_number_is_refused() -> None:
    def broken(z: torch.Tensor) -> torch.Tensor:
        return torch.where(z[..., 0] > 0, torch.nan, -0.5 * z.square().sum(-1))

    z = torch.tensor([[-0.1, 0.0], [-3.0, 0.0]], dtype=torch.float64)
    momentum = torch.tensor([[1.0, 0.0], [-1.0, 0.0]], dtype=torch.float64)
    uniform = torch.full((2,), 0.5, dtype=torch.float64)
    moved, acceptance = hmc.transition(broken, z, step_size(0.3), momentum, uniform, 2)
    assert torch.equal(moved[0], z[0]) and acceptance[0] == 0
    assert moved[1, 0] != z[1, 0] and acceptance[1] > 0.9
