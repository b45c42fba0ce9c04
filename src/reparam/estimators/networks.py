"""Small networks that are parameters of an estimator: baselines and surrogates."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import linear

from reparam.noise import draw
from reparam.program import Site


def init_network(
    prefix: str, sizes: Sequence[int], generator: torch.Generator, zero_last: bool = True
) -> dict[str, Tensor]:
    """Weights of affine layers sizes[0] → sizes[1] → …, as "<prefix>.<layer>.weight" and ".bias".

    Weights are N(0, 1/inputs) (LeCun et al. 1998), biases zero; with `zero_last` the last layer is zero, so that an
    untrained network says 0.
    """
    tunables: dict[str, Tensor] = {}
    layers = len(sizes) - 1
    for i, (inputs, outputs) in enumerate(pairwise(sizes)):
        weight = draw("normal", (outputs, inputs), generator) / inputs**0.5
        tunables[f"{prefix}.{i}.weight"] = (
            torch.zeros_like(weight) if zero_last and i == layers - 1 else weight
        )
        tunables[f"{prefix}.{i}.bias"] = torch.zeros(outputs)
    return tunables


def apply_network(
    tunables: Mapping[str, Tensor],
    prefix: str,
    inputs: Tensor,
    activation: Callable[[Tensor], Tensor] = torch.tanh,
) -> Tensor:
    """The network `prefix` on inputs [..., sizes[0]]: [..., sizes[-1]]; no activation after the last layer."""
    layer = 0
    hidden = inputs
    while f"{prefix}.{layer}.weight" in tunables:
        if layer:
            hidden = activation(hidden)
        weight = tunables[f"{prefix}.{layer}.weight"].to(hidden.dtype)
        hidden = linear(hidden, weight, tunables[f"{prefix}.{layer}.bias"].to(hidden.dtype))
        layer += 1
    return hidden


def flat_event(z: Tensor, plate_dims: int) -> Tensor:
    """z [*plate, *event] as [*plate, D]."""
    return z.reshape(*z.shape[:plate_dims], -1)


def context_of(site: Site) -> Tensor | None:
    """What a network at this site may look at, constant, as [*plate, C]; None where the program gives nothing."""
    if site.context is None:
        return None
    return flat_event(site.context.detach(), len(site.law.plate))
