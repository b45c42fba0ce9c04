"""Replicas: seeds of one cell that go through one call of the step.

Several replicas share a leading axis. A single one has none: the step then runs as it is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch.utils._pytree import tree_map

CUDA_REPLICAS = 8
"""On a GPU, for parameters of any size."""
CPU_REPLICAS = 32
"""On a CPU, for the smallest parameters; where there are many, arithmetic takes the time, and a stack buys nothing."""
STACKED_ENTRIES = 2048
"""Entries of parameters, over all replicas, up to which a CPU's time goes into calling operations."""
NETWORK_REPLICAS, NETWORK_ENTRIES = 4, 2**16
"""Seeds in a call for a network of at most so many entries: on a CPU a call for four takes about twice as long
as one for a single seed."""


def replicas_for(device: torch.device, entries: int) -> int:
    """How many seeds with so many entries of parameters go into one call on this device: a power of two."""
    if device.type == "cuda":
        return CUDA_REPLICAS
    least = NETWORK_REPLICAS if entries <= NETWORK_ENTRIES else 1
    room = max(least, min(CPU_REPLICAS, STACKED_ENTRIES // entries))
    return int(2 ** (room.bit_length() - 1))


def stacks(seeds: Iterable[int], count: int) -> list[tuple[int, ...]]:
    """The seeds by the stack that they belong to: that of seed s holds the `count` seeds with the same s // count.

    A seed's bits may depend on its place in a stack (vectors' tails), so a place is a seed's own, and whoever shares
    its stack is computed too, asked for or not.
    """
    found: dict[int, list[int]] = {}
    for seed in seeds:
        found.setdefault(seed // count, []).append(seed)
    return [tuple(members) for members in found.values()]


def neighbours(seed: int, count: int) -> tuple[int, ...]:
    """All seeds of the stack that this seed belongs to, by place."""
    first = seed // count * count
    return tuple(range(first, first + count))


def lift(step: Callable[..., Any], count: int) -> Callable[..., Any]:
    """`step` for `count` replicas at once."""
    return step if count == 1 else torch.vmap(step)


def stack(trees: Sequence[Any], dim: int = 0) -> Any:
    """Equal pytrees of tensors as one, with a replica axis at `dim` if there are several."""
    return trees[0] if len(trees) == 1 else tree_map(lambda *leaves: torch.stack(leaves, dim), *trees)


def unstack(tree: Any, replica: int, count: int) -> Any:
    """One of the `count` replicas that `stack` put together (at axis 0)."""
    return tree if count == 1 else tree_map(lambda leaf: leaf[replica], tree)
