"""Stacks of convolutions that halve an image, and of transposed ones that double it, as pure functions.

A stack `name` owns `name.0.weight`, `name.0.bias`, `name.1.weight`, …, for kernels of 3 × 3 and strides of 2 with ReLU
between them; images are rows of pixels, and their leading axes are a plate.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import conv2d, conv_transpose2d

from reparam.noise import draw

KERNEL, STRIDE, PADDING = 3, 2, 1
Shape = tuple[int, int]


def halvings(shape: Shape, layers: int) -> list[Shape]:
    """The sizes of an image from `shape` on through so many layers; an odd number is halved upwards."""
    sizes = [shape]
    for _ in range(layers):
        height, width = sizes[-1]
        sizes.append(((height + 1) // 2, (width + 1) // 2))
    return sizes


def features(shape: Shape, channels: Sequence[int]) -> int:
    """How many numbers `encode` returns for an image."""
    height, width = halvings(shape, len(channels))[-1]
    return channels[-1] * height * width


def init_encoder(
    name: str, planes: int, channels: Sequence[int], generator: torch.Generator
) -> dict[str, Tensor]:
    """Parameters of convolutions from `planes` to `channels`, as He et al. 2015 start them (Eq. 10)."""
    params: dict[str, Tensor] = {}
    for i, (inputs, outputs) in enumerate(zip([planes, *channels], channels, strict=False)):
        shape = (outputs, inputs, KERNEL, KERNEL)
        params |= _layer(f"{name}.{i}", shape, outputs, inputs * KERNEL**2, generator)
    return params


def encode(
    params: Mapping[str, Tensor], name: str, planes: Sequence[Tensor], shape: Shape, layers: int
) -> Tensor:
    """Planes, each an image [..., h · w], through the convolutions: [..., features], after a last ReLU."""
    stacked = torch.stack(torch.broadcast_tensors(*planes), -2)
    plate = stacked.shape[:-2]
    x = stacked.reshape(-1, len(planes), *shape)
    for i in range(layers):
        x = conv2d(x, params[f"{name}.{i}.weight"], params[f"{name}.{i}.bias"], STRIDE, PADDING).relu()
    return x.reshape(*plate, -1)


def init_decoder(
    name: str, inputs: int, shape: Shape, channels: Sequence[int], generator: torch.Generator
) -> dict[str, Tensor]:
    """Parameters from a code to `channels`, which mirror an encoder's, and to one plane of `shape`."""
    *_, smallest = halvings(shape, len(channels))
    widths = [*reversed(channels), 1]
    params = _layer(f"{name}.0", (inputs, widths[0], *smallest), widths[0], inputs, generator)
    for i in range(1, len(widths)):
        weight = (widths[i - 1], widths[i], KERNEL, KERNEL)
        fan = math.ceil(widths[i - 1] * KERNEL**2 / STRIDE**2)  # what one pixel of the output sees
        params |= _layer(f"{name}.{i}", weight, widths[i], fan, generator)
    return params


def decode(params: Mapping[str, Tensor], name: str, code: Tensor, shape: Shape, layers: int) -> Tensor:
    """A code [..., inputs] through `layers` + 1 transposed convolutions to an image, [..., h · w]."""
    sizes = halvings(shape, layers)[::-1]
    x = code.reshape(-1, code.shape[-1], 1, 1)
    x = conv_transpose2d(x, params[f"{name}.0.weight"], params[f"{name}.0.bias"])
    for i in range(1, layers + 1):
        beyond = tuple(
            after - (STRIDE * before - 1) for before, after in zip(sizes[i - 1], sizes[i], strict=True)
        )
        weight, bias = params[f"{name}.{i}.weight"], params[f"{name}.{i}.bias"]
        x = conv_transpose2d(x.relu(), weight, bias, STRIDE, PADDING, beyond)
    return x.reshape(*code.shape[:-1], -1)


def _layer(
    name: str, shape: tuple[int, ...], outputs: int, fan: int, generator: torch.Generator
) -> dict[str, Tensor]:
    weight = math.sqrt(2 / fan) * draw("normal", shape, generator)
    return {f"{name}.weight": weight, f"{name}.bias": torch.zeros(outputs)}
