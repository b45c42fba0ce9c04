"""What tasks with layers of discrete units share: their options, and the maps between the layers."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from reparam.errors import ReparamError
from reparam.models import dense
from reparam.models.units import CODES, Units
from reparam.program import Params
from reparam.tasks import require, require_count

DARKEST = 1e-3
"""Mean pixels are kept this far from 0 and 1 before their log-odds are taken (Tucker et al. 2017, code)."""


@dataclass(frozen=True)
class LayerOptions:
    """`data` and `binarisation` are carried out before the task is built and recorded here."""

    data: str
    binarisation: str = "none"
    valid_size: int | None = None
    """Hold out this many training rows, the last ones, for validation, where the data set has none of its own."""
    layers: int = 1
    """Stochastic layers."""
    units: int = 200
    """Variables in each of them."""
    classes: int = 2
    """States of each variable: 2 makes bits, more one-hot vectors."""
    code: str = "signed"
    """What a layer sees of the one before: `signed`, corners of {−1, 1}^(log₂ classes), or `unit`, bits and one-hot."""
    hidden: tuple[int, ...] = ()
    """Widths of the hidden layers in every map between layers; none make all maps affine (a linear model)."""
    activation: str = "tanh"
    centre: bool = True
    """Whether pixels that go in are taken less their mean in the training data."""
    decoder_bias: str = "data"
    """Where the bias of pixels that come out starts: `data`, at their means (bits: their log-odds), or `zero`."""
    start: str = "glorot"
    """How weights start: `glorot` or `variance_scaling`; other biases start at zero."""
    weight_decay: float = 0.0
    """c of the penalty c/2 Σ w² on all weights, biases aside, in nats per datum."""

    def __post_init__(self) -> None:
        for option in ("layers", "units", "classes"):
            require_count(option, getattr(self, option))
        if self.classes < 2:
            raise ReparamError("task: classes is 1; a variable needs at least 2")
        if not isinstance(self.hidden, list | tuple):
            raise ReparamError(f"task: hidden is {self.hidden!r}; give a list of widths, such as [200, 200]")
        for width in self.hidden:
            require_count("hidden", width)
        decay = self.weight_decay
        if isinstance(decay, bool) or not isinstance(decay, int | float) or not 0 <= decay < math.inf:
            raise ReparamError(f"task: weight_decay is {decay!r}; give a number of at least 0")
        require("code", self.code, CODES)
        require("activation", self.activation, tuple(dense.ACTIVATIONS))
        require("decoder_bias", self.decoder_bias, ("data", "zero"))
        require("start", self.start, tuple(dense.STARTS))
        _ = self.variables

    @cached_property
    def variables(self) -> Units:
        """One stochastic layer."""
        return Units(self.units, self.classes, self.code)

    def sizes(self, name: str, inputs: int, outputs: int) -> dict[str, tuple[int, int]]:
        """Layers of the map `name`: {layer: (inputs, outputs)}."""
        return dense.sizes(name, inputs, self.hidden, outputs)

    def map(self, params: Params, name: str, inputs: Tensor) -> Tensor:
        """The map `name`, [..., inputs] → [..., outputs]."""
        return dense.apply(params, name, inputs, len(self.hidden), self.activation)

    def penalty(self, params: Params, data: int) -> Tensor:
        """−data · weight_decay/2 Σ w², shape (): the weights' log prior beside the sum over so many data."""
        weights = [entry for name, entry in params.items() if name.endswith(".weight")]
        if not self.weight_decay:
            return weights[0].new_zeros(())
        return -0.5 * data * self.weight_decay * torch.stack([w.square().sum() for w in weights]).sum()

    def start_pixels(self, params: dict[str, Tensor], name: str, bias: Tensor) -> None:
        """Start the head of the map `name` at this bias, if asked to start at the data."""
        if self.decoder_bias == "data":
            params[f"{name}.{len(self.hidden)}.bias"] = bias.cpu()


def log_odds(means: Tensor) -> Tensor:
    """Of mean pixels, kept off 0 and 1."""
    return means.clamp(DARKEST, 1 - DARKEST).logit()
