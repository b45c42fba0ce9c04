"""Tasks small enough to enumerate, in double precision."""

from __future__ import annotations

from typing import Any

import torch

from reparam.noise import draw, generator


def in_doubles(task: Any, stream: str, by: float = 0.5) -> tuple[Any, dict[str, torch.Tensor]]:
    """The task, and its initial parameters moved at random by so much, which leaves none at 0."""
    source = generator("test", "weights")
    params = {
        name: p.double() + by * draw("normal", tuple(p.shape), source, torch.float64)
        for name, p in task.init(generator("test", stream)).items()
    }
    task.train = task.train.double()
    return task, params
