"""What a cell's folder says of its seeds. The layout is in docs/architecture.md."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reparam.cells.files import read_json, sha256, write_json
from reparam.errors import ReparamError

FORMAT = 1


@dataclass(frozen=True)
class CellKey:
    """What a result must match to count: the spec and the source it was computed with."""

    spec: dict[str, Any]
    spec_hash: str
    source: str


def history_file(folder: Path, seed: int) -> Path:
    return folder / f"seed-{seed}.parquet"


def arrays_file(folder: Path, seed: int) -> Path:
    return folder / f"seed-{seed}.npz"


def status_file(folder: Path, seed: int) -> Path:
    return folder / f"seed-{seed}.json"


def require_format(record: Mapping[str, Any], folder: Path) -> None:
    """Raise ReparamError when a record found in a cell's folder was written by another format version."""
    found = record.get("format")
    if found != FORMAT:
        raise ReparamError(
            f"{folder}: results of format {found!r}, but this version reads format {FORMAT}; "
            "move the folder out of the results tree (or use the version that wrote it), then run again"
        )


def is_done(folder: Path, seed: int, key: CellKey) -> bool:
    """Whether this seed's result is there, whole, and made from this spec by this source.

    A diverged seed is done: divergence is a result. A failed one is not. Raises ReparamError on a result of
    another format version, which is not ours to replace.
    """
    status = read_json(status_file(folder, seed))
    if not isinstance(status, dict):
        return False
    require_format(status, folder)
    if status["spec"] != key.spec_hash or status["source"] != key.source or status["status"] == "failed":
        return False
    history = history_file(folder, seed)
    return history.is_file() and sha256(history) == status["history"]


def write_status(folder: Path, seed: int, key: CellKey, **content: Any) -> None:
    """Write a seed's status, the mark that its result counts; call it last."""
    write_json(
        status_file(folder, seed),
        {"format": FORMAT, "seed": seed, "spec": key.spec_hash, "source": key.source, **content},
    )


def write_manifest(folder: Path, scale: str, key: CellKey) -> None:
    """Gather the statuses of all seeds in the folder that belong to this spec into manifest.json."""
    statuses = {}
    for seed in seeds_in(folder):
        status = read_json(status_file(folder, seed))
        if isinstance(status, dict) and status.get("spec") == key.spec_hash:
            statuses[str(seed)] = status
    spec = key.spec
    write_json(
        folder / "manifest.json",
        {
            "format": FORMAT,
            "scale": scale,
            "paper": spec["paper"],
            "experiment": spec["experiment"],
            "estimator": spec["estimator"],
            "spec": spec,
            "spec_hash": key.spec_hash,
            "source": key.source,
            "seeds": statuses,
        },
    )


def seeds_in(folder: Path) -> Iterable[int]:
    """The seeds that have a status in this folder, in order."""
    return sorted(int(path.stem.removeprefix("seed-")) for path in folder.glob("seed-*.json"))
