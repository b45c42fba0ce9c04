"""Oracles against closed forms, against scipy's own quadrature and against each other."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from reparam.distributions import (
    Bernoulli,
    Beta,
    Categorical,
    Dirichlet,
    Gamma,
    LogitRelaxedBernoulli,
    Normal,
    OneHotCategorical,
    VonMises,
    VonMisesFisher,
)
from reparam.errors import ReparamError
from reparam.estimators.card import Part
from reparam.measure.problems import PROBLEMS
from reparam.oracles import objectives
from reparam.oracles.states import table


def gradients(value: torch.Tensor, params: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return dict(zip(params, torch.autograd.grad(value.sum(), list(params.values())), strict=True))


def part(of: str, samples: int) -> tuple[Part]:
    return (Part(1.0, of, samples),)


def doubles(**values: list) -> dict[str, torch.Tensor]:
    return {
        name: torch.tensor(value, dtype=torch.float64, requires_grad=True) for name, value in values.items()
    }


@pytest.mark.parametrize("key", PROBLEMS)
def test_probabilities_of_all_states_sum_to_one(key: str) -> None:
    problem = PROBLEMS[key]
    params = {name: p.double() for name, p in problem.params.items()}
    mass = table(problem.program, params).mass
    torch.testing.assert_close(mass.sum(0), torch.ones_like(mass[0]), rtol=0, atol=1e-12)
    assert (mass >= 0).all()


def test_one_bit_is_the_hand_calculation() -> None:
    """E (z − t)² = p (1 − t)² + q t²; its slope in the logit is p q (1 − 2 t)."""
    params = doubles(logits=[[0.4], [-1.1]])

    def program(params, sample):
        return (sample("z", Bernoulli(logits=params["logits"])) - 0.3).square().sum(-1)

    p = torch.sigmoid(params["logits"])
    found = objectives.expectation(program, params)
    torch.testing.assert_close(found, (p * 0.49 + (1 - p) * 0.09)[:, 0])
    torch.testing.assert_close(gradients(found, params)["logits"], p * (1 - p) * 0.4)


def test_one_hot_and_index_are_the_sum_over_categories() -> None:
    params = doubles(logits=[[0.4, -0.3, 1.0]], costs=[2.0, -1.0, 0.5])
    costs, probs = params["costs"], params["logits"].softmax(-1)
    exact = (probs * costs).sum(-1)
    slopes = {"logits": probs * (costs - exact), "costs": probs[0]}

    def one_hot(params, sample):
        return (sample("z", OneHotCategorical(logits=params["logits"])) * params["costs"]).sum(-1)

    def index(params, sample):
        return params["costs"][sample("z", Categorical(logits=params["logits"]))]

    for program in (one_hot, index):
        found = objectives.expectation(program, params)
        torch.testing.assert_close(found, exact)
        torch.testing.assert_close(gradients(found, params), slopes)


def test_normal_moments_are_the_closed_form() -> None:
    """E z⁴ = μ⁴ + 6 μ² σ² + 3 σ⁴, with its slopes, although the samples are constants."""
    params = doubles(loc=[[0.7]], scale=[[0.4]])

    def program(params, sample):
        return sample("z", Normal(params["loc"], params["scale"])).pow(4).sum(-1)

    loc, scale = params["loc"], params["scale"]
    exact = (loc**4 + 6 * loc**2 * scale**2 + 3 * scale**4)[:, 0]
    found = objectives.expectation(program, params)
    torch.testing.assert_close(found, exact)
    torch.testing.assert_close(gradients(found, params), gradients(exact, params))


def test_a_logistic_law_is_scipy_s_integral() -> None:
    """E log(1 + z²) for z = (θ + logit(u)) / τ, with its slopes in θ and τ by differences."""
    params = doubles(logits=[[0.6]], temperature=0.8)

    def program(params, sample):
        z = sample("z", LogitRelaxedBernoulli(params["temperature"], logits=params["logits"]))
        return torch.log1p(z.square()).sum(-1)

    def exact(theta: float, tau: float) -> float:
        def integrand(x: float) -> float:
            return math.log1p(((theta + x) / tau) ** 2) * stats.logistic.pdf(x)

        return integrate.quad(integrand, -60, 60, epsabs=1e-12, limit=400)[0]

    found = objectives.expectation(program, params)
    np.testing.assert_allclose(found.item(), exact(0.6, 0.8), rtol=1e-8)
    slopes, h = gradients(found, params), 1e-4
    by_theta = (exact(0.6 + h, 0.8) - exact(0.6 - h, 0.8)) / (2 * h)
    by_tau = (exact(0.6, 0.8 + h) - exact(0.6, 0.8 - h)) / (2 * h)
    np.testing.assert_allclose(slopes["logits"].item(), by_theta, rtol=1e-6)
    np.testing.assert_allclose(slopes["temperature"].item(), by_tau, rtol=1e-6)


def test_layers_of_different_laws_follow_each_other() -> None:
    """E (w − z)² with w = N(a z + b, s) and z a bit of probability p: p (a + b − 1)² + q b² + s²."""
    params = doubles(logits=[[0.4]], a=[0.8], b=[-0.3], s=[0.6])

    def program(params, sample):
        z = sample("z", Bernoulli(logits=params["logits"]))
        w = sample("w", Normal(params["a"] * z + params["b"], params["s"].expand_as(z)))
        return (w - z).square().sum(-1)

    p = torch.sigmoid(params["logits"])[:, 0]
    a, b, s = params["a"], params["b"], params["s"]
    exact = p * (a + b - 1).square() + (1 - p) * b.square() + s.square()
    found = objectives.expectation(program, params)
    torch.testing.assert_close(found, exact)
    torch.testing.assert_close(gradients(found, params), gradients(exact, params))


def test_bound_of_one_sample_is_the_expectation_and_of_many_tends_to_the_evidence() -> None:
    """Each further sample tightens it (Burda et al. 2016, Theorem 1); log Σ_z p(x, z) is above all of them."""
    problem = PROBLEMS["bits_log_weight"]
    params = {name: p.double() for name, p in problem.params.items()}
    one = objectives.bound(problem.program, params, 1)
    torch.testing.assert_close(one, objectives.expectation(problem.program, params))
    states = table(problem.program, params)
    evidence = (states.value + states.log_q).logsumexp(0)
    bounds = [one, *(objectives.bound(problem.program, params, k) for k in (2, 3, 6)), evidence]
    assert all((lower < upper).all() for lower, upper in pairwise(bounds))
    assert (evidence - bounds[-2] < 0.4 * (evidence - one)).all()


def test_bound_of_two_normal_samples_is_scipy_s_double_integral() -> None:
    params = doubles(loc=[[0.3]], shift=[0.9])

    def program(params, sample):
        z = sample("z", Normal(params["loc"], torch.full_like(params["loc"], 0.7)))
        return -(z - params["shift"]).square().sum(-1)

    def integrand(y: float, x: float) -> float:
        density = stats.norm.pdf(x, 0.3, 0.7) * stats.norm.pdf(y, 0.3, 0.7)
        return density * math.log((math.exp(-((x - 0.9) ** 2)) + math.exp(-((y - 0.9) ** 2))) / 2)

    total = integrate.dblquad(integrand, -6, 6, -6, 6, epsabs=1e-9)[0]
    found = objectives.bound(program, params, 2, nodes=40)
    np.testing.assert_allclose(found.item(), total, atol=1e-4)


def test_gradients_of_the_normal_bound_have_converged_in_the_nodes() -> None:
    """Within 1e-6 of a rule with 40 nodes, far below the sampling error of any check that uses them."""
    problem = PROBLEMS["normal_log_weight"]
    params = {name: p.double().requires_grad_() for name, p in problem.params.items()}
    coarse, fine = (gradients(objectives.bound(problem.program, params, 2, n), params) for n in (24, 40))
    torch.testing.assert_close(coarse, fine, rtol=0, atol=1e-6)


@pytest.mark.parametrize("key", [key for key, problem in PROBLEMS.items() if problem.log_weight])
def test_wake_has_the_bound_s_slope_in_the_model_and_its_own_in_the_guide(key: str) -> None:
    """With one sample the guide follows E[∇ log q] = 0 beside nothing else; its value is the bound's."""
    problem = PROBLEMS[key]
    model = ("prior", "decoder")
    for samples in (1, 2, 3):
        wake, bound = (problem.exact(part(of, samples)) for of in ("wake", "bound"))
        for name in model:
            torch.testing.assert_close(wake[name], bound[name])
        torch.testing.assert_close(
            problem.value(part("wake", samples)), problem.value(part("bound", samples))
        )
    one = problem.exact(part("wake", 1))
    for name in set(problem.params) - set(model):
        torch.testing.assert_close(one[name], torch.zeros_like(one[name]))
    two, many = (problem.exact(part("wake", samples)) for samples in (2, 3))
    assert all(two[name].abs().max() > 0.02 for name in set(problem.params) - set(model))
    assert all(not torch.equal(two[name], many[name]) for name in two)


@pytest.mark.parametrize("key", [key for key, problem in PROBLEMS.items() if problem.log_weight])
def test_model_is_the_bound_with_the_model_s_slope_alone(key: str) -> None:
    problem = PROBLEMS[key]
    model, bound = (problem.exact(part(of, 2)) for of in ("model", "bound"))
    for name, entry in model.items():
        torch.testing.assert_close(entry, bound[name] if name in ("prior", "decoder") else 0 * entry)
    torch.testing.assert_close(problem.value(part("model", 2)), problem.value(part("bound", 2)))


def test_a_combination_is_the_sum_of_its_parts() -> None:
    problem = PROBLEMS["bits_log_weight"]
    parts = (Part(0.3, "expectation", 1), Part(-2.0, "bound", 3))
    one, three = (problem.exact(part("bound", samples)) for samples in (1, 3))
    for name, entry in problem.exact(parts).items():
        torch.testing.assert_close(entry, 0.3 * one[name] - 2 * three[name])
    value = 0.3 * problem.value() - 2 * problem.value(part("bound", 3))
    torch.testing.assert_close(problem.value(parts), value)


def test_wake_of_many_samples_points_at_the_posterior() -> None:
    """Σ w̃ ∇ log q tends to E_{p(z|x)}[∇ log q] = P(z = 1|x) − σ(logit) for each bit."""
    problem = PROBLEMS["bits_log_weight"]
    params = {name: p.double() for name, p in problem.params.items()}
    states = table(problem.program, params)
    posterior = (states.value + states.log_q).softmax(0)
    bits = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], dtype=torch.float64)
    limit = posterior.T @ bits - params["guide"].sigmoid()
    errors = [(problem.exact(part("wake", k))["guide"] - limit).abs().max() for k in (1, 2, 4, 7)]
    assert all(later < earlier for earlier, later in pairwise(errors))
    assert errors[-1] < 0.35 * errors[0]


def test_gamma_moments_are_the_closed_form() -> None:
    """E[z² + log z] = α (α + 1) / β² + ψ(α) − log β, with its slopes, although the samples are constants."""
    params = doubles(shape=[[0.5], [1.3], [4.0]], rate=[[2.0], [0.4], [1.0]])

    def program(params, sample):
        z = sample("z", Gamma(params["shape"], params["rate"]))
        return (z.square() + z.log()).sum(-1)

    shape, rate = params["shape"], params["rate"]
    exact = (shape * (shape + 1) / rate**2 + torch.digamma(shape) - rate.log())[:, 0]
    found = objectives.expectation(program, params)
    torch.testing.assert_close(found, exact, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(gradients(found, params), gradients(exact, params), rtol=1e-9, atol=1e-9)


def test_moments_of_angles_are_the_closed_form() -> None:
    """E[cos z + 3 sin z] = A(κ) (cos loc + 3 sin loc), A = I₁/I₀, with its slopes."""
    params = doubles(loc=[[0.3], [-2.0], [1.1]], kappa=[[0.2], [3.0], [40.0]])

    def program(params, sample):
        z = sample("z", VonMises(params["loc"], params["kappa"]))
        return (torch.cos(z) + 3 * torch.sin(z)).sum(-1)

    loc, kappa = params["loc"], params["kappa"]
    ratio = torch.special.i1e(kappa) / torch.special.i0e(kappa)
    exact = (ratio * (torch.cos(loc) + 3 * torch.sin(loc)))[:, 0]
    found = objectives.expectation(program, params)
    torch.testing.assert_close(found, exact)
    torch.testing.assert_close(gradients(found, params), gradients(exact, params))


def test_beta_and_dirichlet_moments_are_the_closed_form() -> None:
    """E[z² + log z] of beta variables and E[z_i z_j + log z_k] of points of the simplex, with their slopes."""
    params = doubles(a=[[0.5], [1.3], [4.0]], b=[[2.0], [1.0], [3.0]])

    def single(params, sample):
        z = sample("z", Beta(params["a"], params["b"]))
        return (z.square() + z.log()).sum(-1)

    a, n = params["a"], params["a"] + params["b"]
    exact = (a * (a + 1) / (n * (n + 1)) + torch.digamma(a) - torch.digamma(n))[:, 0]
    found = objectives.expectation(single, params)
    torch.testing.assert_close(found, exact, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(gradients(found, params), gradients(exact, params), rtol=1e-8, atol=1e-8)
    params = doubles(alpha=[[1.0, 2.5, 1.3], [4.0, 1.5, 2.0]])

    def vector(params, sample):
        z = sample("z", Dirichlet(params["alpha"]))
        return z[..., 0] * z[..., 2] + z[..., 1].log()

    first, second, third = params["alpha"].unbind(-1)
    total = params["alpha"].sum(-1)
    exact = first * third / (total * (total + 1)) + torch.digamma(second) - torch.digamma(total)
    found = objectives.expectation(vector, params)
    torch.testing.assert_close(found, exact, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(gradients(found, params), gradients(exact, params), rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("m", [2, 3, 4])
def test_moments_of_directions_are_the_closed_form(m: int) -> None:
    """E[a·z + log q(z)] = A (a·μ + κ) − log volume, with A = I_{m/2}/I_{m/2−1} by its series, and its slopes."""
    weights = torch.linspace(-1, 1, m, dtype=torch.float64)
    params = doubles(direction=[[1.0, -0.3, 0.7, 0.2][:m], [0.2, 2.0, -1.0, 0.5][:m]], kappa=[0.4, 3.0])

    def program(params, sample):
        return (sample("z", VonMisesFisher(params["direction"], params["kappa"])) * weights).sum(-1)

    def bessel(order, x):
        return sum(
            (x / 2) ** (2 * k + order) / (math.factorial(k) * math.gamma(k + order + 1)) for k in range(40)
        )

    kappa, mu = params["kappa"], torch.nn.functional.normalize(params["direction"], dim=-1)
    ratio = bessel(m / 2, kappa) / bessel(m / 2 - 1, kappa)
    exact = ratio * (mu @ weights)
    found = objectives.expectation(program, params)
    torch.testing.assert_close(found, exact)
    torch.testing.assert_close(gradients(found, params), gradients(exact, params))
    states = table(program, params)
    log_volume = m / 2 * math.log(2 * math.pi) + bessel(m / 2 - 1, kappa).log() - (m / 2 - 1) * kappa.log()
    torch.testing.assert_close((states.mass * states.log_q).sum(0), kappa * ratio - log_volume)


def test_points_of_gamma_variables_stay_where_they_are() -> None:
    problem = PROBLEMS["gamma_one_layer"]
    with pytest.raises(ReparamError, match="the points of a Gamma law do not follow its parameters"):
        table(problem.program, problem.params, follow=True)
