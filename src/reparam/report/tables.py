"""The tables a report is made of, read from where evidence wrote them."""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pandas as pd

from reparam.errors import ReparamError
from reparam.evidence.tables import COLUMNS
from reparam.evidence.tables import frame as empty


@dataclass(frozen=True)
class Tables:
    """The tables of one scale; a table whose file is not there is empty and named in `missing`."""

    cells: pd.DataFrame
    metrics: pd.DataFrame
    claims: pd.DataFrame
    comparisons: pd.DataFrame
    coverage: pd.DataFrame
    choices: pd.DataFrame
    leftover: pd.DataFrame
    oracles: pd.DataFrame
    missing: tuple[str, ...]


def read_tables(results: Path, scale: str) -> Tables:
    """Read `results/<scale>/tables/*.parquet`. Raises ReparamError for a file that is no such table."""
    frames, missing = {}, []
    for name in (field.name for field in fields(Tables) if field.name != "missing"):
        path = results / scale / "tables" / f"{name}.parquet"
        if path.is_file():
            frames[name] = _read(path, name)
        else:
            frames[name] = empty(name, ())
            missing.append(name)
    return Tables(**frames, missing=tuple(missing))


def _read(path: Path, name: str) -> pd.DataFrame:
    mend = "delete it and make the tables again"
    try:
        table = pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise ReparamError(f"{path}: not a readable table ({error}); {mend}") from error
    lacking = [column for column in COLUMNS[name] if column not in table]
    if lacking:
        raise ReparamError(f"{path}: written by another version (no column {lacking[0]!r}); {mend}")
    return table


def is_known(value: Any) -> bool:
    """Whether a table's field holds something (not None, NaN or an empty text)."""
    return value is not None and value is not pd.NA and value == value and value != ""


def as_json(value: Any) -> Any:
    """A JSON column's content; None when the field is empty."""
    return json.loads(value) if isinstance(value, str) and value else None


def read_manifest(path: Path) -> dict[str, Any] | None:
    """A cell's manifest; None when it is not there."""
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None


def source_root(source: str) -> str:
    """Where the cells of a source lie, relative to `results/`: what the project measured earlier is under
    `reference/`."""
    return "reference" if source == "reference" else "."
