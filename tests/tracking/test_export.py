"""The W&B export, read back with W&B's own reader (`wandb leet inspect`)."""

from __future__ import annotations

import getpass
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from reparam.errors import ReparamError
from reparam.tracking.export import export


def inspect(results: Path, run_id: str, *options: str) -> str:
    (run,) = results.glob(f"quick/wandb/offline-run-*/run-{run_id}.wandb")
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--json", *options, str(run)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def summary(results: Path, run_id: str) -> dict[str, Any]:
    return json.loads(inspect(results, run_id, "--summary"))


def run_files(results: Path) -> list[str]:
    return sorted(path.name for path in results.glob("quick/wandb/*/*.wandb"))


def history(results: Path, run_id: str) -> list[dict[str, Any]]:
    records = [json.loads(line) for line in inspect(results, run_id).splitlines()]
    return [record["history"]["item"] for record in records if record["type"] == "history"]


PATHWISE, SCORE = "a" * 16, "b" * 16


def test_one_run_per_seed_named_after_the_spec_and_no_reference_result(exported: Path) -> None:
    assert run_files(exported) == [
        f"run-{spec}-{seed}.wandb" for spec in (PATHWISE, SCORE) for seed in (0, 1)
    ]
    assert json.loads((exported / "quick/wandb/export.json").read_text()) == {"mode": "offline", "runs": 4}


def test_exporting_again_replaces(results: Path) -> None:
    export("quick", results)
    before = run_files(results)
    (results / "quick/wandb/stale").touch()
    export("quick", results)
    assert run_files(results) == before
    assert not (results / "quick/wandb/stale").exists()
    assert sorted(path.name for path in (results / "quick").iterdir()) == ["kingma2014", "tables", "wandb"]


def test_a_run_carries_its_group_spec_and_history(exported: Path) -> None:
    records = [json.loads(line) for line in inspect(exported, f"{PATHWISE}-1").splitlines()]
    run = next(record["run"] for record in records if record["type"] == "run")
    assert (run["run_group"], run["job_type"]) == ("kingma2014/fig2", "pathwise")
    assert run["config"]["update"]["task"] == {"latent": 3}
    assert run["config"]["update"]["seed"] == 1
    axes = [record["metric"] for record in records if record["type"] == "metric"]
    assert {"glob_name": "*", "step_metric": "samples_seen"}.items() <= axes[-1].items()
    rows = [
        (row["_step"], row["samples_seen"], row["elbo/test"]) for row in history(exported, f"{PATHWISE}-1")
    ]
    assert rows == [(0, 0, -199), (10, 1000, -189), (20, 2000, -179)]


def test_the_summary_has_the_last_metrics_and_the_status(exported: Path) -> None:
    told = summary(exported, f"{PATHWISE}-0")["summary"]
    assert (told["elbo/test"], told["status"], told["step"]) == (-180, "ok", 20)
    assert "reason" not in told


def test_a_diverged_seed_is_told_and_its_nan_stays(exported: Path) -> None:
    told = summary(exported, f"{SCORE}-1")["summary"]
    assert (told["status"], told["reason"]) == ("diverged", "loss is NaN")
    assert history(exported, f"{SCORE}-1")[-1]["elbo/test"] == "NaN"


def test_nothing_of_the_machine_is_written(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WANDB_HOST", "WANDB_USERNAME", "WANDB_USER_EMAIL"):
        monkeypatch.setenv(name, "unmistakable-marker")
    monkeypatch.setattr(sys, "argv", ["reparam", "--unmistakable-marker"])
    monkeypatch.setattr(socket, "gethostname", lambda: "unmistakable-marker")
    export("quick", results)
    written = {path: path.read_bytes() for path in (results / "quick/wandb").rglob("*") if path.is_file()}
    assert len(written) == 5
    ours = ["unmistakable-marker", str(results.parent), os.getcwd(), sys.executable, str(Path.home()) + "/"]
    for secret in [*ours, f'"{getpass.getuser()}"']:
        assert [path.name for path, data in written.items() if secret.encode() in data] == [], secret


def test_a_seed_without_history_is_still_a_run(results: Path) -> None:
    path = results / "quick/tables/metrics.parquet"
    pd.read_parquet(path).iloc[:0].to_parquet(path)
    assert export("quick", results) == 4
    assert summary(results, f"{SCORE}-1")["summary"]["status"] == "diverged"


def test_a_failed_seed_ends_as_a_failed_run(results: Path) -> None:
    path = results / "quick/tables/cells.parquet"
    pd.read_parquet(path).assign(status="failed", reason="disk full").to_parquet(path)
    export("quick", results)
    assert summary(results, f"{PATHWISE}-0")["exit_code"] == 1


def test_disabled_leaves_a_marker_and_nothing_else(results: Path) -> None:
    export("quick", results)
    assert export("quick", results, "disabled") == 0
    assert [path.name for path in (results / "quick/wandb").iterdir()] == ["export.json"]


def test_the_mode_comes_from_the_environment(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    assert export("quick", results) == 0


def test_an_unknown_mode_is_refused(results: Path) -> None:
    with pytest.raises(ReparamError, match=r"WANDB_MODE is 'onlin'.*offline, online, disabled"):
        export("quick", results, "onlin")


def test_online_without_an_account_is_one_line_and_keeps_the_earlier_export(
    results: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    export("quick", results)
    before = run_files(results)
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with pytest.raises(ReparamError, match=r"^W&B refused the export \(.*\): see docs/wandb.md$") as refusal:
        export("quick", results, "online")
    assert "\n" not in str(refusal.value)
    assert run_files(results) == before


def test_missing_tables_and_manifests_are_named(results: Path) -> None:
    (results / "quick/kingma2014/fig2/pathwise/aaaaaaaa/manifest.json").unlink()
    with pytest.raises(ReparamError, match=r"pathwise/aaaaaaaa/manifest.json is missing"):
        export("quick", results)
    with pytest.raises(ReparamError, match=r"standard/tables/cells.parquet does not exist"):
        export("standard", results)
