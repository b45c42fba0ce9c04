"""The tidy tables: their columns, how they are filled and how they are written.

Column types are fixed, so an empty table reads like a full one. A NaN is a value (written as NaN in CSV);
an absent text or count is empty.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from reparam.cells.files import write_atomically
from reparam.evidence.comparisons import Comparison
from reparam.evidence.history import CellResults, PlannedCell
from reparam.evidence.verdicts import Verdict

TEXT, COUNT, REAL, FLAG = "string", "Int64", "float64", "boolean"
_WHERE = {"source": TEXT, "scale": TEXT, "paper": TEXT}
_CELL = {"experiment": TEXT, "estimator": TEXT, "cell": TEXT}
_ESTIMATE = dict.fromkeys(("estimate", "estimate_low", "estimate_high", "effect", "low", "high"), REAL)

# fmt: off
COLUMNS: Mapping[str, Mapping[str, str]] = {
    "cells": {
        **_WHERE, **_CELL, "seed": COUNT, "status": TEXT, "step": COUNT, "reason": TEXT, "device": TEXT,
        "path": TEXT, "wall_seconds": REAL, "step_seconds": REAL, "version": TEXT, "commit": TEXT,
        "dirty": FLAG, "torch": TEXT,
    },
    "metrics": {**_WHERE, **_CELL, "seed": COUNT, "step": COUNT, "metric": TEXT, "value": REAL},
    "claims": {
        **_WHERE, "claim": TEXT, "where": TEXT, "statement": TEXT, "kind": TEXT, "setting": TEXT,
        "verdict": TEXT, **_ESTIMATE, "unit": TEXT, "seeds": COUNT, "p_value": REAL, "p_adjusted": REAL,
        "seeds_needed": COUNT, "detail": TEXT, "rule_digest": TEXT, "rule_changed": FLAG, "unjudged": TEXT,
        "reason": TEXT, "paper_numbers": TEXT, "evidence": TEXT,
    },
    "comparisons": {
        **_WHERE, "claim": TEXT, "kind": TEXT, "experiment": TEXT, "left": TEXT, "right": TEXT,
        "metric": TEXT, "rule": TEXT, **_ESTIMATE, "sd": REAL, "unit": TEXT, "seeds": COUNT, "planned": COUNT,
        "p_for": REAL, "p_against": REAL, "seeds_needed": COUNT, "outcome": TEXT, "problems": TEXT,
    },
    "coverage": {
        "scale": TEXT, "paper": TEXT, **_CELL, "planned": COUNT, "done": COUNT, "diverged": COUNT,
        "failed": COUNT, "missing": COUNT,
    },
    "choices": {
        **_WHERE, **_CELL, "candidate": COUNT, "options": TEXT, "chosen": FLAG, "diverged": COUNT,
        "metric": TEXT, "reading": REAL, "decides": FLAG,
    },
    "leftover": {**_WHERE, **_CELL},
    "oracles": {
        "source": TEXT, "scale": TEXT, "estimator": TEXT, "options": TEXT, "problem": TEXT, "check": TEXT,
        "passed": FLAG, "z": REAL, "power": REAL, "tests": COUNT, "draws": COUNT, "detail": TEXT,
    },
}
# fmt: on


def frame(table: str, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """A table with its columns and types, from rows."""
    columns = COLUMNS[table]
    return pd.DataFrame(list(rows), columns=list(columns)).astype(dict(columns))


def cell_rows(source: str, cells: Iterable[CellResults]) -> Iterable[dict[str, Any]]:
    """One row per seed on disk, whatever became of it."""
    for results in cells:
        for seed, result in sorted(results.seeds.items()):
            runtime = result.runtime
            kept = {
                name: runtime.get(name)
                for name in ("device", "path", "wall_seconds", "step_seconds", "commit", "dirty", "torch")
            }
            yield {
                **_identify(source, results.cell),
                "seed": seed,
                "status": result.status,
                "step": result.step,
                "reason": result.reason,
                "version": runtime.get("package"),
                **kept,
            }


def metric_table(source: str, cells: Iterable[CellResults]) -> pd.DataFrame:
    """All histories, diverged and failed ones included."""
    whole = [
        (result.history, {**_identify(source, results.cell), "seed": seed})
        for results in cells
        for seed, result in sorted(results.seeds.items())
    ]
    columns = COLUMNS["metrics"]
    if not whole:
        return frame("metrics", ())
    histories, names = zip(*whole, strict=True)
    lengths = [len(history) for history in histories]
    identities = pd.DataFrame(list(names)).loc[np.repeat(np.arange(len(names)), lengths)]
    table = pd.concat([pd.concat(histories, ignore_index=True), identities.reset_index(drop=True)], axis=1)
    return table[list(columns)].astype(dict(columns))


def choice_rows(source: str, cells: Iterable[CellResults]) -> Iterable[dict[str, Any]]:
    """One row per candidate of a cell's grid and metric, with its last reading."""
    for results in cells:
        if results.choice is None:
            continue
        choose = results.cell.spec["training"]["choose"]
        (decisive,) = {choose.get("largest"), choose.get("smallest")} - {None}
        for number, candidate in enumerate(results.choice["candidates"]):
            # One that diverged early has no reading of what decides, and is shown all the same.
            for metric, reading in {decisive: None, **candidate["readings"]}.items():
                yield {
                    **_identify(source, results.cell),
                    "candidate": number,
                    "options": json.dumps(candidate["options"], ensure_ascii=False),
                    "chosen": number == results.choice["chosen"],
                    "diverged": candidate["diverged"],
                    "metric": metric,
                    "reading": reading,
                    "decides": metric == decisive,
                }


def coverage_rows(cells: Iterable[CellResults]) -> Iterable[dict[str, Any]]:
    """Seeds planned, done, diverged, failed and missing of every planned cell."""
    for results in cells:
        statuses = [result.status for result in results.seeds.values()]
        yield {
            **_identify("run", results.cell),
            "planned": len(results.planned),
            "done": statuses.count("ok"),
            "diverged": statuses.count("diverged"),
            "failed": statuses.count("failed"),
            "missing": len(results.planned) - len(statuses),
        }


def claim_row(source: str, scale: str, verdict: Verdict, rule_changed: bool) -> dict[str, Any]:
    """The claim's row shows its weakest comparison."""
    claim, weakest = verdict.claim, verdict.weakest
    cells = sorted(
        {path for comparison in verdict.comparisons if comparison.ran for path in comparison.cells}
    )
    return {
        "source": source,
        "scale": scale,
        "paper": claim.paper,
        "claim": claim.id,
        "where": claim.where,
        "statement": claim.statement,
        "kind": ", ".join(dict.fromkeys(rule.kind for rule in claim.rules)) or None,
        "setting": verdict.setting or None,
        "verdict": verdict.verdict,
        **_estimates(weakest),
        "unit": weakest.rule.unit if weakest else None,
        "seeds": len(weakest.seeds) if weakest else None,
        "p_value": verdict.p_value,
        "p_adjusted": verdict.p_adjusted,
        "seeds_needed": verdict.seeds_needed,
        "detail": verdict.detail,
        "rule_digest": claim.digest,
        "rule_changed": rule_changed,
        "unjudged": claim.unjudged,
        "reason": claim.reason,
        "paper_numbers": json.dumps(list(claim.numbers), ensure_ascii=False),
        "evidence": json.dumps(cells),
    }


def comparison_rows(source: str, scale: str, verdict: Verdict) -> Iterable[dict[str, Any]]:
    for comparison in verdict.comparisons:
        rule, finding = comparison.rule, comparison.finding
        yield {
            "source": source,
            "scale": scale,
            "paper": verdict.claim.paper,
            "claim": verdict.claim.id,
            "kind": rule.kind,
            "experiment": comparison.experiment,
            "left": rule.left.estimator,
            "right": rule.right.estimator if rule.right else None,
            "metric": rule.left.metric,
            "rule": rule.text,
            **_estimates(comparison),
            "sd": finding.sd if finding else None,
            "unit": rule.unit,
            "seeds": len(comparison.seeds),
            "planned": comparison.planned,
            "p_for": comparison.p_for,
            "p_against": comparison.p_against,
            "seeds_needed": comparison.seeds_needed,
            "outcome": comparison.outcome,
            "problems": "; ".join(comparison.problems),
        }


def write_table(table: pd.DataFrame, folder: Path, name: str) -> None:
    """Write `name`.parquet and `name`.csv, each to a temporary name first. Raises OutputError."""
    text = table.copy()
    for column in text.columns[text.dtypes == REAL]:
        text[column] = text[column].astype(object).where(text[column].notna(), "NaN")
    write_atomically(folder / f"{name}.parquet", lambda path: table.to_parquet(path, index=False))
    write_atomically(folder / f"{name}.csv", lambda path: text.to_csv(path, index=False))


def _identify(source: str, cell: PlannedCell) -> dict[str, str]:
    return {
        "source": source,
        "scale": cell.scale,
        "paper": cell.paper,
        "experiment": cell.experiment,
        "estimator": cell.estimator,
        "cell": cell.cell,
    }


def _estimates(comparison: Comparison | None) -> dict[str, float | None]:
    if comparison is None or comparison.finding is None:
        return {}
    return {name: float(getattr(comparison.finding, name)) for name in _ESTIMATE}
