"""The data that measurements look at."""

from __future__ import annotations

from torch import Tensor

from reparam.data import binarisation
from reparam.errors import ReparamError
from reparam.measure.base import Context
from reparam.noise import draw, generator


def rows(context: Context, split: str, points: int | None) -> Tensor:
    """The first `points` rows (None: all) of `train`, `valid` or `test`, [P, D], on the context's device.

    Raises ReparamError for a split that the task does not have.
    Training rows of a dynamically binarised task are binarised once, from a stream of the measurement's.
    """
    found = getattr(context.task, split, None)
    if found is None:
        raise ReparamError(
            f"the task has no {split!r} rows: measure train or test, or give the task a valid_size to hold out"
        )
    x: Tensor = found[:points].to(context.device)
    if split == "train" and context.task.binarisation == "dynamic":
        source = generator(*context.axes, "pixels", device=context.device)
        return binarisation.binarise(x, draw("uniform", tuple(x.shape), source))
    return x
