"""A layer of discrete stochastic units: bits, or choices among several classes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor

from reparam.distributions import (
    Bernoulli,
    ExpRelaxedCategorical,
    LogitRelaxedBernoulli,
    OneHotCategorical,
)
from reparam.errors import ReparamError

CODES = ("signed", "unit")


@dataclass(frozen=True)
class Units:
    """`count` variables of `classes` states each; bits where there are two.

    `code` is what the next layer sees of them. `signed`: corners of {−1, 1}^(log₂ classes), as in Maddison et al. 2017
    (bits: 2b − 1); `unit`: the bit or the one-hot vector itself. Both are affine and take relaxed samples, too.
    """

    count: int
    classes: int = 2
    code: str = "signed"

    def __post_init__(self) -> None:
        if self.code == "signed" and self.classes & (self.classes - 1):
            raise ReparamError(
                f"task: code: signed gives corners of a cube to 2, 4, 8, … classes, not to {self.classes}; use unit"
            )

    @property
    def logits(self) -> int:
        """How many numbers a layer's law needs."""
        return self.count if self.classes == 2 else self.count * self.classes

    @property
    def width(self) -> int:
        """How many numbers the next layer sees."""
        if self.code == "signed":
            return self.count * int(math.log2(self.classes))
        return self.logits

    def law(self, logits: Tensor) -> Any:
        """[..., logits] → a law over [..., count] bits, or over [..., count, classes] one-hot vectors."""
        if self.classes == 2:
            return Bernoulli(logits=logits)
        return OneHotCategorical(logits=logits.unflatten(-1, (self.count, self.classes)), event_dims=2)

    def encode(self, z: Tensor) -> Tensor:
        """A sample, hard or relaxed, as the next layer sees it: [..., width]."""
        if self.classes == 2:
            return 2 * z - 1 if self.code == "signed" else z
        if self.code == "signed":
            corners = list(product((-1.0, 1.0), repeat=int(math.log2(self.classes))))
            z = z @ torch.tensor(corners, dtype=z.dtype, device=z.device)
        return z.flatten(-2)


@dataclass(frozen=True)
class RelaxedUnits:
    """`units` softened at a temperature λ: Concrete variables, as logits where they are bits and as logarithms else.

    Densities are exact in these spaces, and a ratio of two is that of the Concrete variables (Maddison et al. 2017,
    App. C).
    """

    units: Units
    temperature: float

    def law(self, logits: Tensor) -> Any:
        """[..., logits] → a law over logits of [..., count] soft bits, or logarithms of soft one-hot vectors."""
        if self.units.classes == 2:
            return LogitRelaxedBernoulli(self.temperature, logits=logits)
        each = logits.unflatten(-1, (self.units.count, self.units.classes))
        return ExpRelaxedCategorical(self.temperature, logits=each, event_dims=2)

    def encode(self, z: Tensor) -> Tensor:
        """A sample of the law as the next layer sees it: [..., width]."""
        return self.units.encode(z.sigmoid() if self.units.classes == 2 else z.exp())
