"""Read what cells left on disk: one folder per cell, one status and one history per seed.

Only committed results are read: a seed counts when its status file is there (it is written last) and names
the planned spec. Anything else in the folder (temporary names, work files, pictures) is left alone.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import pandas as pd
from pyarrow import parquet

from reparam.cells.status import require_format
from reparam.errors import ReparamError

STATUSES = ("ok", "diverged", "failed")
_STATUS_FILE = re.compile(r"seed-(\d+)\.json")
_CELL_FOLDER = re.compile(r"[0-9a-f]{8}")
_HISTORY = {"step": "int64", "metric": "str", "value": "float64"}


class PlannedCell(Protocol):
    """What evidence needs to know of a planned cell (`reparam.plan` makes them)."""

    @property
    def scale(self) -> str: ...
    @property
    def paper(self) -> str: ...
    @property
    def experiment(self) -> str: ...
    @property
    def estimator(self) -> str: ...
    @property
    def spec(self) -> Mapping[str, Any]: ...
    @property
    def spec_hash(self) -> str: ...
    @property
    def seeds(self) -> tuple[int, ...]: ...
    @property
    def cell(self) -> str: ...
    @property
    def path(self) -> Path:
        """`<paper>/<experiment>/<estimator>/<cell>`, below `<results>/<scale>/`."""
        ...


@dataclass(frozen=True)
class SeedResult:
    """One seed of a cell: its status and its tidy history (step, metric, value; NaN stays NaN)."""

    seed: int
    status: str
    step: int | None
    reason: str | None
    runtime: Mapping[str, Any]
    history: pd.DataFrame

    @cached_property
    def by_metric(self) -> dict[str, pd.Series]:
        """The values of every metric that was measured, indexed by step."""
        values = pd.Series(
            self.history["value"].to_numpy(), index=self.history["step"].to_numpy(), dtype="float64"
        )
        places = self.history.groupby("metric", sort=False).indices
        return {str(name): values.iloc[rows].sort_index() for name, rows in places.items()}

    def metric(self, name: str) -> pd.Series:
        """The values of one metric, indexed by step; empty when it was not measured."""
        return self.by_metric.get(name, pd.Series(dtype="float64"))


@dataclass(frozen=True)
class CellResults:
    """A planned cell with the seeds that are on disk; `planned` also holds seeds run beyond the plan."""

    cell: PlannedCell
    seeds: Mapping[int, SeedResult]
    choice: Mapping[str, Any] | None = None
    """What became of the candidates of the cell's grid (`reparam.cells.choice`), if it has one."""

    @property
    def path(self) -> Path:
        """The cell's folder, relative to the results tree."""
        return Path(self.cell.scale) / self.cell.path

    @property
    def planned(self) -> tuple[int, ...]:
        return tuple(sorted({*self.cell.seeds, *self.seeds}))


def read_cell(root: Path, cell: PlannedCell) -> CellResults:
    """Read the seeds of `cell` under the results tree `root`.

    A seed whose status names another spec, or another source digest than the manifest, is not counted: a
    rerun replaces it. Raises ReparamError on another format version, an unreadable file or a history whose
    SHA-256 is not the one its status recorded.
    """
    folder = root / cell.scale / cell.path
    statuses = [read_json(path) for path in _status_files(folder)]
    for status in statuses:
        require_format(status, folder)
    manifest = folder / "manifest.json"
    if manifest.is_file():
        record = read_json(manifest)
        require_format(record, folder)
        statuses = [s for s in statuses if s.get("source") == record.get("source")]
    counted = [s for s in statuses if s.get("spec") == cell.spec_hash]
    return CellResults(cell, {s["seed"]: _seed(folder, s) for s in counted}, _choice(folder, counted))


def cell_folders(root: Path, scale: str) -> Iterator[Path]:
    """Every cell folder of `scale` under `root`, as a path relative to `root`, in a stable order."""
    for folder in sorted((root / scale).glob("*/*/*/*")):
        if _CELL_FOLDER.fullmatch(folder.name) and folder.is_dir():
            yield folder.relative_to(root)


def check_format(root: Path, folder: Path) -> None:
    """Raise ReparamError when anything committed in a cell folder is of another format version."""
    paths = [*_status_files(root / folder), root / folder / "manifest.json"]
    for path in paths:
        if path.is_file():
            require_format(read_json(path), root / folder)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from `path`; ReparamError naming the file when it holds anything else."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ReparamError(f"{path}: cannot be read ({error}); delete it and run again") from error
    if not isinstance(record, dict):
        raise ReparamError(f"{path}: not a JSON object; delete it and run again")
    return record


def _status_files(folder: Path) -> list[Path]:
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if _STATUS_FILE.fullmatch(path.name))


def _choice(folder: Path, statuses: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The choice that the counted seeds were trained by."""
    file = folder / "choice.json"
    if not statuses or not file.is_file():
        return None
    record = read_json(file)
    require_format(record, folder)
    made_of = {(status.get("spec"), status.get("source")) for status in statuses}
    return record if (record.get("spec"), record.get("source")) in made_of else None


def _seed(folder: Path, status: Mapping[str, Any]) -> SeedResult:
    name = f"seed-{status.get('seed')}"
    if status.get("status") not in STATUSES or not (folder / f"{name}.json").is_file():
        raise ReparamError(f"{folder / name}.json: not a valid status; delete it and run again")
    return SeedResult(
        seed=status["seed"],
        status=status["status"],
        step=status.get("step"),
        reason=status.get("reason"),
        runtime=status.get("runtime") or {},
        history=_history(folder / f"{name}.parquet", status),
    )


def _history(path: Path, status: Mapping[str, Any]) -> pd.DataFrame:
    expected = status.get("history")
    if expected is None and status["status"] == "failed":
        return pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in _HISTORY.items()})
    mend = f"delete {path.stem}.* in that folder and run again"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ReparamError(f"{path}: the history is gone ({error.strerror}); {mend}") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != expected:
        raise ReparamError(f"{path}: SHA-256 is {digest}, its status recorded {expected}; {mend}")
    return parquet.read_table(io.BytesIO(content), columns=list(_HISTORY)).to_pandas().astype(_HISTORY)
