"""Epochs of permutations, found for any step without the steps before it."""

from __future__ import annotations

import pytest
import torch

from reparam.engine.minibatch import minibatch_indices


@pytest.mark.parametrize(("rows", "batch"), [(10, 3), (7, 7), (5, 12), (100, 10)])
def test_every_epoch_sees_every_row_once(rows: int, batch: int) -> None:
    steps = 4 * rows
    order = minibatch_indices(("p", 0), 0, steps, batch, rows).flatten()
    for epoch in range(len(order) // rows):
        assert sorted(order[epoch * rows : (epoch + 1) * rows].tolist()) == list(range(rows))


def test_epochs_differ() -> None:
    order = minibatch_indices(("p", 0), 0, 20, 10, 100).reshape(2, 100)
    assert not torch.equal(order[0], order[1])


def test_a_block_does_not_depend_on_where_reading_starts() -> None:
    whole = minibatch_indices(("p", 0), 0, 60, 7, 23)
    assert torch.equal(minibatch_indices(("p", 0), 40, 20, 7, 23), whole[40:])
    assert not torch.equal(minibatch_indices(("p", 1), 40, 20, 7, 23), whole[40:])


def test_of_one_row_there_is_one_order() -> None:
    assert torch.equal(minibatch_indices(("p", 0), 5, 3, 2, 1), torch.zeros(3, 2, dtype=torch.int64))
