"""The command line: quick to start, one line for a mistake, and the right exit status."""

import errno
import json
import os
import re
import subprocess
import sys
import time
from importlib.metadata import version

import pytest

import reparam.cli
from reparam.cli import main
from reparam.errors import OutputError, ReparamError


def run(*arguments, cwd=None):
    command = [sys.executable, "-m", "reparam.cli", *arguments]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


def test_help_is_there_within_half_a_second():
    times = []
    for _ in range(5):
        start = time.perf_counter()
        assert run("--help").returncode == 0
        times.append(time.perf_counter() - start)
    assert min(times) < 0.5


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("list", "papers"),
        ("list", "experiments"),
        ("list", "data"),
        ("plan", "--scale", "smoke"),
        ("watch", "--once"),
    ],
)
def test_planning_loads_neither_torch_nor_pandas(arguments, tmp_path):
    code = "import sys; from reparam.cli import main\ntry:\n    main(sys.argv[1:])\nexcept SystemExit:\n    pass\n"
    code += "print([name for name in ('torch', 'pandas', 'snakemake') if name in sys.modules])"
    command = [sys.executable, "-c", code, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_the_version_is_the_package_s():
    told = run("--version")
    assert told.returncode == 0 and told.stdout == f"reparam {reparam.__version__}\n"
    assert reparam.__version__ == version("reparam")


def test_a_mistake_is_one_line_and_status_2(capsys):
    assert main(["plan", "--seeds", "0,0"]) == 2
    assert capsys.readouterr().err == "reparam: configuration: seeds: seed 0 is given twice\n"


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (ReparamError("no"), 2),
        (OutputError("full"), 3),
        (OSError(errno.ENOSPC, "No space left on device", "x"), 3),
        (PermissionError(errno.EACCES, "Permission denied", "x"), 3),
        (OSError(errno.EROFS, "Read-only file system", "x"), 3),
        (KeyboardInterrupt(), 130),
    ],
)
def test_exit_statuses(monkeypatch, capsys, error, status):
    def fail(args):
        raise error

    monkeypatch.setattr(reparam.cli, "_list", fail)
    assert main(["list"]) == status
    assert capsys.readouterr().err.count("\n") == (0 if status == 130 else 1)


def test_other_errors_are_not_hidden(monkeypatch):
    def fail(args):
        raise FileNotFoundError(errno.ENOENT, "No such file")

    monkeypatch.setattr(reparam.cli, "_list", fail)
    with pytest.raises(FileNotFoundError):
        main(["list"])


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("results/quick", "is no cell"),
        ("results/quick/nobody1999/a/b/00000000", "unknown paper 'nobody1999'"),
    ],
)
def test_a_folder_that_is_no_cell(folder, said, capsys):
    assert main(["cell", folder]) == 2
    assert said in capsys.readouterr().err


def test_listing_names_estimators_and_data_sets(capsys):
    assert main(["list"]) == 0
    shown = capsys.readouterr().out
    for name in ("pathwise", "score_function", "wake_sleep", "digits", "mnist"):
        assert re.search(rf"^{name}\b", shown, re.MULTILINE)


def test_data_verifies_and_writes_what_it_found(tmp_path, capsys):
    assert main(["data", "digits", "--output", str(tmp_path / "data.json")]) == 0
    assert "digits: verified" in capsys.readouterr().out
    assert json.loads((tmp_path / "data.json").read_text())[0]["name"] == "digits"


def test_watch_shows_running_cells_and_no_dead_ones(tmp_path, capsys):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    for name, pid in (("alive", os.getpid()), ("gone", gone.pid)):
        folder = tmp_path / ".work" / "quick" / name
        folder.mkdir(parents=True)
        note = {"title": f"paper/exp/{name}", "step": 30, "steps": 100, "rate": 2.0}
        note |= {"seconds_left": 3671.0, "pid": pid, "seeds": [0, 1]}
        (folder / "progress.json").write_text(json.dumps(note))
    assert main(["watch", "--once", "--results", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "cells running: 1" in shown
    assert re.search(r"quick\s+paper/exp/alive\s+0,1\s+30\s+100\s+2\.0\s+1:01:11", shown)
    assert "gone" not in shown


def test_watch_says_when_nothing_runs(tmp_path, capsys):
    assert main(["watch", "--once", "--results", str(tmp_path)]) == 0
    assert "cells running: 0" in capsys.readouterr().out
