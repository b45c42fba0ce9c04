"""Write cell folders in the contract's format, with whatever truth a test wants."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from reparam.evidence.build import PaperPlan

Rows = Sequence[tuple[int, str, float]]


@dataclass(frozen=True)
class Cell:
    scale: str
    paper: str
    experiment: str
    estimator: str
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    task: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] = field(default_factory=dict)

    @property
    def spec(self) -> dict[str, Any]:
        return {"format": 1, "paper": self.paper, "experiment": self.experiment, "estimator": self.estimator,
                "task": self.task, "training": self.training}  # fmt: skip

    @property
    def spec_hash(self) -> str:
        canonical = json.dumps(self.spec, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    @property
    def cell(self) -> str:
        return self.spec_hash[:8]

    @property
    def path(self) -> Path:
        return Path(self.paper, self.experiment, self.estimator, self.cell)


def write_seed(root: Path, cell: Cell, seed: int, rows: Rows, status: str = "ok", **overrides: Any) -> None:
    """One seed: history first, status last."""
    folder = root / cell.scale / cell.path
    folder.mkdir(parents=True, exist_ok=True)
    history = pd.DataFrame(rows, columns=["step", "metric", "value"])
    history = history.astype({"step": "int64", "metric": "str", "value": "float64"})
    parquet = folder / f"seed-{seed}.parquet"
    history.to_parquet(parquet, index=False)
    record = {
        "format": 1, "seed": seed, "status": status, "step": 100, "reason": None, "spec": cell.spec_hash,
        "source": "s" * 64, "history": hashlib.sha256(parquet.read_bytes()).hexdigest(),
        "runtime": {"package": "0.1.0", "commit": "c0ffee", "dirty": False, "torch": "2.14.0",
            "device": "cpu",
            "path": "eager", "wall_seconds": 1.5, "step_seconds": 0.01},
        **overrides,
    }  # fmt: skip
    (folder / f"seed-{seed}.json").write_text(json.dumps(record))


def write_manifest(root: Path, cell: Cell, **overrides: Any) -> None:
    record = {"format": 1, "spec": cell.spec, "spec_hash": cell.spec_hash, "source": "s" * 64, **overrides}
    (root / cell.scale / cell.path / "manifest.json").write_text(json.dumps(record))


def write_values(root: Path, cell: Cell, values: Sequence[float], metric: str = "elbo/test") -> None:
    """Seed k ends at values[k], after a first row that is 10 lower."""
    for seed, value in enumerate(values):
        rows = [(0, metric, value - 10), (0, "samples_seen", 0.0)]
        write_seed(root, cell, seed, [*rows, (100, metric, value), (100, "samples_seen", 1000.0)])


def paper(
    folder: Path, claims: Sequence[Mapping[str, Any]], cells: Sequence[Cell], key: str = "p"
) -> PaperPlan:
    """A plan whose claims.yaml holds `claims`; cells are sorted into their scales."""
    path = folder / "claims.yaml"
    path.write_text(yaml.safe_dump({"claims": list(claims)}))
    scales = {scale: [c for c in cells if c.scale == scale] for scale in ("quick", "paper")}
    return PaperPlan(key, path, scales)


def claim(*rules: Mapping[str, Any], id: str = "C-1", setting: Sequence[str] = ("paper",)) -> dict[str, Any]:
    return {"id": id, "where": "Fig 1", "statement": "a statement", "paper_setting": list(setting),
            "rules": list(rules)}  # fmt: skip


def quantity(
    estimator: str = "a", experiment: str = "e", metric: str = "elbo/test", **more: Any
) -> dict[str, Any]:
    return {"experiment": experiment, "estimator": estimator, "metric": metric, **more}


def ordering(**more: Any) -> dict[str, Any]:
    return {"kind": "ordering", "left": quantity("a"), "right": {"estimator": "b"}, **more}
