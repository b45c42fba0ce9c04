"""Packs: every cell once, no pack too large, names that follow their cells."""

from __future__ import annotations

import pytest

from reparam.plan.cells import Cell
from reparam.plan.packs import packs


def cells(count: int) -> list[Cell]:
    return [Cell("quick", "toy2020", f"experiment-{i}", "pathwise", {"i": i}, (0,)) for i in range(count)]


@pytest.mark.parametrize(("count", "size"), [(1, 5), (5, 5), (6, 5), (21, 6), (7, 1), (3, 100)])
def test_every_cell_is_in_one_pack_of_at_most_the_size(count: int, size: int) -> None:
    found = packs(cells(count), size)
    assert sorted(c.experiment for pack in found.values() for c in pack) == sorted(
        c.experiment for c in cells(count)
    )
    assert max(map(len, found.values())) <= size
    assert len(found) == -(-count // size)


def test_a_name_follows_its_cells() -> None:
    assert list(packs(cells(6), 3)) == list(packs(cells(6), 3))
    assert not set(packs(cells(6), 3)) & set(packs(cells(7), 3))
