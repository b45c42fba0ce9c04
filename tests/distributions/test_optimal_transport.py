"""The optimal-transport derivative of a full Normal law: the equation it solves, its expectations, its variance."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import torch
from scipy.linalg import solve_continuous_lyapunov
from torch import Tensor

from reparam.distributions import MultivariateNormal, OMTMultivariateNormal
from reparam.engine.paths import build
from reparam.noise import draw, generator

D = torch.float64
TRILS = {
    "mixed": [[1.3, 0.0, 0.0], [0.5, 0.4, 0.0], [-2.0, 1.0, 2.2]],
    "unit": [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
    "badly conditioned": [[1e-3, 0.0, 0.0], [0.3, 1e-2, 0.0], [-2.0, 1.0, 5.0]],
}
LOC = torch.tensor([0.3, -1.0, 0.5], dtype=D)


def tril(name: str) -> Tensor:
    return torch.tensor(TRILS[name], dtype=D)


def some_noise(*shape: int, dtype: torch.dtype = D) -> Tensor:
    return draw("normal", (*shape, 3), generator("transport"), dtype)


def path(factor: Tensor, noise: Tensor) -> Tensor:
    return OMTMultivariateNormal(LOC.to(factor), scale_tril=factor).path({"normal": noise})


@pytest.mark.parametrize("name", TRILS)
def test_the_velocity_is_the_symmetric_solution_of_lyapunov_s_equation(name: str) -> None:
    """Against SciPy's solver, for a random change of L, by backward and by forward mode."""
    factor, noise = tril(name), some_noise(1)[0]
    change = draw("normal", (3, 3), generator("transport", "change"), D).tril()
    covariance, half = (factor @ factor.T).numpy(), (change @ factor.T).numpy()
    solution = torch.from_numpy(solve_continuous_lyapunov(covariance, half + half.T))
    torch.testing.assert_close(solution, solution.T)
    expected = solution @ (factor @ noise)
    _, forward = torch.func.jvp(lambda t: path(t, noise), (factor,), (change,))
    backward = torch.einsum("iab,ab->i", torch.func.jacrev(lambda t: path(t, noise))(factor), change)
    torch.testing.assert_close(forward, expected, rtol=1e-7, atol=1e-9)
    torch.testing.assert_close(backward, expected, rtol=1e-7, atol=1e-9)


def test_the_samples_and_the_derivative_in_the_mean_are_those_of_the_cholesky_path() -> None:
    law, other = (kind(LOC, scale_tril=tril("mixed")) for kind in (OMTMultivariateNormal, MultivariateNormal))
    noise = {"normal": some_noise(5)}
    torch.testing.assert_close(law.path(noise), other.path(noise))
    jacobian = torch.func.jacrev(
        lambda loc: OMTMultivariateNormal(loc, scale_tril=tril("mixed")).path({"normal": some_noise(1)[0]})
    )(LOC)
    torch.testing.assert_close(jacobian, torch.eye(3, dtype=D))


# ---- expectations by Gauss–Hermite quadrature ---------------------------------------------------------------------

NODES, WEIGHTS = (torch.from_numpy(x) for x in np.polynomial.hermite_e.hermegauss(24))
GRID = torch.tensor(list(product(NODES.tolist(), repeat=2)), dtype=D)
MASS = torch.tensor([a * b for a, b in product(WEIGHTS.tolist(), repeat=2)], dtype=D) / (2 * math.pi)
W = torch.tensor([1.0, 1.0], dtype=D)


def expected_cosine(entries: Tensor) -> Tensor:
    """E cos(w·z) = exp(−wᵀ Σ w / 2) for mean zero."""
    factor = entries_to_tril(entries)
    return torch.exp(-0.5 * (W @ factor).square().sum())


def entries_to_tril(entries: Tensor) -> Tensor:
    a, b, c = entries
    return torch.stack([torch.stack([a, torch.zeros_like(a)]), torch.stack([b, c])])


def cosine(entries: Tensor, noise: Tensor, kind: type[MultivariateNormal] = OMTMultivariateNormal) -> Tensor:
    law = kind(torch.zeros(2, dtype=D), scale_tril=entries_to_tril(entries))
    return torch.cos(law.path({"normal": noise}) @ W)


@pytest.mark.parametrize("entries", [[1.2, 0.5, 0.7], [1.0, 0.0, 1.0], [0.9, -1.5, 0.4]])
def test_mean_gradient_and_mean_hessian_are_exact(entries: list[float]) -> None:
    """For three entries of L; at equal singular values, too."""
    at = torch.tensor(entries, dtype=D)
    gradients = torch.vmap(lambda n: torch.func.grad(cosine)(at, n))(GRID)
    torch.testing.assert_close(MASS @ gradients, torch.func.grad(expected_cosine)(at), rtol=1e-9, atol=1e-9)
    hessians = torch.vmap(lambda n: torch.func.jacrev(torch.func.grad(cosine))(at, n))(GRID)
    mean = torch.einsum("n,nab->ab", MASS, hessians)
    torch.testing.assert_close(mean, torch.func.hessian(expected_cosine)(at), rtol=1e-8, atol=1e-8)


def test_its_gradient_varies_less_than_the_cholesky_path_s() -> None:
    """A bivariate Normal with L = [[1, 0], [θ, 1]] and f = cos(w·z): exact variances of d/dθ (OMT, Fig. 1)."""
    ratios = []
    for theta in (-3.0, -1.0, -0.25, 0.0, 0.5, 2.0):
        at = torch.tensor([1.0, theta, 1.0], dtype=D)
        variances = []
        for kind in (OMTMultivariateNormal, MultivariateNormal):
            g = torch.vmap(lambda n, at=at, kind=kind: torch.func.grad(cosine)(at, n, kind)[1])(GRID)
            variances.append((MASS @ g.square() - (MASS @ g) ** 2).item())
        ratios.append(variances[0] / variances[1])
    assert all(ratio < 1 for ratio in ratios), ratios
    assert min(ratios) < 0.7 and ratios[0] > 0.8, ratios  # most near θ = 0; the two meet far out


@pytest.mark.parametrize("path_name", ["traced", pytest.param("compiled", marks=pytest.mark.slow)])
def test_every_path_has_the_eager_gradient(path_name: str) -> None:
    factor, noise = tril("mixed"), some_noise(4)

    def gradients(factor: Tensor, noise: Tensor) -> Tensor:
        return torch.vmap(lambda n: torch.func.grad(lambda t: path(t, n).pow(3).sum())(factor))(noise)

    found = build(gradients, (factor, noise), path_name)(factor, noise)
    torch.testing.assert_close(found, gradients(factor, noise))
    if path_name == "compiled":
        bare = torch.compile(lambda t: path(t, noise[0]).pow(3).sum())
        leaf = factor.clone().requires_grad_()
        bare(leaf).backward()
        assert leaf.grad is not None
        torch.testing.assert_close(leaf.grad, gradients(factor, noise)[0])


def test_a_plate_of_covariances_and_one_covariance_for_a_plate() -> None:
    factors = torch.stack([tril("mixed"), tril("unit")])
    noise = some_noise(2)
    both = torch.func.grad(lambda t: path(t, noise).pow(2).sum())(factors)
    for i in range(2):
        single = torch.func.grad(lambda t, i=i: path(t, noise[i]).pow(2).sum())(factors[i])
        torch.testing.assert_close(both[i], single)
    law = OMTMultivariateNormal(LOC.expand(2, 3), scale_tril=tril("mixed"))
    assert law.path({"normal": noise}).shape == (2, 3)
