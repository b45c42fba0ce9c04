"""From a number back to the run: cells with their seeds, last rows, manifest and the query that finds
them."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from reparam.report.scoreboard import records
from reparam.report.tables import Tables, read_manifest, source_root

CELL = ["source", "scale", "paper", "experiment", "estimator", "cell"]
ALIKE = ["status", "step", "reason", "device", "path", "commit", "dirty", "torch"]
"""What seeds have in common that share a row."""


@dataclass(frozen=True)
class Cell:
    """One cell as the page shows it; `anchor` is its id in the page, `path` is relative to its source's
    root (as the claims table names it) and `folder` to the project."""

    anchor: str
    source: str
    scale: str
    paper: str
    experiment: str
    estimator: str
    cell: str
    path: str
    folder: str
    query: str
    manifest: dict[str, Any] | None
    seeds: list[dict[str, Any]]
    last: list[dict[str, Any]]

    @property
    def spec(self) -> str:
        """The specification as YAML."""
        spec = (self.manifest or {}).get("spec")
        return yaml.safe_dump(spec, allow_unicode=True, default_flow_style=None, width=120).strip()

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The seeds, those that ended alike together: `seeds` lists them, `wall_seconds` is their mean."""
        table = pd.DataFrame(self.seeds)
        alike = table.groupby(table[ALIKE].map(str).agg(" ".join, axis=1), sort=False)
        return [
            {
                **self.seeds[members[0]],
                "seeds": ", ".join(table["seed"].iloc[members].astype(str)),
                "wall_seconds": table["wall_seconds"].iloc[members].astype(float).mean(),
            }
            for members in alike.indices.values()
        ]

    @property
    def statuses(self) -> list[tuple[str, int]]:
        counts = pd.Series([str(seed["status"]) for seed in self.seeds], dtype=object).value_counts()
        return [(str(status), int(n)) for status, n in counts.sort_index().items()]


def cells(tables: Tables, results: Path, own: str) -> list[Cell]:
    """Every cell of the cells table, the reader's own run (at the scale `own`) first."""
    groups = tables.cells.sort_values([*CELL, "seed"]).groupby(CELL, sort=False, dropna=False)
    order = sorted(groups, key=lambda group: (group[0][0] != "run", *map(str, group[0])))
    rows = {key: part for key, part in tables.metrics.groupby(CELL, sort=False, dropna=False)}
    return [
        _cell(f"cell-{index}", key, part, rows.get(key), results, own)
        for index, (key, part) in enumerate(order, start=1)
    ]


def _cell(
    anchor: str, key: tuple[Any, ...], seeds: pd.DataFrame, rows: pd.DataFrame | None, results: Path, own: str
) -> Cell:
    source, scale, paper, experiment, estimator, cell = map(str, key)
    path = Path(scale, paper, experiment, estimator, cell)
    folder = Path(source_root(source)) / path
    return Cell(
        anchor=anchor,
        source=source,
        scale=scale,
        paper=paper,
        experiment=experiment,
        estimator=estimator,
        cell=cell,
        path=path.as_posix(),
        folder=(Path("results") / folder).as_posix(),
        query=_query(own, source, experiment, cell),
        manifest=read_manifest(results / folder / "manifest.json"),
        seeds=records(seeds),
        last=[] if rows is None else last_rows(rows, seeds["seed"].nunique()),
    )


def _query(own: str, source: str, experiment: str, cell: str) -> str:
    """Python that finds the cell's rows; repr keeps a hostile name a text."""
    own_rows = f"source == {source!r} and experiment == {experiment!r} and cell == {cell!r}"
    return (
        "import pandas as pd\n"
        f'metrics = pd.read_parquet("results/{own}/tables/metrics.parquet")\n'
        f"rows = metrics.query({own_rows!r})"
    )


def last_rows(rows: pd.DataFrame, seeds: int) -> list[dict[str, Any]]:
    """Per metric the last row of each seed: mean and standard deviation over the seeds with a finite value,
    and how many of the cell's seeds those are. A seed without one is counted, never averaged away."""
    last = rows.sort_values("step").groupby(["metric", "seed"]).tail(1)
    result = []
    for metric, part in last.groupby("metric"):
        values = part["value"].to_numpy(float)
        values = values[np.isfinite(values)]
        result.append(
            {
                "metric": str(metric),
                "step": int(part["step"].max()),
                "mean": float(values.mean()) if len(values) else float("nan"),
                "spread": float(values.std(ddof=1)) if len(values) > 1 else None,
                "finite": len(values),
                "seeds": seeds,
            }
        )
    return result


def newest_result(results: Path, scale: str) -> str | None:
    """Date (UTC) of the newest seed's commit mark of this scale; None when there is none."""
    times = [path.stat().st_mtime for path in (results / scale).glob("*/*/*/*/seed-*.json")]
    return datetime.fromtimestamp(max(times), UTC).date().isoformat() if times else None


def versions(cells_table: pd.DataFrame, source: str = "run") -> list[dict[str, Any]]:
    """The distinct code and library versions behind the results, with the number of seeds of each."""
    columns = ["version", "commit", "dirty", "torch", "device"]
    own = cells_table.loc[cells_table["source"] == source, columns].astype(object)
    own = own[own["version"].notna()]
    return records(own.groupby(columns, dropna=False).size().rename("seeds").reset_index())
