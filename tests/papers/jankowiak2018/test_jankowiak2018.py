"""Both paths against velocities written by hand, and the residual of a wrong one."""

from functools import partial

import numpy as np
import pytest
import torch
from findings import findings

from reparam import estimators
from reparam.papers.jankowiak2018 import procedures as paper

THETA = torch.tensor([-2.0, -0.25, 0.0, 3.0], dtype=torch.float64)


def by_hand(theta: float, transport: bool) -> tuple[float, float]:
    """Mean and variance of −sin(z₁ + z₂) (1, 1)·A z, with the A of either path, by a trapezoidal rule.

    Cholesky: A = dL L⁻¹. Transport: the symmetric A with A Σ + Σ A = dΣ, by the linear system of its three entries.
    """
    scale, change = np.array([[1.0, 0.0], [theta, 1.0]]), np.array([[0.0, 0.0], [1.0, 0.0]])
    a = change @ np.linalg.inv(scale)
    if transport:
        (p, q), (_, r) = scale @ scale.T
        d = change @ scale.T + scale @ change.T
        system = np.array([[2 * p, 2 * q, 0], [q, p + r, q], [0, 2 * q, 2 * r]])
        x, y, w = np.linalg.solve(system, [d[0, 0], d[0, 1], d[1, 1]])
        a = np.array([[x, y], [y, w]])
    line = np.arange(-9, 9, 0.05)
    e = np.stack(np.meshgrid(line, line, indexing="ij"), -1)
    mass = np.exp(-(e**2).sum(-1) / 2)
    z = e @ scale.T
    estimate = -np.sin(z.sum(-1)) * (z @ a.T).sum(-1)
    mean = np.average(estimate, weights=mass)
    return mean, np.average((estimate - mean) ** 2, weights=mass)


@pytest.mark.parametrize("law", ["cholesky", "transport"])
def test_exact_moments_are_those_of_velocities_by_hand(law: str) -> None:
    mean, variance = paper.exact(estimators.make("pathwise"), law, THETA)
    assert torch.allclose(mean, paper.mean_gradient(THETA), rtol=0, atol=1e-10)
    for i, theta in enumerate(THETA.tolist()):
        assert np.allclose((mean[i], variance[i]), by_hand(theta, law == "transport"), rtol=0, atol=1e-8)


def test_the_mean_is_the_derivative_of_the_expectation() -> None:
    """E[cos(z₁ + z₂)] = exp(−½ ((1 + θ)² + 1))."""
    theta = THETA.clone().requires_grad_()
    (exact,) = torch.autograd.grad(torch.exp(-((1 + theta).square() + 1) / 2).sum(), theta)
    assert torch.allclose(paper.mean_gradient(THETA), exact)


found = partial(findings, "jankowiak2018")


def test_rows_of_the_bivariate_experiment() -> None:
    """4,000 draws: sampled means within 5 standard errors of the exact ones (false alarms: 1e-6)."""
    rows = found("bivariate", {"law": "transport", "theta": [-0.25, 0.0, 0.25], "draws": 4000})
    assert rows[0, "theta_least"] == -0.25 and rows[0, "variance_least"] == rows[0, "variance"]
    for step in (0, 1):
        error = (rows[step, "variance"] / 4000) ** 0.5
        assert abs(rows[step, "mean_sampled"] - rows[step, "mean_true"]) < 5 * error


def test_other_noise_has_no_exact_moments() -> None:
    rows = found("bivariate", {"law": "cholesky", "theta": [0.0, 0.0, 1.0], "draws": 2}, samples=2)
    assert (0, "variance") not in rows and (0, "variance_sampled") in rows


def test_a_wrong_velocity_has_a_residual() -> None:
    theta, z = torch.tensor(0.5, dtype=torch.float64), torch.tensor([0.4, -1.0], dtype=torch.float64)
    velocity, log_density = paper.DENSITIES["transport"]
    right, wrong = (
        paper.residual(v, log_density, theta, z).abs() for v in (velocity, lambda t, z: 1.01 * velocity(t, z))
    )
    assert right < 1e-9 and wrong > 1e-4


def test_the_ratio_of_an_estimator_to_itself_is_one() -> None:
    rows = found("beta", {"alpha": [0.5, 2.0], "beta": 1.0, "draws": 100})
    assert rows[0, "ratio"] == rows[1, "ratio"] == 1 and abs(rows[0, "slope"]) < 1e-12
