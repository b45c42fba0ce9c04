"""The estimator of examples/plugin, really installed: what a package of one's own gets for free."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAME = "antithetic_pathwise"
TRAIN = f"""
import sys
from pathlib import Path
import small
small.run(Path(sys.argv[1]), small.spec({NAME!r}, samples=500, pairs=2), seeds=(0,))
"""


class Installed:
    """A folder with the example installed, for processes of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder, source = folder, folder / "source"
        shutil.copytree(ROOT / "examples" / "plugin", source)
        options = (
            "--quiet",
            "--no-index",
            "--no-build-isolation",
            "--no-deps",
            "--target",
            str(folder / "site"),
        )
        subprocess.run([sys.executable, "-m", "pip", "install", *options, str(source)], check=True)
        paths = (folder / "site", ROOT / "src", ROOT / "tests" / "cells")
        self.environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}

    def python(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def reparam(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.python("-m", "reparam.cli", *arguments)

    def edited(self, old: str, new: str) -> Installed:
        """A copy with other code in its module."""
        other = object.__new__(Installed)
        other.folder = self.folder.with_name(f"{self.folder.name}-{abs(hash(new))}")
        shutil.copytree(self.folder, other.folder)
        module = other.folder / "site" / "reparam_antithetic.py"
        assert module.read_text().count(old) == 1
        module.write_text(module.read_text().replace(old, new))
        path = self.environment["PYTHONPATH"].replace(str(self.folder), str(other.folder))
        other.environment = {**self.environment, "PYTHONPATH": path}
        return other


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installed:
    return Installed(tmp_path_factory.mktemp("plugin") / "as-it-is")


def test_it_is_listed_and_explained(installed: Installed) -> None:
    listed = installed.reparam("list", "estimators").stdout
    assert any(line.startswith(f"{NAME} ") and "Normal" in line for line in listed.splitlines())
    explained = " ".join(installed.reparam("explain", NAME).stdout.split())
    assert "½ ∇ f(μ + σ ε) + ½ ∇ f(μ − σ ε)" in explained and "one site 2 evaluations of f" in explained


def test_it_passes_the_oracle_checks(installed: Installed, tmp_path: Path) -> None:
    done = installed.reparam("oracles", NAME, "--output", str(tmp_path / "found.json"))
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "found.json").read_text())
    assert {row["problem"] for row in found} >= {"normal_one_layer", "normal_two_layers"}
    assert {row["estimator"] for row in found} == {NAME}


def test_a_bias_in_it_stops_the_run(installed: Installed) -> None:
    done = installed.edited("at(-1.0)) / 2", "at(-1.0)) / 2.1").reparam("oracles", NAME)
    assert done.returncode == 2 and f"oracle check failed: {NAME}" in done.stderr


def test_a_cell_trains_with_it(installed: Installed, tmp_path: Path) -> None:
    done = installed.python("-c", TRAIN, str(tmp_path))
    assert done.returncode == 0, done.stderr
    (status,) = tmp_path.rglob("seed-0.json")
    assert json.loads(status.read_text())["status"] == "ok"
