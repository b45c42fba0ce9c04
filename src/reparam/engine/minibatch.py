"""Which training rows each step sees: epochs of random permutations, laid end to end."""

from __future__ import annotations

import torch
from torch import Tensor

from reparam.noise import generator


def minibatch_indices(axes: tuple[str | int, ...], start: int, length: int, batch: int, rows: int) -> Tensor:
    """Row indices [length, batch] of steps start … start + length − 1.

    Every epoch is a permutation of all rows from a stream of its own, so any step's rows can be found
    without the steps before it. A minibatch may span two epochs.
    """
    if rows == 1:
        return torch.zeros(length, batch, dtype=torch.int64)
    first, last = start * batch, (start + length) * batch
    epochs = range(first // rows, (last - 1) // rows + 1)
    order = torch.cat(
        [torch.randperm(rows, generator=generator(*axes, "minibatches", epoch)) for epoch in epochs]
    )
    offset = first - epochs.start * rows
    return order[offset : offset + length * batch].reshape(length, batch)
