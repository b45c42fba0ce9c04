"""Affine maps with independent normal weights, by how their noise is shared within a minibatch.

| how | noise | source |
|---|---|---|
| shared | one weight matrix for all data | Graves 2011; Blundell et al. 2015 |
| per_example | one weight matrix for each datum | |
| local | the outputs, whose law given a datum is normal | Kingma et al. 2015, §2.2 |
| flipout | one perturbation for all data, random signs for each datum's inputs and outputs | Wen et al. 2018, §3.1 |

Each datum's output has the same law under the first three, and the same mean and variance under flipout; the data's
joint law differs.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import linear

from reparam.distributions import Normal, Uniform
from reparam.program import Sample

Affine = Callable[[Sample, str, Tensor, Tensor, Tensor], Tensor]
"""(sample, site, x [B, I], mean [O, I], standard deviation [O, I]) → outputs [B, O]."""


def shared(sample: Sample, name: str, x: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    return linear(x, sample(name, Normal(mean, scale, event_dims=2)))


def per_example(sample: Sample, name: str, x: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    each = (len(x), *mean.shape)
    weight = sample(name, Normal(mean.expand(each), scale.expand(each), event_dims=2))
    return (weight @ x.unsqueeze(-1)).squeeze(-1)


def local(sample: Sample, name: str, x: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    variance = linear(x.square(), scale.square())
    least = torch.finfo(variance.dtype).tiny  # of an input of zeros; its root would have no derivative
    return sample(name, Normal(linear(x, mean), variance.clamp_min(least).sqrt()))


def flipout(sample: Sample, name: str, x: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    change = sample(name, Normal(torch.zeros_like(mean), scale, event_dims=2))
    inputs = signs(sample, f"{name}_inputs", x)
    outputs = signs(sample, f"{name}_outputs", x.new_zeros(len(x), len(mean)))
    return linear(x, mean) + linear(x * inputs, change) * outputs


def signs(sample: Sample, name: str, like: Tensor) -> Tensor:
    """+1 or −1, equally often, for each entry of `like` [B, …]."""
    return sample(name, Uniform(-torch.ones_like(like), torch.ones_like(like))).sign()


WAYS: dict[str, Affine] = {f.__name__: f for f in (shared, per_example, local, flipout)}


def drawn(sample: Sample, name: str, data: Tensor, count: int) -> Tensor:
    """`count` indices of rows of `data`, drawn with replacement: a minibatch as part of a program's noise."""
    uniform = sample(name, Uniform(data.new_zeros(count, 1), data.new_ones(count, 1))).squeeze(-1)
    return (uniform * len(data)).long().clamp_max(len(data) - 1)
