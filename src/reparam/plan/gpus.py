"""GPUs without torch: how many this run may use, and one of them for one cell."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.machinery import PathFinder
from pathlib import Path

from filelock import FileLock, Timeout

from reparam.errors import ReparamError

VISIBLE = "CUDA_VISIBLE_DEVICES"
WAIT_SECONDS = 1.0


def gpus() -> list[str]:
    """The GPUs that this environment's torch could use, as entries of CUDA_VISIBLE_DEVICES."""
    if not _torch_has_cuda():
        return []
    here = [str(index) for index in range(_count())]
    if VISIBLE not in os.environ:
        return here
    visible = [entry.strip() for entry in os.environ[VISIBLE].split(",")]
    return [entry for entry in visible if entry not in ("", "-1")] if here else []


def slots(device: str, declared: int | None = None) -> int:
    """How many cells may use a GPU at once for device auto, cpu or cuda: one per GPU.

    `declared` is their number where they are elsewhere (a cluster); else those of this machine are counted.
    Raises ReparamError when a GPU is asked for and there is none.
    """
    found = 0 if device == "cpu" else len(gpus()) if declared is None else declared
    if device == "cuda" and not found:
        raise ReparamError(
            "device=cuda was asked for, but there is no GPU torch can use: give device=auto or device=cpu"
        )
    return found


@contextmanager
def lease(folder: Path) -> Iterator[None]:
    """Make one GPU visible to this process alone among the cells of this results folder; wait for a free one.

    The locks are files in `folder`; the system frees them when their owner dies.
    """
    found = gpus()
    folder.mkdir(parents=True, exist_ok=True)
    while found:
        for name in found:
            lock = FileLock(folder / f"gpu-{name.replace('/', '-')}.lock")
            try:
                lock.acquire(timeout=0)
            except Timeout:
                continue
            with lock:
                os.environ[VISIBLE] = name
                yield
            return
        time.sleep(WAIT_SECONDS)
    yield


def _torch_has_cuda() -> bool:
    spec = PathFinder.find_spec("torch")
    if spec is None or spec.origin is None:
        return False
    libraries = Path(spec.origin).parent / "lib"
    return any((libraries / name).exists() for name in ("libtorch_cuda.so", "torch_cuda.dll"))


def _count() -> int:
    program = shutil.which("nvidia-smi")
    if program is not None:
        listed = subprocess.run([program, "-L"], capture_output=True, text=True, check=False)
        if listed.returncode == 0:
            return sum(line.startswith("GPU ") for line in listed.stdout.splitlines())
    return len(list(Path("/dev").glob("nvidia[0-9]*")))
