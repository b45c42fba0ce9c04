"""Replicas: seeds of one cell that go through one call of the step.

Several replicas share a leading axis. A single one has none: the step then runs as it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.utils._pytree import tree_map

CPU_REPLICAS = 1
"""On a CPU a seed's bits depend on its place in a stack (vector tails), so each seed has its own call."""
CUDA_REPLICAS = 8
"""On a GPU the stack always has this height (padded), so that a seed's kernels never change."""


def replicas_for(device: torch.device) -> int:
    """How many seeds go into one call on this device."""
    return CUDA_REPLICAS if device.type == "cuda" else CPU_REPLICAS


def lift(step: Callable[..., Any], count: int) -> Callable[..., Any]:
    """`step` for `count` replicas at once."""
    return step if count == 1 else torch.vmap(step)


def stack(trees: Sequence[Any], dim: int = 0) -> Any:
    """Equal pytrees of tensors as one, with a replica axis at `dim` if there are several."""
    return trees[0] if len(trees) == 1 else tree_map(lambda *leaves: torch.stack(leaves, dim), *trees)


def unstack(tree: Any, replica: int, count: int) -> Any:
    """One of the `count` replicas that `stack` put together (at axis 0)."""
    return tree if count == 1 else tree_map(lambda leaf: leaf[replica], tree)
