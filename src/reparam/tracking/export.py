"""The tables as W&B runs: one run per seed. The tables are the truth, W&B is a view of them.

`results/<scale>/wandb/` is rebuilt as a whole, in one process (about 0.03 s a run after the first).
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast, get_args

import pandas as pd

from reparam.errors import OutputError, ReparamError
from reparam.tracking.private import private_settings

Mode = Literal["offline", "online", "disabled"]
MODES = get_args(Mode)
PROJECT = "reparam"
CELL = ["paper", "experiment", "estimator", "cell"]


class SeedRun(NamedTuple):
    """One seed of one cell: what becomes one W&B run."""

    run_id: str
    spec: dict[str, Any]
    status: pd.Series
    history: dict[int, dict[str, float]]
    """The metrics of each step, in order; a NaN is a value that was measured."""


def export(scale: str, results: Path, mode: str | None = None) -> int:
    """Export the runs of `scale` and return how many they are.

    `mode` (or the variable WANDB_MODE) is `offline` (the default), `online` or `disabled`. In every
    mode `results/<scale>/wandb/export.json` says what was done. The project is `reparam`, or
    WANDB_PROJECT. Reference results are not exported.

    Raises ReparamError for an unknown mode, when the tables or a manifest are missing, or when W&B
    refuses (no account); OutputError when the folder cannot be written.
    """
    mode = mode or os.environ.get("WANDB_MODE") or "offline"
    if mode not in MODES:
        raise ReparamError(f"WANDB_MODE is {mode!r}; it must be one of {', '.join(MODES)}")
    folder = results / scale
    runs = [] if mode == "disabled" else list(seed_runs(folder))
    try:
        with rebuilt(folder / "wandb") as temporary:
            if runs:
                _write(runs, scale, cast(Mode, mode), temporary)
            (temporary / "wandb" / "export.json").write_text(json.dumps({"mode": mode, "runs": len(runs)}))
    except OSError as error:
        raise OutputError(f"cannot write {folder / 'wandb'}: {error.strerror or error}") from error
    return len(runs)


def seed_runs(folder: Path) -> Iterator[SeedRun]:
    """The seeds in `folder/tables`, in the tables' order, without reference results."""
    cells = _table(folder, "cells")
    metrics = _table(folder, "metrics")
    histories = dict(list(metrics.groupby([*CELL, "seed"])))
    nothing = metrics.iloc[:0]
    for key, seeds in cells.groupby(CELL, sort=False):
        manifest = _manifest(folder.joinpath(*map(str, key)))
        for _, status in seeds.iterrows():
            history: dict[int, dict[str, float]] = {}
            rows = histories.get((*key, status["seed"]), nothing).sort_values("step")
            for step, metric, value in zip(rows["step"], rows["metric"], rows["value"], strict=True):
                history.setdefault(int(step), {})[metric] = float(value)
            run_id = f"{manifest['spec_hash'][:16]}-{status['seed']}"
            yield SeedRun(run_id, manifest["spec"], status, history)


def _table(folder: Path, name: str) -> pd.DataFrame:
    path = folder / "tables" / f"{name}.parquet"
    if not path.exists():
        raise ReparamError(f"{path} does not exist: run `snakemake --cores all` first")
    table = pd.read_parquet(path)
    return table[(table["source"] == "run") & (table["scale"] == folder.name)]


def _manifest(cell: Path) -> dict[str, Any]:
    path = cell / "manifest.json"
    if not path.exists():
        raise ReparamError(
            f"the tables name a cell whose {path} is missing: run `snakemake --cores all` again"
        )
    return json.loads(path.read_text())


@contextmanager
def rebuilt(target: Path) -> Iterator[Path]:
    """A temporary folder beside `target` whose `wandb/` takes the place of `target` at the end."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=".wandb-", dir=target.parent))
    try:
        (temporary / "wandb").mkdir()
        yield temporary
        if target.exists():
            target.rename(temporary / "old")
        (temporary / "wandb").rename(target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write(runs: list[SeedRun], scale: str, mode: Mode, folder: Path) -> None:
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    import wandb

    try:
        for run in runs:
            _write_run(run, scale, mode, folder)
    except wandb.Error as error:
        raise ReparamError(
            f"W&B refused the export ({' '.join(str(error).split())}): see docs/wandb.md"
        ) from error
    finally:
        wandb.teardown()
    # W&B's own logs and scratch folders name this machine's paths.
    for scratch in [*folder.glob("wandb/*run-*/logs"), *folder.glob("wandb/*run-*/tmp")]:
        shutil.rmtree(scratch)
    for log in folder.glob("wandb/debug*.log"):
        log.unlink()


def _write_run(run: SeedRun, scale: str, mode: Mode, folder: Path) -> None:
    import wandb

    status = run.status
    seed = int(status["seed"])
    view = wandb.init(
        project=os.environ.get("WANDB_PROJECT") or PROJECT,
        id=run.run_id,
        name=f"{status['experiment']} {status['estimator']} {seed}",
        group=f"{status['paper']}/{status['experiment']}",
        job_type=status["estimator"],
        tags=[scale, status["paper"], status["status"]],
        config={**run.spec, "scale": scale, "seed": seed},
        mode=mode,
        settings=private_settings(folder),
    )
    if any("samples_seen" in metrics for metrics in run.history.values()):
        view.define_metric("samples_seen")
        view.define_metric("*", step_metric="samples_seen")
    for step, metrics in run.history.items():
        view.log(metrics, step=step)
    facts = ("status", "reason", "step", "device", "wall_seconds", "version", "commit", "torch")
    view.summary.update({name: status[name] for name in facts if pd.notna(status[name])})
    view.finish(exit_code=int(status["status"] == "failed"))


def exported_metrics(folder: Path) -> dict[str, dict[str, list[str]]]:
    """The metric names in `folder/tables` by paper and experiment, without reference results."""
    found: dict[str, dict[str, list[str]]] = {}
    named = (
        _table(folder, "metrics")[["paper", "experiment", "metric"]].drop_duplicates().sort_values("metric")
    )
    for paper, experiment, metric in named.itertuples(index=False):
        found.setdefault(paper, {}).setdefault(experiment, []).append(metric)
    return found
