"""Convolutions with independent normal kernels, by how their noise is shared within a minibatch.

As `random_affine`, of which these are the shared sample and flipout: the random signs of a datum are those of its input
and output channels, the same at every pixel (Wen et al. 2018, §3.1).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from reparam.distributions import Normal
from reparam.models.convolution import PADDING, STRIDE
from reparam.models.random_affine import signs
from reparam.program import Sample

Convolution = Callable[[Sample, str, Tensor, Tensor, Tensor], Tensor]
"""(sample, site, x [B, I, h, w], mean [O, I, 3, 3], standard deviation [O, I, 3, 3]) → outputs [B, O, ⌈h/2⌉, ⌈w/2⌉]."""


def shared(sample: Sample, name: str, x: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    return convolve(x, sample(name, Normal(mean, scale, event_dims=4)))


def flipout(sample: Sample, name: str, x: Tensor, mean: Tensor, scale: Tensor) -> Tensor:
    change = sample(name, Normal(torch.zeros_like(mean), scale, event_dims=4))
    inputs = signs(sample, f"{name}_inputs", x[:, :, 0, 0])[..., None, None]
    outputs = signs(sample, f"{name}_outputs", x.new_zeros(len(x), len(mean)))[..., None, None]
    return convolve(x, mean) + convolve(x * inputs, change) * outputs


def convolve(x: Tensor, kernel: Tensor) -> Tensor:
    """x [B, I, h, w] → [B, O, ⌈h/2⌉, ⌈w/2⌉], as the layers of `models.convolution` do."""
    return conv2d(x, kernel, stride=STRIDE, padding=PADDING)


WAYS: dict[str, Convolution] = {f.__name__: f for f in (shared, flipout)}
