"""The one kind of error that a user is meant to read, and others in one line."""

from __future__ import annotations

import traceback
from pathlib import Path


class ReparamError(Exception):
    """A mistake in what the user gave, said in one line: what, where, how to mend it.

    The command line prints it without a traceback and exits with status 2.
    """


class NumericalError(ReparamError):
    """Parameters outside their support, or an estimate that is not finite. In a training that is no mistake: the seed
    has diverged, or a measurement's reading is NaN."""


class OutputError(ReparamError):
    """The machine refused a write (disk full, folder not writable). The command line exits with 3."""


def reason(error: BaseException) -> str:
    """What an error says, in one line: its type and message, or one of ours as it is."""
    if isinstance(error, ReparamError):
        return str(error)
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    return " ".join(f"{type(error).__name__}: {message}".split())


def place(error: BaseException, within: str) -> str:
    """ "folder/file.py:line" of the innermost call in the file or folder `within` that the error passed through, or of
    the wrong syntax in it; "" where there is none."""
    calls = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        calls.append((error.filename, error.lineno))
    found = [(Path(file), line) for file, line in calls if Path(file).is_relative_to(within)]
    return f"{found[-1][0].parent.name}/{found[-1][0].name}:{found[-1][1]}" if found else ""
