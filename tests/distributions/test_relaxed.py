"""Relaxed laws: their discrete limits, their densities under change of variable, and Maddison's relaxed bound."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from reparam.distributions import (
    Bernoulli,
    ExpRelaxedCategorical,
    Law,
    LogitRelaxedBernoulli,
    OneHotCategorical,
    Relaxable,
    RelaxedBernoulli,
    RelaxedOneHotCategorical,
)
from reparam.engine.gradient import estimate_gradient
from reparam.errors import ReparamError
from reparam.estimators.pathwise import Pathwise
from reparam.noise import draw, generator

LOGITS = torch.tensor([[0.3, -1.2, 2.0], [-0.4, 0.9, 0.0]], dtype=torch.float64)
EXTREME = torch.tensor([[0.0, -30.0, 30.0], [30.0, 29.0, -30.0]])
KINDS: list[type[Law]] = [
    RelaxedBernoulli,
    LogitRelaxedBernoulli,
    RelaxedOneHotCategorical,
    ExpRelaxedCategorical,
]


def noise_of(law: Law, count: int) -> dict[str, torch.Tensor]:
    return {"uniform": draw("uniform", (count, *law.shape), generator("relaxed"), torch.float64)}


@pytest.mark.parametrize("make", [Bernoulli, OneHotCategorical])
def test_relax_gives_the_law_of_the_softened_sample(make: Callable[..., Relaxable]) -> None:
    """Same noise, same sample; near zero temperature, the hard one."""
    law = make(logits=LOGITS, event_dims=2)
    noise = noise_of(law, 100)
    relaxed = law.relax(0.4)
    assert relaxed.plate == law.plate == ()
    assert not relaxed.event_dims_inferred
    assert make(logits=LOGITS).relax(0.4).event_dims_inferred
    torch.testing.assert_close(relaxed.path(noise), law.soften(law.perturb(noise), 0.4))
    torch.testing.assert_close(law.relax(1e-8).path(noise), law.path(noise))
    torch.testing.assert_close(relaxed.probs, law.probs)


def test_log_space_is_a_change_of_variable() -> None:
    """z = σ(y) and z = exp(y): the densities differ by log |dz/dy|."""
    z = RelaxedBernoulli(0.6, logits=LOGITS).path(noise_of(Bernoulli(logits=LOGITS), 50))
    jacobian = (z.log() + torch.log1p(-z)).sum(-1)
    torch.testing.assert_close(
        RelaxedBernoulli(0.6, logits=LOGITS).log_prob(z) + jacobian,
        LogitRelaxedBernoulli(0.6, logits=LOGITS).log_prob(torch.logit(z)),
    )
    z = RelaxedOneHotCategorical(0.6, logits=LOGITS).path(noise_of(Bernoulli(logits=LOGITS), 50))
    torch.testing.assert_close(
        RelaxedOneHotCategorical(0.6, logits=LOGITS).log_prob(z) + z.log().sum(-1),
        ExpRelaxedCategorical(0.6, logits=LOGITS).log_prob(z.log()),
    )


@pytest.mark.parametrize("temperature", [0.01, 0.5, 10.0])
@pytest.mark.parametrize("kind", KINDS)
def test_samples_densities_and_derivatives_stay_finite(kind: type[Law], temperature: float) -> None:
    """In float32 at logits of ±30; derivatives in logits and temperature, through the sample and not."""
    edges = torch.tensor([torch.finfo(torch.float32).eps / 4, 0.5, 1 - torch.finfo(torch.float32).eps / 2])
    u = torch.cartesian_prod(edges, edges, edges).repeat(1, 2).reshape(-1, 2, 3)

    def one(parameters, u):
        law = kind(parameters[0], logits=parameters[1])
        z = law.path({"uniform": u})
        values = torch.stack([z.sum(), law.log_prob(z).sum(), law.log_prob(z.detach()).sum()])
        return values, values

    derivatives, values = torch.vmap(torch.func.jacrev(one, has_aux=True), (None, 0))(
        (torch.tensor(temperature), EXTREME), u
    )
    assert values.isfinite().all()
    assert all(d.isfinite().all() for d in derivatives)


def test_a_temperature_is_one_number() -> None:
    with pytest.raises(ReparamError, match="RelaxedBernoulli: temperature must be a number"):
        RelaxedBernoulli(torch.ones(3), logits=torch.zeros(3))


def test_pathwise_estimates_the_gradient_of_the_relaxed_bound() -> None:
    """E[f(z) + log p(y) − log q(y)] of one relaxed bit in logit space, against the bound written out.

    Posterior and prior have temperatures of their own; both means are taken over one grid of noise.
    """
    nodes = (torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000

    def program(params, sample):
        q = LogitRelaxedBernoulli(2 / 3, logits=params["q"])
        y = sample("y", q)
        log_p = LogitRelaxedBernoulli(0.5, logits=params["p"]).log_prob(y)
        return (torch.sigmoid(y) - 0.45).square().sum(-1) + log_p - q.log_prob(y)

    def bound(q: torch.Tensor, p: torch.Tensor) -> torch.Tensor:
        """The same, written out: y is logistic with location q/τ and scale 1/τ."""
        standard = torch.logit(nodes)
        y = (q + standard) / (2 / 3)
        log_q = torch.log(nodes * (1 - nodes)) + torch.log(torch.tensor(2 / 3))
        prior = p - 0.5 * y
        log_p = torch.log(torch.tensor(0.5)) + prior - 2 * torch.nn.functional.softplus(prior)
        return ((1 / (1 + (-y).exp()) - 0.45) ** 2 + log_p - log_q).mean()

    params = {name: torch.tensor([x], dtype=torch.float64) for name, x in (("q", 0.8), ("p", -0.3))}
    exact = torch.func.grad(lambda p: bound(p["q"], p["p"]))(params)
    noise = {"y": {"uniform": nodes.reshape(-1, 1, 1)}}

    def one(noise):
        return estimate_gradient(Pathwise(), program, params, noise).gradient

    found = torch.vmap(one)(noise)
    for name in params:
        torch.testing.assert_close(found[name].mean(0), exact[name], atol=1e-6, rtol=1e-6)
