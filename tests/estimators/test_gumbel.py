"""Gumbel-Softmax and its kin: against relaxed laws draw by draw, by quadrature over the noise, and in their moments."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from scipy.stats import norm
from torch.nn.functional import one_hot

from reparam.distributions import Bernoulli, OneHotCategorical
from reparam.engine.gradient import estimate_gradient
from reparam.errors import ReparamError
from reparam.estimators import Estimator
from reparam.estimators.gumbel import Concrete, GumbelRao, GumbelSoftmax, STGumbelSoftmax
from reparam.estimators.pathwise import Pathwise
from reparam.noise import draw_block
from reparam.program import describe

D = torch.float64
P = 0.6875
"""A probability whose complement lies on the edges of the grids below: the hard sample jumps between two nodes."""
BIT = {"logits": torch.logit(torch.tensor([P], dtype=D))}
CHOICE = {"logits": torch.tensor([0.6, -1.0, 0.2], dtype=D)}
WEIGHTS = torch.tensor([1.0, -0.7, 0.4], dtype=D)


def bit_quadratic(params, sample):
    return (sample("z", Bernoulli(logits=params["logits"])) - 0.45).square().sum(-1)


def choice_quadratic(params, sample):
    z = sample("z", OneHotCategorical(logits=params["logits"]))
    return ((z * WEIGHTS).sum(-1) - 0.3).square() + (z * z.roll(1, -1)).sum(-1)


def two_layers(relax):
    """One-hot above bits; `relax` makes the laws that the program samples from."""

    def f(params, sample):
        top = sample("top", relax(OneHotCategorical(logits=params["top"])))
        low = sample("low", relax(Bernoulli(logits=params["low"] + top @ params["link"])))
        return (low * top).sum(-1).square() + (low - 0.4).square().sum(-1)

    return f


def gradients(estimator: Estimator, program, params, noise) -> torch.Tensor:
    """Estimates for each draw of the noise of site "z", [draws, *logits]."""

    def one(noise):
        return estimate_gradient(estimator, program, params, {"z": noise}).gradient["logits"]

    return torch.vmap(one)(noise)


def midpoints(nodes: int) -> torch.Tensor:
    return (torch.arange(nodes, dtype=D) + 0.5) / nodes


@pytest.mark.parametrize("estimator", [Concrete(temperature=0.4), GumbelSoftmax(temperature=0.4)])
def test_relaxing_the_samples_is_pathwise_through_relaxed_laws(estimator: Estimator) -> None:
    """Draw by draw, in every layer, where f has no density."""
    source = torch.Generator().manual_seed(1)
    params = {
        "top": torch.randn(2, 3, generator=source, dtype=D),
        "low": torch.randn(2, 3, generator=source, dtype=D),
        "link": torch.randn(3, 3, generator=source, dtype=D),
    }
    hard, soft = two_layers(lambda law: law), two_layers(lambda law: law.relax(0.4))
    noise = draw_block(estimator.noise(describe(hard, params)), ("relaxed",), 1, dtype=D)
    noise = {site: {role: block[0] for role, block in roles.items()} for site, roles in noise.items()}
    found = estimate_gradient(estimator, hard, params, noise)
    expected = estimate_gradient(Pathwise(), soft, params, noise)
    torch.testing.assert_close(found.value, expected.value)
    torch.testing.assert_close(found.gradient, expected.gradient)


def test_a_mass_in_f_is_the_discrete_one_at_the_relaxed_sample() -> None:
    """As in Jang et al. 2017; the relaxed density of Maddison et al. 2017 is another number."""
    noise = {"z": {"uniform": torch.tensor([[0.3, 0.8]], dtype=D)}}
    logits = torch.tensor([0.5, -1.0], dtype=D)

    def f(params, sample):
        law = Bernoulli(logits=params["logits"])
        return -law.log_prob(sample("z", law))

    z = Bernoulli(logits=logits).relax(0.4).path({"uniform": noise["z"]["uniform"][0]})
    p = torch.sigmoid(logits)
    expected = -(z * p.log() + (1 - z) * (1 - p).log()).sum()
    for estimator in (Concrete(temperature=0.4), GumbelSoftmax(temperature=0.4)):
        torch.testing.assert_close(estimate_gradient(estimator, f, {"logits": logits}, noise).value, expected)
    assert (expected + Bernoulli(logits=logits).relax(0.4).log_prob(z)).abs() > 0.1


def test_lower_temperatures_have_less_bias_and_more_variance() -> None:
    """Gumbel-Softmax of one bit and a quadratic, by the midpoint rule over the noise (error below 1e-5), as τ → 0.

    Above τ = ½ the bias is not monotone: the relaxed gradient itself goes to 0 as τ grows.
    """
    u = midpoints(40_000).reshape(-1, 1, 1)
    exact = P * (1 - P) * (0.55**2 - 0.45**2)
    biases, variances = [], []
    for temperature in (0.5, 0.25, 0.1, 0.05):
        found = gradients(GumbelSoftmax(temperature=temperature), bit_quadratic, BIT, {"uniform": u})
        biases.append((found.mean() - exact).abs().item())
        variances.append(found.var().item())
    assert all(low < high for high, low in pairwise(biases)), biases
    assert biases[0] > 0.1 * P * (1 - P), biases
    assert biases[-1] < 0.2 * biases[0], biases
    assert all(high > 1.5 * low for low, high in pairwise(variances)), variances


@pytest.mark.parametrize("temperature", [0.2, 0.5, 1.0, 3.0])
def test_gumbel_rao_has_the_moments_of_a_conditional_mean(temperature: float) -> None:
    """One bit, by quadrature over the noise: with one inner draw mean and variance are those of ST Gumbel-Softmax; with
    K the mean is the same, and the variance within a state is divided by K."""
    nodes = 4000
    v = midpoints(nodes).reshape(-1, 1, 1, 1)
    straight = gradients(STGumbelSoftmax(temperature=temperature), bit_quadratic, BIT, {"uniform": v[..., 0]})

    def given(u: float, inner: torch.Tensor) -> torch.Tensor:
        estimator = GumbelRao(temperature=temperature, inner=inner.shape[-1])
        noise = {"uniform": torch.full_like(inner[..., 0], u), "conditional_uniform": inner}
        return gradients(estimator, bit_quadratic, BIT, noise)

    one, zero = given(0.999, v), given(0.001, v)
    mean = P * one.mean() + (1 - P) * zero.mean()
    second = P * one.square().mean() + (1 - P) * zero.square().mean()
    torch.testing.assert_close(mean, straight.mean(), rtol=1e-5, atol=0)
    torch.testing.assert_close(second, straight.square().mean(), rtol=1e-4, atol=0)

    grid = midpoints(60)
    pairs = torch.cartesian_prod(grid, grid).reshape(-1, 1, 1, 2)
    for u in (0.999, 0.001):
        single, double = given(u, grid.reshape(-1, 1, 1, 1)), given(u, pairs)
        torch.testing.assert_close(double.mean(), single.mean())
        torch.testing.assert_close(double.var(correction=0), single.var(correction=0) / 2)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 1.0])
def test_gumbel_rao_keeps_the_mean_of_st_gumbel_softmax_and_lowers_its_variance(temperature: float) -> None:
    """One choice of three, per coordinate; a false alarm in one of the nine coordinates has probability 1e-4."""
    draws, bound = 40_000, norm.isf(1e-4 / 9 / 2 / 2)
    found = []
    for estimator in (STGumbelSoftmax(temperature=temperature), GumbelRao(temperature=temperature, inner=10)):
        sites = describe(choice_quadratic, CHOICE)
        noise = draw_block(estimator.noise(sites), ("rao", type(estimator).__name__), draws, dtype=D)["z"]
        found.append(gradients(estimator, choice_quadratic, CHOICE, noise))
    straight, rao = found
    error = ((straight.var(0) + rao.var(0)) / draws).sqrt()
    assert ((straight.mean(0) - rao.mean(0)).abs() < bound * error).all()
    squares = [(x - x.mean(0)).square() for x in found]
    error = ((squares[0].var(0) + squares[1].var(0)) / draws).sqrt()
    assert (rao.var(0) < straight.var(0) + bound * error).all()
    if temperature < 0.5:
        assert (rao.var(0) < 0.7 * straight.var(0)).all()


def test_the_conditional_draws_are_those_of_the_paper() -> None:
    """Paulus et al. 2021, Eq. 9–10: exponentials E give θ + G = −log(E_i) + log Z for the chosen entry and
    −log(E_j / e^θ_j + E_i / Z) for the others; the derivative is that of softmax_τ(θ + G) at constant G."""
    inner, temperature = 4, 0.3
    estimator = GumbelRao(temperature=temperature, inner=inner)
    noise = draw_block(estimator.noise(describe(choice_quadratic, CHOICE)), ("conditional",), 5, dtype=D)["z"]
    for step in range(5):
        u, v = noise["uniform"][step, 0], noise["conditional_uniform"][step, 0]

        def published(theta, u=u, v=v):
            z = one_hot((theta - (-u.log()).log()).argmax(), 3).to(D)
            exponentials = -v.T.log()
            chosen = (exponentials * z).sum(-1, keepdim=True)
            total = theta.exp().sum()
            others = -(exponentials / theta.exp() + chosen / total).log()
            perturbed = torch.where(z > 0, -(chosen / total).log(), others)
            constant = (perturbed - theta).detach()
            soft = ((theta + constant) / temperature).softmax(-1).mean(0)
            sample = z + soft - soft.detach()
            return choice_quadratic({"logits": theta}, lambda name, law: sample)

        found = estimate_gradient(
            estimator, choice_quadratic, CHOICE, {"z": {r: n[step] for r, n in noise.items()}}
        )
        torch.testing.assert_close(found.gradient["logits"], torch.func.grad(published)(CHOICE["logits"]))


def test_straight_through_gumbel_softmax_has_a_hard_value_and_a_soft_derivative() -> None:
    u, temperature = torch.tensor([0.2, 0.9, 0.4], dtype=D), 0.3

    def published(theta):
        g = theta - (-u.log()).log()
        soft = (g / temperature).softmax(-1)
        sample = one_hot(g.argmax(), 3).to(D) + soft - soft.detach()
        return choice_quadratic({"logits": theta}, lambda name, law: sample)

    found = estimate_gradient(
        STGumbelSoftmax(temperature=temperature), choice_quadratic, CHOICE, {"z": {"uniform": u.unsqueeze(0)}}
    )
    derivative, value = torch.func.grad_and_value(published)(CHOICE["logits"])
    torch.testing.assert_close(found.value, value)
    torch.testing.assert_close(found.gradient["logits"], derivative)


@pytest.mark.parametrize("kind", [GumbelSoftmax, STGumbelSoftmax])
def test_the_temperature_falls_with_the_estimates_made(kind: type[GumbelSoftmax]) -> None:
    """τ = max(minimum, temperature · exp(−rate · t)), renewed every `every` estimates; the count is the memory."""
    noise = {"z": {"uniform": torch.tensor([[0.7]], dtype=D)}}
    estimator = kind(temperature=0.9, rate=0.1, every=2, minimum=0.7)
    _, memory = estimator.init({}, torch.Generator())
    for step in (0, 0, 2, 2, 4, 4, 6, 6):
        temperature = max(0.7, 0.9 * 2.718281828459045 ** (-0.1 * step))
        expected = estimate_gradient(kind(temperature=temperature), bit_quadratic, BIT, noise)
        found = estimate_gradient(estimator, bit_quadratic, BIT, noise, memory=memory)
        torch.testing.assert_close(found.gradient, expected.gradient, rtol=1e-6, atol=1e-6)
        memory = found.memory
    assert memory["estimates"] == 8
    assert kind().init({}, torch.Generator()) == ({}, {})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Concrete(temperature=0.0), "concrete: temperature must be a positive number, got 0.0"),
        (lambda: GumbelSoftmax(temperature=-1.0), "gumbel_softmax: temperature must be a positive number"),
        (lambda: GumbelSoftmax(rate=-0.1), "gumbel_softmax: rate must be 0 or positive, got -0.1"),
        (lambda: GumbelSoftmax(minimum=0.0), "gumbel_softmax: minimum must be a positive number, got 0.0"),
        (lambda: GumbelSoftmax(every=0), "gumbel_softmax: every must be an integer ≥ 1, got 0"),
        (
            lambda: STGumbelSoftmax(temperature=0.3, rate=0.1),
            "st_gumbel_softmax: annealing starts at temperature 0.3, below its minimum 0.5",
        ),
        (lambda: GumbelRao(temperature="1"), "gumbel_rao: temperature must be a number, got '1'"),
        (lambda: GumbelRao(inner=0), "gumbel_rao: inner must be an integer ≥ 1, got 0"),
        (lambda: GumbelRao(samples=0), "gumbel_rao: samples must be an integer ≥ 1, got 0"),
    ],
)
def test_bad_options_are_refused(make, message: str) -> None:
    with pytest.raises(ReparamError) as caught:
        make()
    assert str(caught.value).startswith(message)
