"""Data sets: download, checksum, load, split, binarise.

What needs torch is imported on first use: planning a run asks for names only and stays quick to start.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from reparam.data.sources import BINARISATIONS, names
from reparam.data.store import ensure

if TYPE_CHECKING:
    from reparam.data.binarisation import binarise, prepare
    from reparam.data.dataset import DataSet
    from reparam.data.loading import as_published, load, subset

__all__ = [
    "BINARISATIONS",
    "DataSet",
    "as_published",
    "binarise",
    "ensure",
    "load",
    "names",
    "prepare",
    "subset",
]

_LAZY = {
    "DataSet": "dataset",
    "binarise": "binarisation",
    "prepare": "binarisation",
    "as_published": "loading",
    "load": "loading",
    "subset": "loading",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_LAZY[name]}"), name)
