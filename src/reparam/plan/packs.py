"""Packs: cells that share one process, because starting one costs more than a short cell."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence

from reparam.plan.cells import Cell


def packs(cells: Sequence[Cell], cells_per_job: int) -> dict[str, tuple[Cell, ...]]:
    """The cells dealt round into jobs of at most `cells_per_job`, by name.

    Neighbours, which are of one experiment and take about as long, land in different jobs. A name says
    which cells are in the pack, so the mark that a pack is done is never mistaken for another's.
    """
    count = math.ceil(len(cells) / cells_per_job)
    dealt = [tuple(cells[start::count]) for start in range(count)]
    return {_name(pack): pack for pack in dealt}


def _name(pack: Sequence[Cell]) -> str:
    paths = "\n".join(str(cell.path) for cell in pack)
    return f"{pack[0].paper}-{hashlib.sha256(paths.encode()).hexdigest()[:8]}"
