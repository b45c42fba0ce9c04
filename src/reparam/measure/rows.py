"""The data that measurements look at."""

from __future__ import annotations

from torch import Tensor

from reparam.data import binarisation
from reparam.measure.base import Context
from reparam.noise import draw, generator


def rows(context: Context, split: str, points: int | None) -> Tensor:
    """The first `points` rows (None: all) of `train` or `test`, [P, D], on the context's device.

    Training rows of a dynamically binarised task are binarised once, from a stream of the measurement's.
    """
    x: Tensor = getattr(context.task, split)[:points].to(context.device)
    if split == "train" and context.task.binarisation == "dynamic":
        source = generator(*context.axes, "pixels", device=context.device)
        return binarisation.binarise(x, draw("uniform", tuple(x.shape), source))
    return x
