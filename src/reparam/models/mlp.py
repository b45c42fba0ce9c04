"""One-hidden-layer tanh networks of Kingma & Welling 2014, App. C, as pure functions of flat parameters.

A layer `name` owns `name.weight` [outputs, inputs] and `name.bias` [outputs]. Encoders live under
`encoder.`, decoders under `decoder.`; leading axes of an input are a plate and pass through.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import linear

from reparam.distributions import Bernoulli, Normal
from reparam.noise import draw

Sizes = Mapping[str, tuple[int, int]]


def gaussian_sizes(group: str, inputs: int, hidden: int, outputs: int) -> dict[str, tuple[int, int]]:
    """Layers of a network with linear mean and log-variance heads: {layer: (inputs, outputs)}."""
    return {
        f"{group}.hidden": (inputs, hidden),
        f"{group}.mean": (hidden, outputs),
        f"{group}.log_variance": (hidden, outputs),
    }


def bernoulli_sizes(group: str, inputs: int, hidden: int, outputs: int) -> dict[str, tuple[int, int]]:
    """Layers of a network with one linear head of log-odds: {layer: (inputs, outputs)}."""
    return {f"{group}.hidden": (inputs, hidden), f"{group}.logits": (hidden, outputs)}


def init(sizes: Sizes, generator: torch.Generator, scale: float = 0.01) -> dict[str, Tensor]:
    """Every parameter, biases included, from N(0, scale²), on the generator's device.

    The paper's "N(0, 0.01)" is read as a standard deviation, as in the author's library.
    """
    params: dict[str, Tensor] = {}
    for name, (inputs, outputs) in sizes.items():
        params[f"{name}.weight"] = scale * draw("normal", (outputs, inputs), generator)
        params[f"{name}.bias"] = scale * draw("normal", (outputs,), generator)
    return params


def layer(params: Mapping[str, Tensor], name: str, inputs: Tensor) -> Tensor:
    """The affine map `name`: [..., inputs] → [..., outputs]."""
    return linear(inputs, params[f"{name}.weight"], params[f"{name}.bias"])


def gaussian(params: Mapping[str, Tensor], group: str, inputs: Tensor) -> Normal:
    """Diagonal Gaussian with linear mean and log-variance heads (App. C.2), shape [..., outputs]."""
    hidden = torch.tanh(layer(params, f"{group}.hidden", inputs))
    log_variance = layer(params, f"{group}.log_variance", hidden)
    return Normal(layer(params, f"{group}.mean", hidden), (0.5 * log_variance).exp())


def squashed_gaussian(params: Mapping[str, Tensor], group: str, inputs: Tensor) -> Normal:
    """The Gaussian decoder: as `gaussian`, with means squashed to (0, 1) by a sigmoid (§5)."""
    law = gaussian(params, group, inputs)
    return Normal(torch.sigmoid(law.loc), law.scale)


def bernoulli(params: Mapping[str, Tensor], group: str, inputs: Tensor) -> Bernoulli:
    """Independent bits with linear log-odds (App. C.1), shape [..., outputs]."""
    hidden = torch.tanh(layer(params, f"{group}.hidden", inputs))
    return Bernoulli(logits=layer(params, f"{group}.logits", hidden))
