"""What is measured: an estimator at fixed parameters, and the named noise of its draws."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from reparam.engine.diagnosis import is_finite, lifted, not_finite
from reparam.engine.gradient import Estimate, estimate_gradient
from reparam.estimators import Estimator
from reparam.noise import Noise, NoiseSpecs, draw_block
from reparam.program import Program

BLOCK = 128
"""Draws whose noise comes from one stream; part of what makes a result what it is."""
VALUE, FAILED = "", "\0"
"""The objective's reading and the failed rejections, among the gradients by parameter: no parameter has these names."""

Estimates = dict[str, Tensor]


@dataclass(frozen=True)
class Subject:
    """An estimator, and all that it is a function of besides its noise."""

    estimator: Estimator
    program: Program
    params: dict[str, Tensor]
    tunables: dict[str, Tensor]
    memory: Any
    signals: Mapping[str, Tensor] | None = None

    def one(self, noise: Noise) -> Estimate:
        """The estimate of one draw."""
        return estimate_gradient(
            self.estimator,
            self.program,
            self.params,
            noise,
            self.tunables,
            self.memory,
            self.signals,
            tune=False,
        )

    def many(self, noise: Noise) -> Estimates:
        """Objective and gradient of every draw, [C, …]."""
        with lifted():
            return torch.vmap(lambda draw: entries(self.one(draw)))(noise)

    def checked(self, noise: Noise, draw: int) -> Estimate:
        """The estimate of the draw of this number; ReparamError, saying why, if it is not finite."""
        with lifted():
            found = self.one(noise)
        if not is_finite(entries(found)):
            raise not_finite(
                self.estimator,
                self.program,
                self.params,
                noise,
                self.tunables,
                self.memory,
                self.signals,
                draw,
            )
        return found

    def settled(self, draws: Iterator[Noise]) -> Subject:
        """With the memory that estimates one after another leave behind, if it keeps one."""
        subject = self
        for number, noise in enumerate(draws if tree_leaves(self.memory) else ()):
            found = subject.checked(pick(noise, 0), number)
            subject = replace(subject, memory=found.memory)
        return subject


def entries(found: Estimate) -> Estimates:
    """Objective, gradient and failures under one roof."""
    failed = {} if found.failed is None else {FAILED: found.failed.to(found.value.dtype)}
    return {VALUE: found.value, **failed, **found.gradient}


@dataclass(frozen=True)
class Blocks:
    """Noise in named blocks, handed out in chunks of any size: the draws are the same for all sizes."""

    specs: NoiseSpecs
    axes: tuple[str | int, ...]
    device: torch.device
    dtype: torch.dtype

    @property
    def any(self) -> bool:
        """Whether there is any noise at all."""
        return any(self.specs.values())

    def chunks(self, purpose: str, draws: int, size: int) -> Iterator[Noise]:
        """The noise of `draws` draws, leaves [≤ size, …]."""
        span = BLOCK * math.ceil(size / BLOCK)
        for start in range(0, draws, span):
            length = min(span, draws - start)
            numbers = range(start // BLOCK, (start + length - 1) // BLOCK + 1)
            blocks = [
                draw_block(self.specs, (*self.axes, purpose, number), BLOCK, self.device, self.dtype)
                for number in numbers
            ]
            drawn = tree_map(lambda *parts: torch.cat(parts), *blocks)
            for first in range(0, length, size):
                yield pick(drawn, slice(first, min(first + size, length)))


def pick(noise: Noise, draws: int | slice) -> Noise:
    """One draw, or some, of a stack of draws."""
    picked: Noise = tree_map(lambda leaf: leaf[draws], noise)
    return picked
