"""Programs with a layer of bits and a layer of Normal variables."""

from __future__ import annotations

import torch
from torch import Tensor

from reparam.distributions import Bernoulli, Normal
from reparam.measure.problems.problem import Problem, tensors
from reparam.program import Params, Sample


def bits_above_normal(params: Params, sample: Sample) -> Tensor:
    """Two data; two bits above one dimension."""
    top = sample("top", Bernoulli(logits=params["top"]))
    mean = (top * params["link"]).sum(-1, keepdim=True) + params["low"]
    low = sample("low", Normal(mean, torch.full_like(mean, 0.8)))
    return (low + 0.2 * low.square() + low * (top - 0.5)).sum(-1)


def normal_above_bits(params: Params, sample: Sample) -> Tensor:
    """Two data; one dimension above two bits."""
    top = sample("top", Normal(params["top"], torch.full_like(params["top"], 0.8)))
    low = sample("low", Bernoulli(logits=params["low"] + params["link"] * top))
    return ((low - 0.4) * params["weights"]).sum(-1).square() + (top * (low + 0.3)).sum(-1)


PROBLEMS = {
    "bits_above_normal": Problem(
        bits_above_normal,
        tensors(top=[[-0.2, 0.8], [0.3, -1.0]], link=[0.9, -0.7], low=[[0.2], [-0.4]]),
        own=("top", "low"),
    ),
    "normal_above_bits": Problem(
        normal_above_bits,
        tensors(top=[[-1.4], [-0.3]], low=[[-1.0, -0.7], [1.5, 0.3]], link=[1.5, -0.7], weights=[-1.4, -1.5]),
        own=("top", "low"),
    ),
}
