"""Data sets by name: scaled, split, binarised, cut to size."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from reparam.data import store
from reparam.data.binarisation import prepare
from reparam.data.dataset import DataSet
from reparam.data.decode import Arrays
from reparam.errors import ReparamError
from reparam.noise import generator

# The divisor of the stored integers, where it is not 255. For Frey Face it is the one of Kingma's loader.
LEVELS = {"digits": 16, "static_mnist": 1, "frey_face": 256}
# Sets published without a split: rows for training and for testing, taken from one shuffled order.
SPLITS = {"digits": (1297, 500), "frey_face": (1565, 400), "omniglot": (24_345, 8_070)}
MNIST_TRAIN = 50_000  # the other 10,000 rows of the training files are for validation
PUBLISHED_VALIDATION = ("static_mnist",)  # sets whose validation rows are a split of the publisher's own


def load(
    name: str,
    binarisation: str = "none",
    train: int | None = None,
    valid: int | None = None,
    test: int | None = None,
) -> DataSet:
    """The data set `name` under a binarisation rule (see `prepare`), its splits cut to the given sizes.

    Binarisation comes before the cut, so a row's bits do not depend on the sizes. Raises ReparamError
    for an unknown name or rule, a size the split does not have, and missing or corrupt files.
    """
    whole = prepare(_assemble(name, store.read(name)), binarisation)
    return subset(whole, train=train, valid=valid, test=test)


def subset(
    dataset: DataSet, train: int | None = None, valid: int | None = None, test: int | None = None
) -> DataSet:
    """The data set with that many rows in a split (None: all of them).

    Rows are drawn without replacement from a stream named by data set and split: never the first ones,
    since files may be sorted by class. A smaller subset is part of every larger one.
    """
    changes: dict[str, Any] = {}
    splits = dataset.splits()
    for split, size in {"train": train, "valid": valid, "test": test}.items():
        if size is None:
            continue
        have = len(splits.get(split, ()))
        if not 1 <= size <= have:
            raise ReparamError(f"data set {dataset.name!r} has {have} {split} rows: {size} cannot be taken")
        chosen = _order(dataset.name, f"subset of {split}", have)[:size]
        changes[split] = splits[split][chosen]
        labels = getattr(dataset, f"{split}_labels", None)
        if labels is not None:
            changes[f"{split}_labels"] = labels[chosen]
    return replace(dataset, **changes)


def as_published(dataset: DataSet) -> DataSet:
    """The data set with validation rows only where its publisher has some; others go back to the end of the training
    rows, which then have no labels. Of data sets as `load` gives them, whole."""
    if dataset.valid is None or dataset.name in PUBLISHED_VALIDATION:
        return dataset
    train = torch.cat([dataset.train, dataset.valid])
    return replace(dataset, train=train, valid=None, train_labels=None)


def _order(name: str, purpose: str, count: int) -> Tensor:
    return torch.randperm(count, generator=generator("data", name, purpose))


def _assemble(name: str, arrays: Arrays) -> DataSet:
    """The published arrays as a scaled, split data set."""
    if "table" in arrays:
        return _tabular(name, arrays)
    if name in SPLITS:
        arrays = _split(name, arrays)
    elif "valid" not in arrays:
        arrays = arrays | {
            "train": arrays["train"][:MNIST_TRAIN],
            "train_labels": arrays["train_labels"][:MNIST_TRAIN],
            "valid": arrays["train"][MNIST_TRAIN:],
            "valid_labels": arrays["train_labels"][MNIST_TRAIN:],
        }
    images = {split: arrays[split] for split in ("train", "valid", "test") if split in arrays}
    shape = images["train"].shape[1:] if images["train"].ndim == 3 else (28, 28)
    rows = {split: _rows(image, LEVELS.get(name, 255)) for split, image in images.items()}
    labels = {
        key: torch.from_numpy(arrays[key].astype(np.int64))
        for key in ("train_labels", "valid_labels", "test_labels")
        if key in arrays
    }
    return DataSet(
        name=name, shape=shape, train=rows["train"], valid=rows.get("valid"), test=rows["test"], **labels
    )


def _tabular(name: str, arrays: Arrays) -> DataSet:
    """A table without a split, all rows for training and for testing: bits as they are, other columns with mean 0 and
    standard deviation 1."""
    table = arrays["table"]
    if table.dtype != np.uint8:
        table = (table - table.mean(0)) / table.std(0)
    rows = torch.from_numpy(table.astype(np.float32))
    labels = torch.from_numpy(arrays["labels"].astype(np.int64))
    return DataSet(name, rows, rows, None, (1, rows.shape[1]), labels, labels)


def _split(name: str, arrays: Arrays) -> Arrays:
    train, test = SPLITS[name]
    order = _order(name, "split", len(arrays["images"])).numpy()
    parts = {"train": order[:train], "test": order[train : train + test]}
    split = {part: arrays["images"][chosen] for part, chosen in parts.items()}
    if "labels" in arrays:
        split |= {f"{part}_labels": arrays["labels"][chosen] for part, chosen in parts.items()}
    return split


def _rows(images: NDArray[np.uint8], levels: int) -> Tensor:
    return torch.from_numpy(images.reshape(len(images), -1).astype(np.float32)).div_(levels)
