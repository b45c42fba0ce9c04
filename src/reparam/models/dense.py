"""Networks of any depth between stochastic layers, as pure functions of flat parameters.

A network `name` of hidden layers and an affine head owns `name.0.weight` [outputs, inputs], `name.0.bias`
[outputs], `name.1.weight`, …; without hidden layers it is one affine map. That of a Gaussian has two heads, `name.mean`
and `name.log_scale`. Leading axes of an input are a plate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import leaky_relu, normalize

from reparam.distributions import Normal
from reparam.models.mlp import Sizes, layer
from reparam.noise import draw

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "leaky_relu": partial(leaky_relu, negative_slope=0.3),
}
HEADS = ("mean", "log_scale")
"""Of a network that ends in a Gaussian."""
TRUNCATION = 2.0
"""Standard deviations at which the normal start of `variance_scaling` is cut off."""


def sizes(name: str, inputs: int, hidden: Sequence[int], outputs: int) -> dict[str, tuple[int, int]]:
    """Layers of a network: {layer: (inputs, outputs)}."""
    widths = [inputs, *hidden, outputs]
    return {f"{name}.{i}": (widths[i], widths[i + 1]) for i in range(len(widths) - 1)}


def apply(params: Mapping[str, Tensor], name: str, inputs: Tensor, depth: int, activation: str) -> Tensor:
    """The network `name` with `depth` hidden layers: [..., inputs] → [..., outputs]."""
    for i in range(depth):
        inputs = ACTIVATIONS[activation](layer(params, f"{name}.{i}", inputs))
    return layer(params, f"{name}.{depth}", inputs)


def gaussian_sizes(name: str, inputs: int, hidden: Sequence[int], outputs: int) -> dict[str, tuple[int, int]]:
    """Layers of a network of at least one hidden layer with the two heads of a Gaussian."""
    heads = {f"{name}.{head}": (hidden[-1], outputs) for head in HEADS}
    return sizes(name, inputs, hidden[:-1], hidden[-1]) | heads


def gaussian(params: Mapping[str, Tensor], name: str, inputs: Tensor, depth: int, activation: str) -> Normal:
    """A diagonal Gaussian whose mean and log standard deviation are affine in the last of `depth` hidden layers."""
    last = ACTIVATIONS[activation](apply(params, name, inputs, depth - 1, activation))
    return Normal(layer(params, f"{name}.mean", last), layer(params, f"{name}.log_scale", last).exp())


def glorot(inputs: int, outputs: int, generator: torch.Generator) -> Tensor:
    """U(−a, a) with a = √(6 / (inputs + outputs)) (Glorot & Bengio 2010, Eq. 16): [outputs, inputs]."""
    limit = math.sqrt(6 / (inputs + outputs))
    return limit * (2 * draw("uniform", (outputs, inputs), generator) - 1)


def variance_scaling(inputs: int, outputs: int, generator: torch.Generator) -> Tensor:
    """A normal cut off at two standard deviations, with a variance of about 2 / inputs: [outputs, inputs].

    The default of TF-Slim's initialiser: N(0, 1.3 · 2 / inputs) before it is cut off, 1.3 making up for the cut.
    """
    tail = 0.5 * math.erfc(TRUNCATION / math.sqrt(2))
    uniform = draw("uniform", (outputs, inputs), generator)
    return math.sqrt(2.6 / inputs) * torch.special.ndtri(tail + (1 - 2 * tail) * uniform)


def normalised(inputs: int, outputs: int, generator: torch.Generator) -> Tensor:
    """Normal, with a norm of 1 of every unit's incoming weights: [outputs, inputs]."""
    return normalize(draw("normal", (outputs, inputs), generator), dim=1)


STARTS = {"glorot": glorot, "variance_scaling": variance_scaling, "normalised": normalised}


def init(sizes: Sizes, generator: torch.Generator, start: str) -> dict[str, Tensor]:
    """Weights by the rule `start`, one of STARTS, and biases of zero."""
    params: dict[str, Tensor] = {}
    for name, (inputs, outputs) in sizes.items():
        params[f"{name}.weight"] = STARTS[start](inputs, outputs, generator)
        params[f"{name}.bias"] = torch.zeros(outputs)
    return params
