"""Small programs whose exact gradients are known: the ground that every estimator is tested on."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from reparam.distributions import Bernoulli, Normal
from reparam.oracles import enumeration, quadrature
from reparam.program import Params, Program, Sample


class Problem(NamedTuple):
    """A program, where to look at it, and the oracle that knows its expectation."""

    program: Program
    params: dict[str, Tensor]
    expectation: Callable[[Program, Params], Tensor]

    def exact(self) -> dict[str, Tensor]:
        """∇ E[Σ_plate value], by the oracle."""
        params = {name: p.clone().requires_grad_() for name, p in self.params.items()}
        total = self.expectation(self.program, params).sum()
        gradients = torch.autograd.grad(total, list(params.values()))
        return dict(zip(params, gradients, strict=True))


def _params(**shapes: tuple[int, ...]) -> dict[str, Tensor]:
    source = torch.Generator().manual_seed(7)
    return {name: torch.randn(shape, generator=source) for name, shape in shapes.items()}


def bits_one_layer(params: Params, sample: Sample) -> Tensor:
    """Two data, three bits; the value depends on the parameters directly, too."""
    z = sample("z", Bernoulli(logits=params["logits"]))
    weighted = (z * params["weights"]).sum(-1)
    return (weighted - 0.3).square() + 0.1 * params["logits"].sum(-1)


def bits_two_layers(params: Params, sample: Sample) -> Tensor:
    """Two data; two bits above two bits."""
    top = sample("top", Bernoulli(logits=params["top"]))
    low = sample("low", Bernoulli(logits=params["low"] + (top * params["link"]).flip(-1)))
    return ((low - 0.4) * params["weights"]).sum(-1).square() + (top * low).sum(-1)


def bits_shared(params: Params, sample: Sample) -> Tensor:
    """Two bits shared by three data, one local bit each."""
    shared = sample("shared", Bernoulli(logits=params["shared"], event_dims=1))
    local = sample("local", Bernoulli(logits=params["local"]))
    return ((local.sum(-1) - params["targets"]) * (0.5 + shared.sum())).square()


def normal_one_layer(params: Params, sample: Sample) -> Tensor:
    """Two data, two latent dimensions."""
    law = Normal(params["loc"], params["log_scale"].exp())
    z = sample("z", law)
    return (z * params["weights"]).sum(-1).square() - law.kl(Normal(torch.zeros(2), torch.ones(2)))


def normal_two_layers(params: Params, sample: Sample) -> Tensor:
    """Two data; one dimension above one."""
    top = sample("top", Normal(params["top"], torch.full((2, 1), 0.7)))
    low = sample("low", Normal(params["low"] + params["link"] * top, (0.2 * params["log_scale"]).exp()))
    return (low.square() * (1 + 0.5 * top)).sum(-1)


PROBLEMS = {
    "bits_one_layer": Problem(
        bits_one_layer,
        _params(logits=(2, 3), weights=(3,)),
        enumeration.expectation,
    ),
    "bits_two_layers": Problem(
        bits_two_layers,
        _params(top=(2, 2), low=(2, 2), link=(2,), weights=(2,)),
        enumeration.expectation,
    ),
    "bits_shared": Problem(
        bits_shared,
        _params(shared=(2,), local=(3, 1), targets=(3,)),
        enumeration.expectation,
    ),
    "normal_one_layer": Problem(
        normal_one_layer,
        _params(loc=(2, 2), log_scale=(2, 2), weights=(2,)),
        quadrature.expectation,
    ),
    "normal_two_layers": Problem(
        normal_two_layers,
        _params(top=(2, 1), low=(2, 1), link=(1,), log_scale=(2, 1)),
        quadrature.expectation,
    ),
}
