from typing import Any

from reparam.report.provenance import Cell


def seed(number: int, wall: float, **differs: Any) -> dict[str, Any]:
    same = {"status": "ok", "step": 10, "reason": None, "device": "cpu", "path": "traced", "commit": "abc"}
    return {**same, "dirty": False, "torch": "2.11.0", "seed": number, "wall_seconds": wall, **differs}


def test_seeds_that_ended_alike_share_a_row() -> None:
    lost = seed(2, float("nan"), status="failed", step=None, reason="RuntimeError: lost")
    seeds = [seed(0, 1.0), seed(1, 2.0, torch="2.14.0"), lost, seed(3, 5.0)]
    cell = Cell("cell-1", "run", "quick", "p", "e", "m", "0", "p", "f", "q", None, seeds, [])
    rows = [(row["seeds"], row["status"], row["torch"], row["wall_seconds"]) for row in cell.rows]
    assert rows[:2] == [("0, 3", "ok", "2.11.0", 3.0), ("1", "ok", "2.14.0", 2.0)]
    assert rows[2][:2] == ("2", "failed")
