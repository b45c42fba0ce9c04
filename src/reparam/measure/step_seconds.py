"""What one training step costs."""

from __future__ import annotations

import functools
import json
import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

import torch
from torch.utils._pytree import tree_map

from reparam import tasks
from reparam.engine import learners, paths
from reparam.noise import draw_block, generator


def training_step(
    spec: Mapping[str, Any], axes: tuple[str | int, ...], device: torch.device
) -> Callable[[], Any]:
    """One step of a cell's method on a minibatch, ready to be called again and again from the same state.

    It is traced, and on a GPU compiled, as in a training, once for all `axes`, of whose stream the state and the noise
    are drawn beforehand.
    """
    wanted = {key: spec[key] for key in ("task", "method", "training")}
    made, arguments = _ready(json.dumps(wanted, sort_keys=True), device)
    own = arguments(axes)

    def call() -> Any:
        with torch.no_grad():
            return made(*own)

    return call


@functools.lru_cache(maxsize=8)
def _ready(
    spec: str, device: torch.device
) -> tuple[Callable[..., Any], Callable[[tuple[str | int, ...]], tuple[Any, ...]]]:
    """The step, made ready, and what gives its arguments from the axes of a stream."""
    given = json.loads(spec)
    task = tasks.make(given["task"])
    task.train = task.train.to(device)
    learner = learners.make(task, given["method"], given["training"])
    x = task.train[: given["training"]["batch"]]
    index = torch.arange(len(x), device=device)

    def arguments(axes: tuple[str | int, ...]) -> tuple[Any, ...]:
        params = {name: entry.to(device) for name, entry in task.init(generator(*axes, "init")).items()}
        noise = draw_block(learner.noise(params, x), (*axes, "noise"), 1, device)
        with torch.no_grad():
            state = learner.init(params, x, generator(*axes, "method"))
        return state, x, index, tree_map(lambda leaf: leaf[0], noise)

    path: paths.Path = "compiled" if device.type == "cuda" else "traced"
    with torch.no_grad():
        return paths.build(learner.step, arguments(("step",)), path), arguments


def update_seconds(
    spec: Mapping[str, Any], axes: tuple[str | int, ...], device: torch.device, timings: int
) -> float:
    """The time of a training step of a cell's method and of drawing its noise: medians of `timings`."""
    task = tasks.make(spec["task"])
    learner = learners.make(task, spec["method"], spec["training"])
    params = task.init(generator(*axes, "init"))
    noise = learner.noise(params, task.train[: spec["training"]["batch"]])
    step = median_seconds(training_step(spec, axes, device), device, timings)
    return step + median_seconds(lambda: draw_block(noise, (*axes, "noise"), 1, device), device, timings)


def sampled_by_label(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The spec of a network whose weights are sampled as the cell's method says: the `weights` of its task."""
    sampled = {**spec["task"], "weights": spec["method"]["name"]}
    return {**spec, "task": sampled, "method": {"name": "pathwise"}}


def median_seconds(call: Callable[[], Any], device: torch.device, timings: int) -> float:
    """The median of so many calls after one that is not counted.

    On a CPU it is the processor's time, since others may be using it; on a GPU that until the call has finished.
    """
    call()
    return median(_seconds(call, device) for _ in range(timings))


def _seconds(call: Callable[[], Any], device: torch.device) -> float:
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    begun = clock()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return clock() - begun
