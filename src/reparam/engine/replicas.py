"""Replicas: seeds of one cell that go through one call of the step."""

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


def lift(step: Callable[..., Any]) -> Callable[..., Any]:
    """`step` on arguments and results with a leading replica axis."""

    def single(*arguments: Any) -> Any:
        return tree_map(lambda leaf: leaf.unsqueeze(0), step(*tree_map(lambda leaf: leaf[0], arguments)))

    def lifted(*arguments: Any) -> Any:
        height = torch.utils._pytree.tree_leaves(arguments)[0].shape[0]
        return single(*arguments) if height == 1 else torch.vmap(step)(*arguments)

    return lifted


def stack(trees: Sequence[Any]) -> Any:
    """Equal pytrees of tensors, stacked leaf by leaf on a new first axis."""
    return tree_map(lambda *leaves: torch.stack(leaves), *trees)


def unstack(tree: Any, replica: int) -> Any:
    """One replica of a stacked pytree."""
    return tree_map(lambda leaf: leaf[replica], tree)
