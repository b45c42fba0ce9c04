"""The estimator of examples/plugin, really installed: what a package of one's own gets for free."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from reparam.measure import contract

ROOT = Path(__file__).parents[1]
NAME = "antithetic_pathwise"
DRIVER = f"""
import contextlib, sys
from pathlib import Path
import small
from reparam.cli import main

folder = Path(sys.argv[1])
found = str(folder / "found.json")
for command in (["list", "estimators"], ["explain", {NAME!r}], ["oracles", {NAME!r}, "--output", found]):
    with (folder / f"{{command[0]}}.txt").open("w") as file, contextlib.redirect_stdout(file):
        assert main(command) == 0
small.run(folder, small.spec({NAME!r}, samples=500, pairs=2), seeds=(0,))
"""


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that one process, with the example installed, left what it did in."""
    folder = tmp_path_factory.mktemp("plugin")
    shutil.copytree(ROOT / "examples" / "plugin", folder / "source")
    options = ("--quiet", "--no-index", "--no-build-isolation", "--no-deps", "--target", str(folder / "site"))
    subprocess.run([sys.executable, "-m", "pip", "install", *options, str(folder / "source")], check=True)
    paths = (folder / "site", ROOT / "src", ROOT / "tests" / "cells")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    subprocess.run([sys.executable, "-c", DRIVER, str(folder)], cwd=ROOT, env=environment, check=True)
    return folder


def test_it_is_listed_and_explained(used: Path) -> None:
    listed = (used / "list.txt").read_text()
    assert any(line.startswith(f"{NAME} ") and "Normal" in line for line in listed.splitlines())
    explained = " ".join((used / "explain.txt").read_text().split())
    assert "½ ∇ f(μ + σ ε) + ½ ∇ f(μ − σ ε)" in explained and "one site 2 evaluations of f" in explained


def test_it_passes_the_oracle_checks(used: Path) -> None:
    found = json.loads((used / "found.json").read_text())
    assert {row["problem"] for row in found} >= {"normal_one_layer", "normal_two_layers"}
    assert {row["estimator"] for row in found} == {NAME} and all(row["passed"] for row in found)
    assert NAME in (used / "oracles.txt").read_text()


def test_a_cell_trains_with_it(used: Path) -> None:
    (status,) = used.rglob("seed-0.json")
    assert json.loads(status.read_text())["status"] == "ok"


@pytest.mark.parametrize(
    ("line", "falsified", "said"),
    [
        ("at(-1.0)) / 2", "at(-1.0)) / 2.1", "its mean gradient is"),
        ("unbiased=True", "unbiased=False", "said to be biased, but is exact"),
        ("needs_derivative=True", "needs_derivative=False", "said not to need ∂f"),
        ("2 * estimator.pairs,\n", "1 + estimator.pairs,\n", "its card says 3"),
        ("import GAUSSIAN, Card", "import BITS as GAUSSIAN, Card", "off the exact one"),
        ("unbiased=True", 'unbiased=True, tunables=frozenset({"eta"})', "tunables are eta, but it has none"),
        ("unbiased=True", "unbiased=True, given_signal=True", "signal"),
        ('paper="Hammersley & Morton 1956', 'paper="Hammersley & Morton', "its card's paper has no year"),
    ],
)
def test_a_bias_and_a_falsified_line_of_its_card_are_caught(
    tmp_path: Path, line: str, falsified: str, said: str
) -> None:
    code = (ROOT / "examples" / "plugin" / "reparam_antithetic.py").read_text()
    assert code.count(line) == 1
    name = f"antithetic_{abs(hash(falsified))}"
    (tmp_path / f"{name}.py").write_text(code.replace(line, falsified))
    spec = importlib.util.spec_from_file_location(name, tmp_path / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    broken = [found.detail for found in contract.check(module.AntitheticPathwise) if not found.passed]
    assert any(said in detail for detail in broken), broken
