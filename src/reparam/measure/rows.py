"""The data that measurements look at."""

from __future__ import annotations

from torch import Tensor

from reparam.data import binarisation
from reparam.engine.minibatch import minibatch_indices
from reparam.errors import ReparamError
from reparam.measure.base import Context
from reparam.noise import NoiseSpec, draw, draw_block, generator


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


def minibatch(context: Context) -> Tensor:
    """One fixed minibatch of the training's size, [B, D]; of a dynamically binarised task it is binarised once."""
    train = context.task.train
    index = minibatch_indices(context.axes, 0, 1, context.batch, len(train))[0]
    x: Tensor = train[index.to(train.device)]
    if context.task.binarisation == "dynamic":
        specs = {"data": {"uniform": NoiseSpec("uniform", tuple(x.shape))}}
        return binarisation.binarise(
            x, draw_block(specs, context.axes, 1, context.device)["data"]["uniform"][0]
        )
    return x
