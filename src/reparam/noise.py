"""Base noise: drawn before any parameter is known, from streams seeded by name.

A stream is named by its axes (paper, experiment, seed, what it is for, site, role, block). Its
generator is seeded by SHA-256 over those names, so one stream never depends on how many others
were drawn, or in which order. Estimators of one experiment meet the same axes and therefore the
same noise: comparisons between them are paired.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Kind = Literal["normal", "uniform"]
NoiseSpecs = Mapping[str, Mapping[str, "NoiseSpec"]]
Noise = Mapping[str, Mapping[str, Tensor]]


@dataclass(frozen=True)
class NoiseSpec:
    """What to draw for one role of one site.

    `shape` is the shape of a single draw. With `copies` = K, K independent draws are stacked on a new
    first axis, each from a stream of its own: the first draw is the same for every K.
    """

    kind: Kind
    shape: tuple[int, ...]
    copies: int | None = None


def stream_seed(*axes: str | int) -> int:
    """The 63-bit seed of the stream with these axes."""
    text = json.dumps([str(axis) for axis in axes])
    digest = hashlib.sha256(text.encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def generator(*axes: str | int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator for the stream with these axes, on `device`."""
    source = torch.Generator(device=device)
    source.manual_seed(stream_seed(*axes))
    return source


def draw(
    kind: Kind,
    shape: tuple[int, ...],
    source: torch.Generator,
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """Standard normal or uniform noise of this shape, on the generator's device.

    Uniforms lie strictly inside (0, 1): a path may take their logarithm.
    """
    if kind == "normal":
        return torch.randn(shape, generator=source, dtype=dtype, device=source.device)
    uniform = torch.rand(shape, generator=source, dtype=dtype, device=source.device)
    edge = torch.finfo(dtype).eps / 4
    return uniform.clamp(min=edge, max=1 - 2 * edge)


def draw_block(
    specs: NoiseSpecs,
    axes: tuple[str | int, ...],
    length: int,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> dict[str, dict[str, Tensor]]:
    """Noise for `length` consecutive steps: {site: {role: [length, (copies,) *shape]}}.

    `axes` name the block (its index among them); site, role and copy are appended here.
    """

    def one(site: str, role: str, spec: NoiseSpec, copy: int) -> Tensor:
        source = generator(*axes, site, role, copy, device=device)
        return draw(spec.kind, (length, *spec.shape), source, dtype)

    block: dict[str, dict[str, Tensor]] = {}
    for site, roles in specs.items():
        block[site] = {}
        for role, spec in roles.items():
            if spec.copies is None:
                block[site][role] = one(site, role, spec, 0)
            else:
                copies = [one(site, role, spec, k) for k in range(spec.copies)]
                block[site][role] = torch.stack(copies, dim=1)
    return block
