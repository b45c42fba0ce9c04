"""The Dirichlet toy against the Dirichlet law itself, closed forms and quadrature by scipy."""

import math

import numpy as np
import pytest
import torch
from scipy import special, stats

from reparam import Dirichlet, estimators, gradient_moments
from reparam.errors import ReparamError
from reparam.measure import dirichlet_multinomial as toy
from reparam.measure import points

FIRST = torch.tensor([1.2, 3.0], dtype=torch.float64)


def implicit(phi: float) -> tuple[float, float]:
    """Mean and variance of the implicit gradient by quadrature over two probabilities.

    f depends on the first gamma variable by −log g + 100 log(g + R), R the sum of the others.
    """
    total = float((1 + toy.data()[1:]).sum())
    u = 1 / (1 + np.exp(-np.arange(-60, 36, 0.25)))
    weight = u * (1 - u)
    g = special.gammaincinv(phi, u)
    h = 1e-4
    slope = (special.gammaincinv(phi + h, u) - special.gammaincinv(phi - h, u)) / (2 * h)
    r = stats.gamma(total).ppf(u)
    estimate = slope[:, None] * (100 / (g[:, None] + r) - 1 / g[:, None])
    mass = weight[:, None] * weight / weight.sum() ** 2
    keep = np.isfinite(estimate)
    mass, estimate = np.where(keep, mass, 0), np.where(keep, estimate, 0)
    mean = (mass * estimate).sum()
    return mean, (mass * (estimate - mean) ** 2).sum()


def test_the_data_are_the_notebook_s() -> None:
    x = toy.data()
    assert x.sum() == 100 and x[0] == 1 and len(x) == 100


def test_the_gradient_is_that_of_the_cross_entropy() -> None:
    """E_q[log Dir(z; 1 + x)] in closed form, differentiated by autograd."""
    first, x = FIRST.clone().requires_grad_(), toy.data()
    q = torch.cat([first.unsqueeze(-1), (1 + x[1:]).expand(2, -1)], -1)
    means = torch.digamma(q) - torch.digamma(q.sum(-1, keepdim=True))
    (exact,) = torch.autograd.grad(-(x * means).sum(), first)
    assert torch.allclose(toy.gradient(FIRST), exact)


def test_exact_moments_of_the_implicit_gradient() -> None:
    mean, variance = toy.exact(estimators.make("pathwise"), FIRST, torch.tensor(0.0))
    for i, phi in enumerate(FIRST.tolist()):
        expected = implicit(phi)
        assert mean[i].item() == pytest.approx(expected[0], rel=1e-5)
        assert variance[i].item() == pytest.approx(expected[1], rel=1e-5)


@pytest.mark.parametrize(("name", "options"), [("pathwise", {}), ("rsvi", {"boost": 0}), ("grep", {})])
def test_exact_means_are_the_gradient_whatever_the_constant(name: str, options: dict) -> None:
    for constant in (0.0, toy.normalised(), toy.log_joint()):
        mean, _ = toy.exact(estimators.make(name, options), FIRST, torch.tensor(constant))
        assert torch.allclose(mean, toy.gradient(FIRST), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("name", "options"), [("pathwise", {}), ("rsvi", {"boost": 10})])
def test_sampled_moments_are_those_of_the_dirichlet_law(name: str, options: dict) -> None:
    """The same estimators on Dir(φ, 1 + x₂, …) itself: means within 5 standard errors of both (false alarms: 1e-6),
    variances within a factor of 1.5 (they are known to 10 %)."""
    first, alpha = torch.tensor([3.0], dtype=torch.float64), 1 + toy.data()
    estimator = estimators.make(name, options)

    def direct(params, sample):
        z = sample("z", Dirichlet(torch.cat([params["q.first"], alpha[1:]])))
        return -Dirichlet(alpha).log_prob(z)

    one = gradient_moments(direct, {"q.first": first}, estimator, draws=500, seed=0)
    two = gradient_moments(toy.program(toy.normalised()), {"q.first": first}, estimator, draws=500, seed=1)
    error = (one.standard_error["q.first"].square() + two.standard_error["q.first"].square()).sqrt()
    assert abs(one.mean["q.first"] - two.mean["q.first"]) < 5 * error
    assert abs((one.variance["q.first"] / two.variance["q.first"]).log()) < math.log(1.5)


def test_constants_are_those_of_the_densities() -> None:
    x, z = toy.data(), torch.distributions.Dirichlet(torch.ones(100, dtype=torch.float64)).sample()
    logs = (x * z.log()).sum().item()
    assert toy.normalised() - logs == pytest.approx(-torch.distributions.Dirichlet(1 + x).log_prob(z).item())
    joint = torch.distributions.Multinomial(100, z).log_prob(x) + math.lgamma(100)
    assert toy.log_joint() - logs == pytest.approx(-joint.item())


def test_estimators_with_more_noise_are_refused() -> None:
    with pytest.raises(ReparamError, match="more than one number"):
        toy.exact(estimators.make("rsvi", {"boost": 1}), FIRST, torch.tensor(0.0))


def test_quadrature_rules() -> None:
    u, weight = points.uniform()
    assert (weight * u.log().square()).sum().item() == pytest.approx(2.0, rel=1e-10)
    z, weight = points.normal()
    assert points.moments(z**3, weight)[1].item() == pytest.approx(15.0)
    x, weight = points.interval(torch.zeros(()), torch.ones(()))
    assert (weight * x.rsqrt()).sum().item() == pytest.approx(2.0, rel=1e-7)
