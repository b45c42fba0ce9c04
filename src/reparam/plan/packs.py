"""Packs: pieces of work that share one process, because starting one costs more than a short piece."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from typing import TypeVar

from reparam.plan.cells import Cell

CHECKS_PER_JOB = 6
"""Estimators that are checked against exact answers in one process."""

Item = TypeVar("Item")


def packs(cells: Sequence[Cell], cells_per_job: int) -> dict[str, tuple[Cell, ...]]:
    """The cells dealt round into jobs of at most `cells_per_job`, by name.

    Neighbours, which are of one experiment and take about as long, land in different jobs. A name says
    which cells are in the pack, so the mark that a pack is done is never mistaken for another's.
    """
    return {
        _name(pack[0].paper, [str(cell.path) for cell in pack]): pack for pack in _deal(cells, cells_per_job)
    }


def check_packs(names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The estimators to check, dealt round into jobs in the same way."""
    return {_name("checks", pack): pack for pack in _deal(names, CHECKS_PER_JOB)}


def _deal(items: Sequence[Item], most: int) -> list[tuple[Item, ...]]:
    count = math.ceil(len(items) / most)
    return [tuple(items[start::count]) for start in range(count)]


def _name(kind: str, items: Sequence[str]) -> str:
    digest = hashlib.sha256("\n".join(items).encode()).hexdigest()
    return f"{kind}-{digest[:8]}"
