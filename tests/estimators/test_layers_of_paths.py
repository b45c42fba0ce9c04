"""Estimators of one differentiable sample on two layers, draw by draw, against surrogates written with plain autograd.

A later layer's law sees the earlier layer's sample with its derivative: this is where a biased estimator, which no
exact mean can judge, may lose a part of the chain unnoticed.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, one_hot

from reparam import estimators
from reparam.distributions import Bernoulli, OneHotCategorical
from reparam.engine.gradient import estimate_gradient
from reparam.noise import draw_block
from reparam.program import describe

DRAWS, TEMPERATURE, SLOPE, INNER = 12, 0.6, 1.7, 3
Surrogate = Callable[[Tensor, Tensor, dict[str, Tensor]], Tensor]
"""(logits, hard sample, noise by role) → what is differentiated in the sample's place."""


def mean(logits: Tensor) -> Tensor:
    """Bits come with a last axis of 2, one-hot vectors of three categories with one of 3."""
    return logits.sigmoid() if logits.shape[-1] == 2 else logits.softmax(-1)


def base_noise(logits: Tensor, u: Tensor) -> Tensor:
    return u.log() - (1 - u).log() if logits.shape[-1] == 2 else -(-u.log()).log()


def hard(logits: Tensor, u: Tensor) -> Tensor:
    g = logits.detach() + base_noise(logits, u)
    return (g > 0).to(g) if logits.shape[-1] == 2 else one_hot(g.argmax(-1), 3).to(g)


def half(logits: Tensor, z: Tensor, noise: dict[str, Tensor]) -> Tensor:
    if logits.shape[-1] == 2:
        return (z - 0.5) * (z * logsigmoid(logits) + (1 - z) * logsigmoid(-logits))
    return (z - 1 / 3) * (z * logits.log_softmax(-1)).sum(-1, keepdim=True)


def reinmax(logits: Tensor, z: Tensor, noise: dict[str, Tensor]) -> Tensor:
    """Liu et al. 2023, Algorithm 2; a bit as the first of the categories with logits (θ, 0)."""
    bits = logits.shape[-1] == 2
    theta = torch.stack([logits, torch.zeros_like(logits)], -1) if bits else logits
    sample = torch.stack([z, 1 - z], -1) if bits else z
    halfway = (sample + (theta / TEMPERATURE).softmax(-1)).detach() / 2
    second_order = 2 * (halfway.log() - theta.detach() + theta).softmax(-1) - 0.5 * theta.softmax(-1)
    return second_order[..., 0] if bits else second_order


def softened(logits: Tensor, z: Tensor, noise: dict[str, Tensor]) -> Tensor:
    return mean((logits + base_noise(logits, noise["uniform"])) / TEMPERATURE)


def averaged(logits: Tensor, z: Tensor, noise: dict[str, Tensor]) -> Tensor:
    """Paulus et al. 2021: the noise drawn anew given the sample, held constant."""
    soft = []
    for v in noise["conditional_uniform"].unbind(-1):
        if logits.shape[-1] == 2:
            p = logits.sigmoid()
            u = torch.where(z > 0, 1 - p + v * p, v * (1 - p))
            g = logits + u.log() - (1 - u).log()
        else:
            chosen = (-v.log() * z).sum(-1, keepdim=True) / logits.exp().sum(-1, keepdim=True)
            g = torch.where(z > 0, -chosen.log(), -(-v.log() / logits.exp() + chosen).log())
        soft.append(mean((logits + (g - logits).detach()) / TEMPERATURE))
    return torch.stack(soft).mean(0)


SURROGATES: dict[str, tuple[dict[str, float], Surrogate]] = {
    "straight_through": ({}, lambda logits, z, noise: mean(logits)),
    "annealed_straight_through": (
        {"slope": SLOPE, "rate": 0.0},
        lambda logits, z, noise: mean(SLOPE * logits),
    ),
    "half": ({}, half),
    "reinmax": ({"temperature": TEMPERATURE}, reinmax),
    "st_gumbel_softmax": ({"temperature": TEMPERATURE}, softened),
    "gumbel_rao": ({"temperature": TEMPERATURE, "inner": INNER}, averaged),
}


def program(kinds, params, sample):
    """Two data; a layer of one kind above one of the other, both seen by f and by the parameters it has of its own."""
    above, below = kinds
    top = sample("top", above(logits=params["top"]))
    low = sample("low", below(logits=params["low"] + top.square() @ params["link"]))
    return ((low * params["weights"]).sum(-1) + top[..., 0]).pow(3) + (low[..., :2] * top[..., :2]).sum(
        -1
    ).exp()


@pytest.mark.parametrize(
    "kinds",
    [(Bernoulli, OneHotCategorical), (OneHotCategorical, Bernoulli), (Bernoulli, Bernoulli)],
    ids=lambda kinds: "_above_".join(kind.__name__ for kind in kinds),
)
@pytest.mark.parametrize("name", SURROGATES)
def test_every_layer_has_the_derivative_of_the_surrogate(name: str, kinds: tuple[type, type]) -> None:
    options, surrogate = SURROGATES[name]
    sizes = [2 if kind is Bernoulli else 3 for kind in kinds]
    source = torch.Generator().manual_seed(5)
    shapes = {"top": (2, sizes[0]), "low": (2, sizes[1]), "link": tuple(sizes), "weights": (sizes[1],)}
    params = {
        name: torch.randn(shape, generator=source, dtype=torch.float64) for name, shape in shapes.items()
    }

    def f(params, sample):
        return program(kinds, params, sample)

    estimator = estimators.make(name, options)
    block = draw_block(estimator.noise(describe(f, params)), ("layers", name), DRAWS, dtype=torch.float64)
    for step in range(DRAWS):
        noise = {site: {role: n[step] for role, n in roles.items()} for site, roles in block.items()}

        def chosen(site, logits, noise=noise):
            own = {role: n[0] for role, n in noise[site].items()}
            z = hard(logits, own["uniform"])
            moving = surrogate(logits, z, own)
            return z + moving - moving.detach()

        def published(params, chosen=chosen):
            return program([lambda logits: logits] * 2, params, chosen).sum()

        found = estimate_gradient(estimator, f, params, noise)
        expected, value = torch.func.grad_and_value(published)(params)
        torch.testing.assert_close(found.value.sum(), value)
        torch.testing.assert_close(found.gradient, expected)
