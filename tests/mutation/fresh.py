"""Processes of their own that start with the libraries loaded, but without a module of the package."""

from __future__ import annotations

import multiprocessing
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
BROKEN = 70
"""What a process exits with whose function raises: pytest's 1 says that a test failed."""
LIBRARIES = [
    "hypothesis",
    "matplotlib.pyplot",
    "mpmath",
    "pandas",
    "pyarrow.parquet",
    "pytest",
    "scipy.stats",
    "torch.func",
    "yaml",
]


def call(output: Path, function: Callable[..., None], *arguments: Any) -> int:
    """What a fresh process that calls the function exits with, minus the signal's number where one ends it.

    What it prints goes to the file `output`. It exits with BROKEN where the function raises.
    """
    fresh = multiprocessing.get_context("forkserver")
    fresh.set_forkserver_preload(LIBRARIES)
    process = fresh.Process(target=_printing_to, args=(output, function, *arguments))
    process.start()
    try:
        process.join()
    finally:
        process.kill()
    assert process.exitcode is not None
    return process.exitcode


def run_tests(source: Path, *arguments: str) -> None:
    """Run tests on the package that lies in `source`, and exit as pytest does."""
    os.chdir(ROOT)
    os.environ.pop("PYTEST_ADDOPTS", None)
    os.environ["PYTHONPATH"] = str(source)
    sys.path.insert(0, str(source))
    code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "-m", "not slow", *arguments])
    import reparam

    assert Path(reparam.__file__).is_relative_to(source), "another package was tested"
    sys.exit(code)


def _printing_to(output: Path, function: Callable[..., None], *arguments: Any) -> None:
    with output.open("w") as file:
        os.dup2(file.fileno(), sys.stdout.fileno())
        os.dup2(file.fileno(), sys.stderr.fileno())
    try:
        function(*arguments)
    except Exception:
        traceback.print_exc()
        sys.exit(BROKEN)
