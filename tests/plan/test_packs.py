"""Packs: every cell once, no pack too large, names that follow their cells."""

from __future__ import annotations

import pytest

from reparam.plan.cells import Cell
from reparam.plan.packs import CHECKS_PER_JOB, check_packs, packs


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


def test_estimators_are_checked_in_packs_of_their_own() -> None:
    names = [f"estimator{i}" for i in range(2 * CHECKS_PER_JOB + 1)]
    found = check_packs(names)
    assert sorted(name for pack in found.values() for name in pack) == sorted(names)
    assert len(found) == 3 and all(name.startswith("checks-") for name in found)
    assert check_packs([]) == {}
