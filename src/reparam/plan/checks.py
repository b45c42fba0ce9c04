"""The kept findings of the checks against exact answers: one file per estimator, and the code that they speak of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from reparam.cells.files import read_json, write_json
from reparam.plan import sources


def keep(folder: Path, name: str, findings: list[dict[str, Any]]) -> None:
    """Write what was found of the estimator to `folder/<name>.json`, with the digest of the code behind it."""
    write_json(folder / f"{name}.json", {"source": sources.oracle_digest(name), "findings": findings})


def is_due(folder: Path, name: str) -> bool:
    """Whether the estimator is to be checked: its code has changed, it broke a promise, or nothing is kept of it."""
    kept = read_json(folder / f"{name}.json")
    return (
        not isinstance(kept, dict)
        or kept.get("source") != sources.oracle_digest(name)
        or not all(finding["passed"] for finding in kept["findings"])
    )


def forget_lost(results: Path, scale: str, packs: Mapping[str, Sequence[str]]) -> None:
    """Remove the mark of every job that is called done while findings are gone; Snakemake knows of the marks only."""
    folder = results / scale / "oracles"
    for pack, names in packs.items():
        mark = folder / "done" / pack
        if mark.is_file() and not all((folder / f"{name}.json").is_file() for name in names):
            mark.unlink()
            (results / scale / "jobs" / "judged").unlink(missing_ok=True)
