"""A process that breaks down is not taken for one whose tests fail."""

import math
import sys
from pathlib import Path

import fresh
import pytest


@pytest.mark.slow
def test_a_function_that_raises_is_told_from_tests_that_fail(tmp_path: Path) -> None:
    output = tmp_path / "output"
    assert fresh.call(output, math.sqrt, -1.0) == fresh.BROKEN
    assert "ValueError" in output.read_text()
    assert fresh.call(output, sys.exit, 1) == 1


@pytest.mark.slow
def test_another_package_than_the_one_meant_is_a_breakdown(tmp_path: Path) -> None:
    assert fresh.call(tmp_path / "output", fresh.run_tests, tmp_path, "tests/test_pins.py") == fresh.BROKEN
