"""Holding rows out for validation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from reparam.errors import ReparamError

if TYPE_CHECKING:
    from reparam.data import DataSet


def hold_out(dataset: DataSet, size: int | None) -> tuple[Tensor, Tensor | None, Tensor]:
    """Rows for training, validation (None where there are none) and test; the validation rows are the last `size`.

    `size` None leaves the data set's own split. Raises ReparamError for a size where there is validation data, or too
    large a one.
    """
    if size is None:
        return dataset.train, dataset.valid, dataset.test
    rows = len(dataset.train)
    whole = isinstance(size, int) and not isinstance(size, bool)
    if dataset.valid is not None or not whole or not 1 <= size < rows:
        has = f"{rows} training rows" if dataset.valid is None else "validation data of its own"
        raise ReparamError(f"task: valid_size is {size!r}, but {dataset.name} has {has}")
    return dataset.train[: rows - size], dataset.train[rows - size :], dataset.test
