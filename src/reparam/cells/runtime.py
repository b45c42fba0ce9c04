"""What a result was computed with: versions, commit, device, time and memory; never who or where."""

from __future__ import annotations

import platform
import resource
import subprocess
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch


@cache
def software() -> dict[str, Any]:
    """Package version, commit and dirty flag (null outside a git checkout), torch and Python versions."""
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return {
        "package": version("reparam"),
        "commit": commit,
        "dirty": None if changes is None else bool(changes),
        "torch": torch.__version__.partition("+")[0],
        "python": platform.python_version(),
    }


def _git(*arguments: str) -> str | None:
    """The output of a git command on the checkout that this package lies in."""
    here = Path(__file__).parent
    try:
        done = subprocess.run(
            ["git", "-C", str(here), *arguments], capture_output=True, text=True, check=True, timeout=20
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def device_name(device: torch.device) -> str:
    """The device in words: the GPU's product name, or "cpu"."""
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def peak_memory_mib(device: torch.device) -> int:
    """The process's largest resident size, or the GPU's largest allocation, in MiB."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device) / 2**20)
    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10)
