"""The device a cell runs on."""

from __future__ import annotations

import torch

from reparam.errors import ReparamError


def resolve(name: str) -> torch.device:
    """The torch device for auto, cpu or cuda; ReparamError when a GPU is asked for and none is there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name not in ("cpu", "cuda"):
        raise ReparamError(f"unknown device {name!r}: use auto, cpu or cuda")
    if name == "cuda" and not torch.cuda.is_available():
        raise ReparamError("device=cuda was asked for, but torch sees no GPU: use device=auto or device=cpu")
    return torch.device(name)
