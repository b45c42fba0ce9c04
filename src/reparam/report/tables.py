"""The tables a report is made of, read from where they are, with every column that the page needs."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from reparam.errors import ReparamError

COLUMNS = {
    "cells": "source scale paper experiment estimator cell seed status step reason device path wall_seconds "
    "version commit dirty torch",
    "metrics": "source scale paper experiment estimator cell seed step metric value",
    "claims": "source scale paper claim where statement kind setting verdict estimate estimate_low estimate_high effect "
    "low high unit seeds p_value p_adjusted seeds_needed detail rule_digest rule_changed unjudged reason paper_numbers "
    "evidence",
    "comparisons": "source scale paper claim kind experiment left right metric rule estimate estimate_low "
    "estimate_high effect low high unit seeds planned p_for p_against outcome problems",
    "coverage": "scale paper experiment estimator cell planned done diverged failed missing",
    "leftover": "source scale paper experiment estimator cell",
}


@dataclass(frozen=True)
class Tables:
    """The tables of one scale; a table whose file is not there is empty and named in `missing`."""

    cells: pd.DataFrame
    metrics: pd.DataFrame
    claims: pd.DataFrame
    comparisons: pd.DataFrame
    coverage: pd.DataFrame
    leftover: pd.DataFrame
    missing: tuple[str, ...]


def read_tables(results: Path, scale: str) -> Tables:
    """Read `results/<scale>/tables/*.parquet`. Raises ReparamError for a file that is no parquet table."""
    folder = results / scale / "tables"
    frames, missing = {}, []
    for name, columns in COLUMNS.items():
        path = folder / f"{name}.parquet"
        if path.is_file():
            frame = _read(path)
        else:
            frame = pd.DataFrame()
            missing.append(name)
        for column in columns.split():
            if column not in frame:
                frame[column] = pd.Series(None, frame.index, object)
        frames[name] = frame
    return Tables(**frames, missing=tuple(missing))


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as error:
        raise ReparamError(f"{path}: not a readable table ({error}); delete it and make the tables again") from error


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
