"""What of a plan is done, and what is under way, read from the results folder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from reparam.cells.files import read_json
from reparam.cells.status import FORMAT, status_file
from reparam.plan.cells import Cell

WORK = ".work"


def cell_folder(results: Path, cell: Cell) -> Path:
    """Where a cell's results are kept."""
    return results / cell.scale / cell.path


def work_folder(results: Path, cell: Cell) -> Path:
    """Where a cell's checkpoints and progress are while it runs."""
    return results / WORK / cell.scale / cell.path


@dataclass(frozen=True)
class State:
    """The numbers of a cell's seeds by status; `stale` ones were made by other source than today's."""

    ok: int
    diverged: int
    failed: int
    stale: int
    missing: int


def state(cell: Cell, results: Path, source: str) -> State:
    """How far the seeds of a cell are, for this source digest. Histories are not read."""
    counts = dict.fromkeys(("ok", "diverged", "failed", "stale", "missing"), 0)
    for seed in cell.seeds:
        status = read_json(status_file(cell_folder(results, cell), seed))
        known = isinstance(status, dict) and status.get("format") == FORMAT
        if not known or status["spec"] != cell.spec_hash:
            counts["missing"] += 1
        else:
            counts[status["status"] if status["source"] == source else "stale"] += 1
    return State(**counts)


def forget_lost(results: Path, scale: str, packs: Mapping[str, Sequence[Cell]]) -> None:
    """Remove the mark of every job that is called done while results of its cells are gone.

    Snakemake knows of the marks only; somebody may have removed a cell's folder by hand.
    """
    jobs = results / scale / "jobs"
    for name, cells in packs.items():
        mark = jobs / f"{name}.json"
        lost = (
            not status_file(cell_folder(results, cell), seed).is_file()
            for cell in cells
            for seed in cell.seeds
        )
        if mark.is_file() and any(lost):
            mark.unlink()
            (jobs / "judged").unlink(missing_ok=True)


def under_way(results: Path) -> list[Mapping[str, Any]]:
    """The progress notes of all cells whose process still runs, with their scale, in order of path."""
    notes: list[Mapping[str, Any]] = []
    for file in sorted((results / WORK).glob("**/progress.json")):
        note = read_json(file)
        if isinstance(note, dict) and _runs(note):
            notes.append({**note, "scale": file.relative_to(results / WORK).parts[0]})
    return notes


def _runs(note: Mapping[str, Any]) -> bool:
    return note["pid"] == os.getpid() or psutil.pid_exists(note["pid"])
