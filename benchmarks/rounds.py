"""Contestants that take turns within one run, so that a busy or throttled machine slows them alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from reparam.engine import learners, paths, replicas
from reparam.engine.minibatch import minibatch_indices
from reparam.noise import draw_block, generator
from reparam.tasks import Task

BLOCK = 100
"""Steps whose noise is drawn at once, as in reparam.cells.train."""

Steps = Iterator[None]
"""Each `next` is one training step."""


class Timing(NamedTuple):
    """Medians over rounds, and the seconds of the very first step, which may have built something."""

    milliseconds: float
    ratio: float
    first: float


def engine(
    task: Task,
    method: Mapping[str, Any],
    optimiser: Mapping[str, Any],
    data: Tensor,
    batch: int,
    path: paths.Path,
    seeds: int = 1,
) -> Steps:
    """The engine's step on rows of `data` [N, D], with blocks of noise as in a cell, for seeds side by side."""
    learner = learners.make(task, method, {"optimiser": optimiser})
    places = range(seeds)

    def params(seed: int) -> dict[str, Tensor]:
        return {n: p.to(data.device) for n, p in task.init(generator("benchmark", seed)).items()}

    state = replicas.stack(
        [learner.init(params(s), data[:batch], generator("benchmark", "method", s)) for s in places]
    )
    specs = learner.noise(params(0), data[:batch])
    call: Callable[..., Any] | None = None
    block = 0
    while True:
        index = replicas.stack(
            [minibatch_indices(("benchmark", s), block * BLOCK, BLOCK, batch, len(data)) for s in places],
            dim=1,
        ).to(data.device)
        noise = replicas.stack(
            [draw_block(specs, ("benchmark", s, block), BLOCK, data.device) for s in places], dim=1
        )
        for now in range(BLOCK):
            rows = index[now]
            arguments = (state, data[rows], rows, tree_map(lambda leaf, now=now: leaf[now], noise))
            if call is None:
                call = paths.build(replicas.lift(learner.step, seeds), arguments, path)
            with torch.no_grad():
                state, _ = call(*arguments)
            yield
        block += 1


def seconds(steps: Steps, count: int, device: torch.device) -> float:
    """Wall seconds of `count` steps."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(count):
        next(steps)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def compare(
    contestants: Mapping[str, Steps], yardstick: str, rounds: int, steps: int, device: torch.device
) -> dict[str, Timing]:
    """Time each contestant's steps in turns: what they take, and their ratio to the yardstick's in the same round."""
    first = {name: seconds(entry, 1, device) for name, entry in contestants.items()}
    for entry in contestants.values():
        seconds(entry, BLOCK, device)
    taken = [
        {name: seconds(entry, steps, device) for name, entry in contestants.items()} for _ in range(rounds)
    ]
    return {
        name: Timing(
            statistics.median(times[name] for times in taken) / steps * 1e3,
            statistics.median(times[name] / times[yardstick] for times in taken),
            first[name],
        )
        for name in contestants
    }
