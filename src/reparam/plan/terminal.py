"""Tables and prose on standard output: as wide as the terminal, and for a file without trailing blanks."""

from __future__ import annotations

import sys

from rich.console import Console, RenderableType


def write(what: RenderableType, most: int | None, otherwise: int) -> None:
    """Print in the terminal's width, or in `most` columns where it has more; in `otherwise` columns to a file."""
    if sys.stdout.isatty():
        console = Console(markup=False, highlight=False)
        console.print(what, width=min(most or console.width, console.width))
        return
    console = Console(markup=False, highlight=False, width=otherwise)
    with console.capture() as text:
        console.print(what)
    print(*(line.rstrip() for line in text.get().splitlines()), sep="\n")
