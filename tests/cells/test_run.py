"""What a cell promises: common noise, independence of seeds, bit-identity, honest statuses, clear faults."""

from __future__ import annotations

import errno
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import small
import torch

from reparam.cells import parent
from reparam.cells.train import Training
from reparam.errors import OutputError, ReparamError


def history(folder: Path, seed: int) -> pd.DataFrame:
    return pd.read_parquet(folder / f"seed-{seed}.parquet")


def status(folder: Path, seed: int) -> dict:
    return json.loads((folder / f"seed-{seed}.json").read_text())


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a cell whose seed 0 is done."""
    root = tmp_path_factory.mktemp("trained")
    small.run(root, small.spec(), seeds=(0,))
    return root


@pytest.fixture
def folder(trained: Path, tmp_path: Path) -> Path:
    """The folder of a copy of it, for the test alone: its root is `tmp_path`."""
    shutil.copytree(trained, tmp_path, dirs_exist_ok=True)
    (found,) = (tmp_path / "results").iterdir()
    return found


@pytest.mark.parametrize("hidden", [12, 512], ids=["stacked", "alone"])
def test_a_seed_does_not_depend_on_the_seeds_beside_it(tmp_path: Path, hidden: int) -> None:
    together = small.run(tmp_path / "a", small.spec(hidden=hidden), seeds=(0, 1, 2))
    alone = small.run(tmp_path / "b", small.spec(hidden=hidden), seeds=(1,))
    assert small.contents(alone)["seed-1.parquet"] == small.contents(together)["seed-1.parquet"]
    assert small.contents(alone)["seed-1.npz"] == small.contents(together)["seed-1.npz"]
    assert small.contents(together)["seed-0.parquet"] != small.contents(together)["seed-1.parquet"]


@pytest.mark.slow
def test_the_same_spec_gives_the_same_bits_in_another_process(tmp_path: Path, folder: Path) -> None:
    root = tmp_path / "there"
    code = f"import small, pathlib; small.run(pathlib.Path({str(root)!r}), small.spec(), seeds=(0,))"
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parent, check=True)
    assert small.contents(folder) == small.contents(root / "results" / folder.name)


def test_more_seeds_train_only_the_new_ones(tmp_path: Path, folder: Path) -> None:
    before = (folder / "seed-0.parquet").stat().st_mtime_ns
    small.run(tmp_path, small.spec(), seeds=(0, 1))
    assert (folder / "seed-0.parquet").stat().st_mtime_ns == before
    manifest = json.loads((folder / "manifest.json").read_text())
    assert set(manifest["seeds"]) == {"0", "1"}


@pytest.mark.parametrize("damage", ["spec", "source", "history", "failed"])
def test_a_seed_that_does_not_match_is_trained_again(tmp_path: Path, folder: Path, damage: str) -> None:
    content, whole = status(folder, 0), small.contents(folder)
    if damage == "history":
        (folder / "seed-0.parquet").write_bytes(b"torn")
    else:
        changed = {"spec": "0" * 64, "source": "older", "failed": "failed"}[damage]
        content["status" if damage == "failed" else damage] = changed
        (folder / "seed-0.json").write_text(json.dumps(content))
    small.run(tmp_path, small.spec(), seeds=(0,))
    assert small.contents(folder) == whole
    again = status(folder, 0)
    assert (again["status"], again["source"], again["format"]) == ("ok", "source", 1)


def test_a_result_of_another_format_is_refused_and_kept(tmp_path: Path, folder: Path) -> None:
    (folder / "seed-0.json").write_text(json.dumps({**status(folder, 0), "format": 99}))
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ReparamError, match="results of format 99, but this version reads format 1"):
        small.run(tmp_path, small.spec(), seeds=(0,), source="newer")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_estimators_share_initialisation_minibatches_and_noise() -> None:
    """Before their updates part them, pathwise and score function read the same objective off the same noise."""
    readings = []
    for method, options in (
        ("pathwise", {}),
        ("score_function", {}),
        ("score_function", {"baseline": "moving_average"}),
    ):
        training = Training(small.spec(method, **options), torch.device("cpu"))
        state = training.initial(3)
        index, noise = training.block((3,), 0)
        first = {s: {r: n[0] for r, n in roles.items()} for s, roles in noise.items()}
        _, metrics = training.step(state, training.task.train[index[0]], index[0], first)
        readings.append(metrics["objective"].item())
    assert readings[0] == readings[1] == readings[2]


def test_noise_and_rows_differ_between_steps_and_seeds() -> None:
    training = Training(small.spec(), torch.device("cpu"))
    index, noise = training.block((0, 1), 0)
    assert not torch.equal(index[:, 0], index[:, 1])
    z = noise["z"]["normal"]
    assert not torch.equal(z[0, 0], z[1, 0])
    assert not torch.equal(z[:, 0], z[:, 1])


def test_a_diverged_seed_is_a_result(tmp_path: Path) -> None:
    wild = small.spec()
    wild["training"]["optimiser"] = {"name": "sgd", "rate": 1e6}
    folder = small.run(tmp_path, wild)
    content = status(folder, 0)
    assert content["status"] == "diverged"
    assert 1 <= content["step"] < 40
    rows = history(folder, 0)
    assert rows.loc[rows.metric == "objective", "value"].isna().all()
    assert "elbo/test" not in set(rows.metric)


def test_a_fault_is_recorded_and_raised(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = Training.measure

    def broken(self, state, replica, seed, step, outcome):
        if seed == 3:
            raise RuntimeError("the disk of the mind is full\nsecond line")
        original(self, state, replica, seed, step, outcome)

    monkeypatch.setattr(Training, "measure", broken)
    with pytest.raises(RuntimeError):
        small.run(tmp_path, small.spec())
    (folder,) = (tmp_path / "results").iterdir()
    assert status(folder, 0)["status"] == "ok"
    assert status(folder, 3)["status"] == "failed"
    assert status(folder, 3)["reason"] == "RuntimeError: the disk of the mind is full"
    monkeypatch.undo()
    small.run(tmp_path, small.spec())
    assert status(folder, 3)["status"] == "ok"


def test_a_full_disk_is_one_line_and_leaves_earlier_results(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = small.contents(folder)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(pd.DataFrame, "to_parquet", full)
    with pytest.raises(OutputError, match="No space left on device; earlier results are intact"):
        small.run(tmp_path, small.spec(), seeds=(0, 1))
    after = small.contents(folder)
    assert {name: after[name] for name in before} == before
    assert "seed-1.parquet" not in after


def test_a_disk_that_fills_up_under_a_checkpoint_is_not_the_seeds_failure(
    tmp_path: Path, folder: Path
) -> None:
    """The limit stands in for the disk: the system refuses writes beyond it, whatever library asks."""
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(OutputError, match=r"cannot write .*checkpoint-0\.pt: File too large"):
            small.run(tmp_path, small.spec(), seeds=(0,), source="newer")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_gpu_that_is_not_there_is_refused(tmp_path: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    from reparam.cells.run import run_cell

    with pytest.raises(ReparamError, match="no GPU"):
        run_cell(small.spec(), "0" * 64, "smoke", (0,), tmp_path / "f", tmp_path / "w", "s", "cuda")


def test_manifests_name_no_host_user_or_path(trained: Path) -> None:
    (manifest,) = trained.rglob("manifest.json")
    text = manifest.read_text()
    import getpass
    import socket

    assert str(trained) not in text
    assert str(Path.cwd()) not in text
    assert socket.gethostname() not in text
    assert f'"{getpass.getuser()}"' not in text
    assert "+c" not in json.loads(text)["seeds"]["0"]["runtime"]["torch"]


@pytest.mark.parametrize("end", ["", "shutil.rmtree(os.path.dirname(sys.argv[1]))"], ids=["dies", "clears"])
def test_a_locked_cell_is_waited_for(tmp_path: Path, capsys: pytest.CaptureFixture[str], end: str) -> None:
    """Whether its owner dies, or ends and removes the folder with the lock in it."""
    folder = small.run(tmp_path, small.spec(samples=25))
    work = tmp_path / "work" / folder.name
    work.mkdir(parents=True)
    code = (
        "import os, shutil, sys, time; from filelock import FileLock; lock = FileLock(sys.argv[1]); lock.acquire(); "
        f"print('held', flush=True); time.sleep(2); {end}"
    )
    owner = subprocess.Popen(
        [sys.executable, "-c", code, str(work / "lock")], stdout=subprocess.PIPE, text=True
    )
    assert owner.stdout is not None
    assert owner.stdout.readline() == "held\n"
    start = time.monotonic()
    small.run(tmp_path, small.spec(samples=25))
    assert time.monotonic() - start > 1
    owner.wait()
    assert "waiting for it to end" in capsys.readouterr().err


def test_a_cell_ends_when_its_run_is_gone() -> None:
    """The parent named in REPARAM_PARENT dies; a process that is not its child notices."""
    owner = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    code = (
        "import time; from reparam.cells.parent import end_with_parent; end_with_parent(); "
        "print('up', flush=True); time.sleep(60)"
    )
    environment = {**os.environ, parent.VARIABLE: parent.describe(owner.pid)}
    watcher = subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert watcher.stdout is not None
    assert watcher.stdout.readline() == "up\n"
    owner.kill()
    owner.wait()
    _, error = watcher.communicate(timeout=20)
    assert watcher.returncode == 143
    assert "is gone: stopping" in error


def test_wall_time_is_no_part_of_a_history(folder: Path) -> None:
    rows = history(folder, 0)
    assert list(rows.columns) == ["step", "metric", "value"]
    assert [str(kind) for kind in rows.dtypes] == ["int64", "str", "float64"]
    assert not any("second" in metric or "time" in metric for metric in rows.metric.unique())
    assert np.isfinite(rows.value).all()


def test_gradient_moments_along_a_training_are_bit_identical_and_their_times_are_kept_apart(
    tmp_path: Path,
) -> None:
    """Two readings, against quadrature over the two codes."""
    spec = small.spec(samples=250)
    spec["measurements"] = {
        "gradient_moments": {
            "estimators": {"pathwise": {}, "score": {"name": "score_function"}},
            "draws": 200,
            "schedule": {"points": 2},
        }
    }
    first, second = (small.run(tmp_path / name, spec, seeds=(0,)) for name in ("a", "b"))
    assert small.contents(first) == small.contents(second)
    history = pd.read_parquet(first / "seed-0.parquet")
    readings = history[history.metric == "variance/pathwise/encoder"]
    assert list(readings.step) == [5, 10] and (readings.value > 0).all()
    assert not history.metric.str.contains("seconds").any()
    measured = json.loads((first / "manifest.json").read_text())["seeds"]["0"]["runtime"]["measured"]
    assert measured["gradient_moments/seconds/score"] > 0
    assert measured["gradient_moments/variance_seconds/score/decoder"] > 0
