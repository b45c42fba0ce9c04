"""Running one cell: lock, find what is missing, run it, commit seed by seed."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from filelock import FileLock, Timeout

from reparam.cells import procedures
from reparam.cells.files import discard_leftovers, sha256, write_atomically
from reparam.cells.parent import end_with_parent
from reparam.cells.procedures import Findings
from reparam.cells.progress import Progress
from reparam.cells.runtime import device_name, peak_memory_mib, software
from reparam.cells.status import (
    CellKey,
    arrays_file,
    history_file,
    is_done,
    write_manifest,
    write_status,
)
from reparam.engine import device as devices
from reparam.engine import replicas
from reparam.errors import ReparamError

CHECKPOINT_SECONDS = 20.0


def run_cell(
    spec: Mapping[str, Any],
    spec_hash: str,
    scale: str,
    seeds: tuple[int, ...],
    folder: Path,
    work: Path,
    source: str,
    device: str = "auto",
    checkpoint_seconds: float = CHECKPOINT_SECONDS,
) -> None:
    """Bring these seeds of a cell to an end and write its manifest.

    Seeds that are done (same spec, same source, same format) are left alone; an interrupted training
    goes on from its checkpoint in `work`. Raises ReparamError for mistakes in the spec or device, OutputError
    when a file cannot be written; any other error is recorded as the seeds' failure and raised.
    """
    end_with_parent()
    key = CellKey(dict(spec), spec_hash, source)
    chosen = devices.resolve(device)
    torch.set_num_threads(1)
    with _lock(work, folder):
        discard_leftovers(folder)
        missing = tuple(seed for seed in sorted(set(seeds)) if not is_done(folder, seed, key))
        if missing:
            _run_missing(key, missing, folder, work, chosen, checkpoint_seconds)
        write_manifest(folder, scale, key)
    shutil.rmtree(work, ignore_errors=True)


def _lock(work: Path, folder: Path) -> FileLock:
    """The cell's lock, waited for with one clear line; the system frees it when its owner dies."""
    _make(work)
    lock = FileLock(work / "lock")
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(f"{folder} is being run by another process: waiting for it to end", file=sys.stderr, flush=True)
        try:
            lock.acquire()
        except FileNotFoundError:  # it has ended, and cleared the folder with the lock in it
            return _lock(work, folder)
    return lock


def _make(work: Path) -> None:
    try:
        work.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ReparamError(
            f"cannot use {work}: {error.strerror}; make the results folder writable"
        ) from error


def _run_missing(
    key: CellKey,
    seeds: tuple[int, ...],
    folder: Path,
    work: Path,
    device: torch.device,
    checkpoint_seconds: float,
) -> None:
    run = _train if key.spec["procedure"] == "train" else _follow_procedure
    committed: set[int] = set()
    try:
        for seed, findings, status in run(key, seeds, folder, work, device, checkpoint_seconds):
            commit(folder, seed, key, findings, status)
            committed.add(seed)
    except (ReparamError, KeyboardInterrupt):
        raise
    except Exception as error:
        reason = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        for seed in seeds:
            if seed not in committed:
                failed = {"status": "failed", "step": None, "reason": reason, "runtime": software()}
                commit(folder, seed, key, Findings([], {}), failed)
        raise


Finished = tuple[int, Findings, dict[str, Any]]


def _train(
    key: CellKey,
    seeds: tuple[int, ...],
    folder: Path,
    work: Path,
    device: torch.device,
    checkpoint_seconds: float,
) -> Iterator[Finished]:
    from reparam.cells import choice
    from reparam.cells.train import Outcome, Training

    identity = {"spec": key.spec_hash, "source": key.source}

    def try_out(spec: Mapping[str, Any], file: Path) -> Outcome:
        candidate = Training(spec, device)
        title = f"{_title(key)}, {file.stem}"
        with Progress(title, candidate.steps, work / "progress.json", ()) as progress, torch.no_grad():
            return candidate.run((choice.SEED,), file, identity, progress, checkpoint_seconds)[choice.SEED]

    chosen, spec = choice.resolve(key, folder, work, try_out)
    training = Training(spec, device)
    total = training.steps * len(seeds)
    with Progress(_title(key), total, work / "progress.json", seeds) as progress:
        for chunk in replicas.stacks(seeds, training.replicas):
            file = work / f"checkpoint-{'-'.join(map(str, chunk))}.pt"
            start = time.monotonic()
            with torch.no_grad():
                outcomes = training.run(chunk, file, identity, progress, checkpoint_seconds)
            runtime = _runtime(device, start, training.path, training.threads, training.replicas)
            for seed, outcome in outcomes.items():
                status = "ok" if outcome.diverged is None else "diverged"
                reason = None if outcome.diverged is None else "the objective or a parameter is not finite"
                step = training.steps if outcome.diverged is None else outcome.diverged
                measured = {"measured": outcome.machine} if outcome.machine else {}
                measured |= {"chosen": chosen} if chosen else {}
                content = {
                    "status": status,
                    "step": step,
                    "reason": reason,
                    "runtime": {**runtime, "step_seconds": training.step_seconds, **measured},
                }
                yield seed, Findings(outcome.rows, outcome.arrays), content
            file.unlink(missing_ok=True)


def _follow_procedure(
    key: CellKey,
    seeds: tuple[int, ...],
    folder: Path,
    work: Path,
    device: torch.device,
    checkpoint_seconds: float,
) -> Iterator[Finished]:
    from reparam.cells import choice
    from reparam.cells.train import Outcome

    function = procedures.get(key.spec["paper"], key.spec["procedure"])
    where = f"experiments.yaml: evaluation of {key.spec['experiment']}"

    def findings(spec: Mapping[str, Any], seed: int) -> procedures.Findings:
        options = procedures.Options(spec.get("evaluation") or {}, where)
        found = function({**spec, "evaluation": options}, seed, device)
        options.require_all_read()
        return found

    def try_out(spec: Mapping[str, Any], file: Path) -> Outcome:
        return Outcome(*findings(spec, choice.SEED))

    chosen, spec = choice.resolve(key, folder, work, try_out)
    told = {"chosen": chosen} if chosen else {}
    with Progress(_title(key), len(seeds), work / "progress.json", seeds) as progress:
        for seed in seeds:
            start = time.monotonic()
            found = findings(spec, seed)
            runtime = _runtime(device, start, "eager", torch.get_num_threads(), 1) | told
            yield seed, found, {"status": "ok", "step": None, "reason": None, "runtime": runtime}
            progress.advance(1)


def _title(key: CellKey) -> str:
    return f"{key.spec['paper']}/{key.spec['experiment']}/{key.spec['estimator']}"


def _runtime(
    device: torch.device, start: float, path: str | None, threads: int, replicas: int
) -> dict[str, Any]:
    return {
        **software(),
        "device": device_name(device),
        "path": path,
        "threads": threads,
        "replicas": replicas,
        "wall_seconds": round(time.monotonic() - start, 3),
        "peak_memory_mib": peak_memory_mib(device),
    }


def commit(folder: Path, seed: int, key: CellKey, findings: Findings, status: Mapping[str, Any]) -> None:
    """Write a seed's arrays, history and, last, its status."""
    steps, metrics, values = zip(*findings.rows, strict=True) if findings.rows else ((), (), ())
    history = pd.DataFrame(
        {
            "step": pd.array(steps, dtype="int64"),
            "metric": pd.array(metrics, dtype="str"),
            "value": np.array(values, dtype="float64"),
        }
    )
    if findings.arrays:
        write_atomically(
            arrays_file(folder, seed), lambda temporary: _save_arrays(temporary, findings.arrays)
        )
    file = history_file(folder, seed)
    write_atomically(file, lambda temporary: history.to_parquet(temporary, index=False))
    write_status(folder, seed, key, history=sha256(file), **status)


def _save_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    with path.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)
