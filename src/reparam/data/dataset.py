"""What a task gets: rows of pixels, split."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class DataSet:
    """Images as rows, float32 on the CPU, row-major, with D = h · w for `shape` = (h, w).

    `train` [N, D], `test` [M, D] and, where the data set has one, `valid` [V, D] hold grey levels in
    [0, 1], or bits; of a table they hold bits or standardised columns, and `shape` is (1, D). `train_labels`
    [N], `valid_labels` [V] and `test_labels` [M] are int64 classes, None where there are none.
    """

    name: str
    train: Tensor
    test: Tensor
    valid: Tensor | None
    shape: tuple[int, int]
    train_labels: Tensor | None = None
    test_labels: Tensor | None = None
    valid_labels: Tensor | None = None

    def splits(self) -> dict[str, Tensor]:
        """The splits that exist, by name: train, valid, test."""
        found = {"train": self.train, "valid": self.valid, "test": self.test}
        return {split: rows for split, rows in found.items() if rows is not None}
