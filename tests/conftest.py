"""What every test runs under: one thread, no network for W&B, the same random examples each time."""

from __future__ import annotations

import os

# Before anything imports torch: threads that wait for each other are slower than one.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"
os.environ["WANDB_MODE"] = "offline"
os.environ["WANDB_SILENT"] = "true"

import gc
from collections.abc import Iterator

import hypothesis
import pytest

hypothesis.settings.register_profile("deterministic", derandomize=True, deadline=None)
hypothesis.settings.load_profile("deterministic")


@pytest.fixture(autouse=True, scope="module")
def few_objects_to_collect() -> Iterator[None]:
    """statsmodels collects garbage at every correction, a second each time where torch and all tests are loaded."""
    gc.freeze()
    yield
    gc.unfreeze()
