"""Grey levels to bits, by rules that depend on the data set only: the same for every seed and estimator."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor

from reparam.data.dataset import DataSet
from reparam.data.sources import BINARISATIONS
from reparam.errors import ReparamError
from reparam.noise import draw, generator
from reparam.registry import nearest


def binarise(x: Tensor, uniform: Tensor) -> Tensor:
    """Bits that are 1 with probability `x`: where uniform < x. Both in [0, 1], of broadcastable shapes.

    The dynamic binarisation of a training step: call it with fresh uniforms each time a row is used.
    """
    return (uniform < x).to(x.dtype)


def prepare(dataset: DataSet, binarisation: str) -> DataSet:
    """The data set under one of these rules; ReparamError for any other.

    - `none`: grey levels as they are.
    - `threshold`: 1 where the grey level exceeds 0.5.
    - `static`: one Bernoulli draw per pixel with the grey level as its probability, from a stream named
      by the data set and the split alone.
    - `dynamic`: the training rows stay grey, for `binarise` in every step; validation and test rows are
      those of `static`.

    Rows that are 0 and 1 already (static_mnist) stay what they are under each rule.
    """
    if binarisation not in BINARISATIONS:
        raise ReparamError(f"unknown binarisation {binarisation!r}{nearest(binarisation, BINARISATIONS)}")
    if binarisation == "none":
        return dataset

    def rule(split: str, rows: Tensor) -> Tensor:
        if binarisation == "threshold":
            return (rows > 0.5).to(rows.dtype)
        if binarisation == "dynamic" and split == "train":
            return rows
        source = generator("data", dataset.name, "binarisation", split)
        return binarise(rows, draw("uniform", tuple(rows.shape), source))

    changes: dict[str, Any] = {split: rule(split, rows) for split, rows in dataset.splits().items()}
    return replace(dataset, **changes)
