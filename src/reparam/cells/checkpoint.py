"""Checkpoints: the whole state of a training, written atomically, so that a kill costs only time."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import torch

from reparam.cells.files import write_atomically


def save(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint (nested dicts, lists, numbers and tensors); OutputError when it cannot be written."""
    # torch.save itself says RuntimeError when the disk is full, as if the training had failed.
    buffer = io.BytesIO()
    torch.save(content, buffer)
    write_atomically(path, lambda temporary: _write(temporary, buffer))


def _write(path: Path, buffer: io.BytesIO) -> None:
    path.write_bytes(buffer.getbuffer())


def load(path: Path, key: dict[str, Any], device: torch.device) -> dict[str, Any] | None:
    """The checkpoint at `path` if there is one with exactly this key, else None.

    The key names what must not change for a bit-identical continuation: spec, source, seeds, device
    and torch version.
    """
    if not path.is_file():
        return None
    content: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    return content if content["key"] == key else None
