"""Synthetic tables of one experiment, as `reparam.evidence` writes them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pandas as pd
import pytest

from reparam.tracking.export import export

SPEC_HASH = {"pathwise": "aa" * 32, "score_function": "bb" * 32}


def write_tables(results: Path, seeds: int = 2) -> None:
    """Tables and manifests of one experiment with two estimators; the last seed of one diverged."""
    cells, metrics = [], []
    for estimator, spec_hash in SPEC_HASH.items():
        names = {"paper": "kingma2014", "experiment": "fig2", "estimator": estimator}
        key = {"scale": "quick", **names, "cell": spec_hash[:8]}
        folder = results / "quick/kingma2014/fig2" / estimator / spec_hash[:8]
        folder.mkdir(parents=True)
        spec = {**names, "task": {"latent": 3}, "method": {"name": estimator, "options": {}}}
        (folder / "manifest.json").write_text(json.dumps({"spec": spec, "spec_hash": spec_hash}))
        for seed in range(seeds):
            diverged = estimator == "score_function" and seed == seeds - 1
            state = (
                {"status": "diverged", "reason": "loss is NaN"}
                if diverged
                else {"status": "ok", "reason": None}
            )
            runtime = {
                "device": "cpu",
                "wall_seconds": 1.5,
                "version": "0.1.0",
                "commit": "abc",
                "torch": "2.14.0",
            }
            cells.append({"source": "run", **key, "seed": seed, "step": 20, **state, **runtime})
            for step in (0, 10, 20):
                row = {"source": "run", **key, "seed": seed, "step": step}
                bound = math.nan if diverged and step == 20 else -200.0 + step + seed
                metrics.append({**row, "metric": "samples_seen", "value": 100.0 * step})
                metrics.append({**row, "metric": "elbo/test", "value": bound})
    cells.append({**cells[0], "source": "reference", "seed": 99})
    tables = results / "quick/tables"
    tables.mkdir(parents=True)
    pd.DataFrame(cells).to_parquet(tables / "cells.parquet")
    pd.DataFrame(metrics).to_parquet(tables / "metrics.parquet")


def offline(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("WANDB_MODE", "offline")
    environment.delenv("WANDB_PROJECT", raising=False)


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    offline(monkeypatch)
    write_tables(tmp_path / "results")
    return tmp_path / "results"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exported already, for tests that only read."""
    results = tmp_path_factory.mktemp("exported") / "results"
    write_tables(results)
    with pytest.MonkeyPatch.context() as environment:
        offline(environment)
        assert export("quick", results) == 4
    return results
