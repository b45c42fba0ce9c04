"""The benchmarks run against the engine as it is."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

STEP = Path(__file__).resolve().parent.parent / "benchmarks" / "step.py"


@pytest.mark.slow
@pytest.mark.parametrize("optimiser", ["adam", "adagrad"])
def test_every_contestant_is_timed_and_compared(optimiser: str) -> None:
    command = [sys.executable, str(STEP), "--optimiser", optimiser, "--rounds", "1", "--steps", "2"]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    rows = dict(re.findall(r"^(\S.*?) {2,}\d+\.\d+ +(\d+\.\d+) ", told, re.MULTILINE))
    assert list(rows) == ["plain loop", "engine, traced", "engine, compiled", "matrix products only"]
    assert rows["plain loop"] == "1.00" and all(float(ratio) > 0 for ratio in rows.values())
