"""Trainers end when the run that started them is gone, even when it was killed without warning."""

from __future__ import annotations

import os
import sys
import threading
import time

import psutil

VARIABLE = "REPARAM_PARENT"
"""Set by the workflow to "pid:start time" of its own process, so that a shell in between does not matter."""
POLL_SECONDS = 0.5


def describe(pid: int) -> str:
    """ "pid:start time": unlike the pid alone, never a later process."""
    return f"{pid}:{psutil.Process(pid).create_time():.2f}"


def end_with_parent() -> None:
    """Watch the process named in REPARAM_PARENT from a daemon thread; end this process when it is gone.

    Ending is abrupt (exit status 143) and therefore no different from a kill: the checkpoint is what is left.
    """
    parent = os.environ.get(VARIABLE)
    if parent is not None:
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: str) -> None:
    while is_alive(parent):
        time.sleep(POLL_SECONDS)
    print("the run that started this cell is gone: stopping (the checkpoint is kept)", file=sys.stderr)
    os._exit(143)


def is_alive(process: str) -> bool:
    """Whether the process that `describe` described still runs."""
    pid = int(process.partition(":")[0])
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE and describe(pid) == process
    except psutil.NoSuchProcess:
        return False
