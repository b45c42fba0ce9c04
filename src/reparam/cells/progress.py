"""Progress of long work: a live bar on a terminal, occasional lines in a log, a file for `reparam watch`."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from tqdm import tqdm

from reparam.cells.files import write_json

LINE_SECONDS = 20.0
FILE_SECONDS = 1.0


class Progress:
    """Counts the seed-steps of a cell; use as a context manager."""

    def __init__(self, title: str, total: int, file: Path, seeds: tuple[int, ...]) -> None:
        self._file, self._seeds, self._title = file, seeds, title
        live = sys.stderr.isatty()
        self._bar = tqdm(
            total=total,
            desc=title,
            unit="step",
            file=sys.stderr,
            mininterval=0.2 if live else LINE_SECONDS,
            disable=not live,
            dynamic_ncols=True,
        )
        self._live, self._total, self._done = live, total, 0
        self._start = self._last_file = self._last_line = time.monotonic()
        self._first = 0

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
        self._file.unlink(missing_ok=True)

    def resume(self, steps: int) -> None:
        """Start from `steps` already made by an earlier run; they do not count towards the rate."""
        self._done = self._first = steps
        self._bar.reset(total=self._total)
        self._bar.initial = steps
        self._bar.update(steps)
        self._start = time.monotonic()

    def advance(self, steps: int) -> None:
        """Note that this many more seed-steps are done."""
        self._done += steps
        self._bar.update(steps)
        now = time.monotonic()
        if now - self._last_file >= FILE_SECONDS:
            self._last_file = now
            write_json(self._file, self.state())
        if not self._live and now - self._last_line >= LINE_SECONDS:
            self._last_line = now
            state = self.state()
            print(
                f"{self._title}: step {state['step']} of {state['steps']}, "
                f"{state['rate']:.0f} steps/s, {state['seconds_left']:.0f} s left",
                file=sys.stderr,
                flush=True,
            )

    def state(self) -> dict[str, object]:
        """What `reparam watch` shows."""
        elapsed = max(time.monotonic() - self._start, 1e-9)
        rate = (self._done - self._first) / elapsed
        left = (self._total - self._done) / rate if rate > 0 else 0.0
        return {
            "title": self._title,
            "step": self._done,
            "steps": self._total,
            "rate": rate,
            "seconds_left": left,
            "pid": os.getpid(),
            "seeds": list(self._seeds),
        }
