"""Runs the small cell and kills itself with SIGKILL at a given point."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import small

from reparam import measure
from reparam.cells import checkpoint, files
from reparam.cells.train import Training


class Killer:
    """Counts passes through the chosen point; the nth one is the last thing this process does."""

    def __init__(self, nth: int) -> None:
        self.left = nth

    def __call__(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def arm(point: str, killer: Killer) -> None:
    where, _, pattern = point.partition(":")
    if where == "step":
        original = Training.call

        def call(self, *arguments):
            result = original(self, *arguments)
            killer()
            return result

        Training.call = call
    elif where == "evaluation":
        bound = measure.get("bound")

        def measured(context, options):
            result = bound(context, options)
            killer()
            return result

        measure.base.registry._entries["bound"] = measured
    elif where == "torn":
        write = checkpoint._write

        def half(path, buffer):
            write(path, buffer)
            if killer.left == 1:
                whole = path.read_bytes()
                path.write_bytes(whole[: len(whole) // 2])
            killer()

        checkpoint._write = half
    else:  # before or after the move of a file whose name holds `pattern`
        replace = os.replace

        def moved(source, target):
            hit = pattern in Path(target).name
            if hit and where == "before":
                killer()
            replace(source, target)
            if hit and where == "after":
                killer()

        files.os.replace = moved


def run(root: Path, method: str, point: str, nth: int) -> None:
    """Run the cell of a method under `root`, with a checkpoint at every step, until the nth pass through the point."""
    arm(point, Killer(nth))
    small.run(root, small.spec(method), checkpoint_seconds=0.0)
