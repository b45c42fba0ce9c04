"""The benchmarks run against the engine as it is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from reparam import estimators

STEP = Path(__file__).resolve().parent.parent / "benchmarks" / "step.py"


@pytest.mark.slow
@pytest.mark.parametrize("optimiser", ["adam", "adagrad"])
def test_every_contestant_is_timed_and_compared(optimiser: str) -> None:
    command = [sys.executable, str(STEP), "--optimiser", optimiser, "--rounds", "1", "--steps", "2"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = dict(re.findall(r"^(\S.*?) {2,}\d+\.\d+ +(\d+\.\d+) ", told, re.MULTILINE))
    assert list(rows) == ["plain loop", "engine, traced", "engine, compiled", "matrix products only"]
    assert rows["plain loop"] == "1.00" and all(float(ratio) > 0 for ratio in rows.values())


def run(name: str, *arguments: str) -> str:
    command = [sys.executable, str(STEP.with_name(name)), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.mark.slow
def test_moments_are_compared_with_a_loop() -> None:
    told = run("moments.py", "--rounds", "1", "--seconds", "0.01", "--only", "one bit")
    rows = dict(re.findall(r"^  (\w+) +\d+\.\d+ +(\d+\.\d) +ready in", told, re.MULTILINE))
    assert list(rows) == ["loop", "traced", "compiled"] and rows["loop"] == "1.0"
    assert float(rows["traced"]) > 20


@pytest.mark.slow
def test_every_registered_estimator_is_timed() -> None:
    told = run("estimators.py", "--rounds", "1", "--seconds", "0.001")
    timed = re.findall(
        r"^(\w+) +(?:\d+ bits|10 of 8|Gaussian|Gamma) +\d+ +\d+\.\d+ +\d+\.\d+  ", told, re.MULTILINE
    )
    assert timed == estimators.names()
