"""Snakemake's lock, left by a Snakemake that was killed: cleared when, and only when, its owner is dead.

Snakemake's own lock does not say who holds it. Every run therefore notes its process beside it, before it
takes the lock, and removes the lock if all earlier processes of this machine are gone.
"""

from __future__ import annotations

import os
import platform
import shutil
import uuid
from pathlib import Path

from reparam.cells.files import read_json, write_json
from reparam.cells.parent import describe, is_alive

FOLDER = Path(".snakemake")


def take_over(folder: Path = FOLDER) -> bool:
    """Clear a dead owner's lock if there is one (True), and note this process as an owner to be."""
    owners = folder / "owners"
    notes = list(owners.glob("*.json"))
    dead = [note for note in notes if not _is_alive(note)]
    alive = len(dead) < len(notes)
    locks = folder / "locks"
    stale = bool(dead) and not alive and locks.is_dir() and any(locks.iterdir())
    if stale:
        shutil.rmtree(locks)
    if not alive:
        for note in dead:
            note.unlink(missing_ok=True)
    write_json(
        owners / f"{os.getpid()}-{_machine()}.json", {"process": describe(os.getpid()), "machine": _machine()}
    )
    return stale


def _is_alive(note: Path) -> bool:
    """Processes of other machines count as alive: nothing can be said of them."""
    content = read_json(note)
    if not isinstance(content, dict):
        return True
    return content.get("machine") != _machine() or is_alive(str(content.get("process")))


def _machine() -> str:
    """A name of this machine that tells nothing about it."""
    return uuid.uuid5(uuid.NAMESPACE_DNS, platform.node()).hex[:12]
