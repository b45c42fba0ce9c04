"""Moments of estimators of bits without sampling error: their uniforms run over all cells of a grid.

Where every probability is a multiple of 1/CELLS the bits are constant on each cell, so what depends on them alone, or
linearly on the uniforms, is averaged exactly by the cells' middles.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from reparam.distributions import Bernoulli
from reparam.engine.gradient import estimate_gradient
from reparam.estimators import Estimator
from reparam.oracles import objectives
from reparam.program import Params, Program, describe

CELLS = 5


def logits(*probs: float) -> Tensor:
    return torch.logit(torch.tensor(probs, dtype=torch.float64))


def estimates(
    estimator: Estimator, program: Program, params: Params, tunables: Params | None = None, cells: int = CELLS
) -> dict[str, Tensor]:
    """The gradient estimates [cells^(number of uniforms), *parameter] at all points of the grid."""
    specs = estimator.noise(describe(program, params))
    shapes = [
        (site, role, (*((spec.copies,) if spec.copies else ()), *spec.shape))
        for site, roles in specs.items()
        for role, spec in roles.items()
    ]
    middles = (torch.arange(cells, dtype=torch.float64) + 0.5) / cells
    axes = sum(math.prod(shape) for *_, shape in shapes)
    points = torch.cartesian_prod(*(middles,) * axes).reshape(cells**axes, axes)
    noise: dict[str, dict[str, Tensor]] = {site: {} for site in specs}
    for site, role, shape in shapes:
        own, points = points[:, : math.prod(shape)], points[:, math.prod(shape) :]
        noise[site][role] = own.reshape(-1, *shape)

    def one(draw):
        return estimate_gradient(estimator, program, params, draw, tunables, tune=False).gradient

    return torch.vmap(one)(noise)


def assert_unbiased(found: dict[str, Tensor], program: Program, params: Params) -> None:
    """The mean over the grid is the gradient of the exact expectation, to rounding."""
    leaves = {name: entry.clone().requires_grad_() for name, entry in params.items()}
    total = objectives.expectation(program, leaves).sum()
    exact = dict(zip(leaves, torch.autograd.grad(total, list(leaves.values())), strict=True))
    for name, truth in exact.items():
        torch.testing.assert_close(found[name].mean(0), truth, rtol=1e-9, atol=1e-9)


def variances(found: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: entry.var(0, correction=0) for name, entry in found.items()}


def two_bits(params, sample):
    """One site; the value is not additive in the bits and depends on the logits directly."""
    z = sample("z", Bernoulli(logits=params["z"]))
    return ((z * params["weights"]).sum(-1) - 0.7).exp() + 0.3 * (params["z"] * z).sum(-1)


TWO_BITS = {"z": logits(0.2, 0.6), "weights": torch.tensor([0.8, -1.3], dtype=torch.float64)}


def two_layers(params, sample):
    """A bit above a bit."""
    top = sample("top", Bernoulli(logits=params["top"]))
    low = sample("low", Bernoulli(logits=params["off"] * (1 - top) + params["on"] * top))
    return (top * params["weights"][0] + low * params["weights"][1] - 0.7).exp().sum(-1) + params[
        "on"
    ].sum() * top.sum()


TWO_LAYERS = {"top": logits(0.4), "off": logits(0.6), "on": logits(0.2), "weights": TWO_BITS["weights"]}


def shared_bit(params, sample):
    """A bit shared by two data with a bit each."""
    shared = sample("shared", Bernoulli(logits=params["shared"], event_dims=1))
    local = sample("local", Bernoulli(logits=params["local"]))
    return (local.sum(-1) * params["weights"][0] - params["weights"][1] * shared.sum() - 0.4).square()


SHARED_BIT = {
    "shared": logits(0.4),
    "local": logits(0.8, 0.2).unsqueeze(-1),
    "weights": TWO_BITS["weights"],
}
PROGRAMS = {
    "two_bits": (two_bits, TWO_BITS),
    "two_layers": (two_layers, TWO_LAYERS),
    "shared_bit": (shared_bit, SHARED_BIT),
}
