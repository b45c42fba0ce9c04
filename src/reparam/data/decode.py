"""From the files of a layout to plain arrays, one function per data set. Nothing is written anywhere."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from reparam.data import omniglot as omniglot_images

Arrays = dict[str, NDArray[Any]]


def read_idx(path: Path) -> NDArray[np.uint8]:
    """The array in a gzipped idx file of unsigned bytes (the format of the MNIST files).

    Torchvision reads these files only unpacked from disk, which a read-only folder forbids, and takes
    over a second to import.
    """
    with gzip.open(path) as stream:
        data = stream.read()
    zeros, kind, dimensions = data[:2], data[2], data[3]
    if zeros != b"\0\0" or kind != 8:
        raise ValueError(f"{path.name} is no idx file of unsigned bytes")
    shape = np.frombuffer(data, dtype=">u4", count=dimensions, offset=4).astype(int)
    return np.frombuffer(data, dtype=np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def read_amat(path: Path) -> NDArray[np.uint8]:
    """The rows of an .amat text file whose entries are 0 or 1, one blank or line end after each."""
    with path.open("rb") as stream:
        columns = (len(stream.readline()) + 1) // 2
    return (np.fromfile(path, dtype=np.uint8)[::2] - ord("0")).reshape(-1, columns)


def _digits(paths: Sequence[Path]) -> Arrays:
    table = np.loadtxt(paths[0], delimiter=",", dtype=np.uint8)
    return {"images": table[:, :-1].reshape(-1, 8, 8), "labels": table[:, -1]}


def _breast_cancer(paths: Sequence[Path]) -> Arrays:
    table = np.loadtxt(paths[0], delimiter=",", skiprows=1)
    return {"table": table[:, :-1], "labels": table[:, -1].astype(np.uint8)}


def _mushroom(paths: Sequence[Path]) -> Arrays:
    """A bit for every letter that an attribute takes in the file, in alphabetical order; 1 for what is edible."""
    letters = np.loadtxt(paths[0], delimiter=",", dtype="U1")
    bits = [column[:, None] == np.unique(column) for column in letters[:, 1:].T]
    return {
        "table": np.concatenate(bits, 1).astype(np.uint8),
        "labels": (letters[:, 0] == "e").astype(np.uint8),
    }


def _mnist(paths: Sequence[Path]) -> Arrays:
    roles = ("train", "train_labels", "test", "test_labels")
    return {role: read_idx(path) for role, path in zip(roles, paths, strict=True)}


def _static_mnist(paths: Sequence[Path]) -> Arrays:
    splits = ("train", "valid", "test")
    if len(paths) == 1:
        with np.load(paths[0], allow_pickle=False) as stored:
            return {split: stored[split] for split in splits}
    return {split: read_amat(path) for split, path in zip(splits, paths, strict=True)}


def _frey_face(paths: Sequence[Path]) -> Arrays:
    if paths[0].suffix == ".npy":
        return {"images": np.load(paths[0], allow_pickle=False)}
    from scipy.io import loadmat

    return {"images": loadmat(paths[0])["ff"].T.reshape(-1, 28, 20)}


def _omniglot(paths: Sequence[Path]) -> Arrays:
    if paths[0].suffix == ".zip":
        return {"images": omniglot_images.area_average(omniglot_images.originals(paths))}
    with np.load(paths[0], allow_pickle=False) as stored:
        images = stored["images"]
    return {"images": omniglot_images.area_average(images) if images.dtype == bool else images}


DECODERS: dict[str, Callable[[Sequence[Path]], Arrays]] = {
    "digits": _digits,
    "breast_cancer": _breast_cancer,
    "mushroom": _mushroom,
    "mnist": _mnist,
    "fashion_mnist": _mnist,
    "static_mnist": _static_mnist,
    "frey_face": _frey_face,
    "omniglot": _omniglot,
}
