"""What a training step costs by the number of classes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from statistics import median
from typing import Any

import torch
from torch.utils._pytree import tree_map

from reparam import tasks
from reparam.cells.procedures import Findings, Row, procedure
from reparam.engine import learners, paths
from reparam.noise import draw_block, generator


@procedure("speed")
def speed(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """Seconds of one training step of the cell's method, for each number of classes of the evaluation.

    The step is traced, and on a GPU compiled, as in a training; the noise is drawn beforehand. Rows by number of
    classes: classes; seconds, the median of `timings` calls after one that is not counted, of the processor's time on a
    CPU, which others may be using, too. Times are the subject here, so these rows, unlike those of other histories, are
    not the same in every run.
    """
    rows: list[Row] = []
    for classes in spec["evaluation"]["classes"]:
        call = _step(spec, classes, seed, device)
        call()
        seconds = median(_seconds(call, device) for _ in range(spec["evaluation"]["timings"]))
        rows += [(classes, "classes", float(classes)), (classes, "seconds", seconds)]
    return Findings(rows, {})


def _step(spec: Mapping[str, Any], classes: int, seed: int, device: torch.device) -> Callable[[], Any]:
    """One step on a minibatch, ready to be called again and again from the same state."""
    training, axes = spec["training"], (spec["paper"], spec["experiment"], seed, classes)
    task = tasks.make({**spec["task"], "classes": classes})
    task.train = task.train.to(device)
    learner = learners.make(task, spec["method"], training)
    x = task.train[: training["batch"]]
    index = torch.arange(len(x), device=device)
    params = {name: entry.to(device) for name, entry in task.init(generator(*axes, "init")).items()}
    noise = draw_block(learner.noise(params, x), (*axes, "noise"), 1, device)
    with torch.no_grad():
        state = learner.init(params, x, generator(*axes, "method"))
        arguments = (state, x, index, tree_map(lambda leaf: leaf[0], noise))
        path: paths.Path = "compiled" if device.type == "cuda" else "traced"
        made = paths.build(learner.step, arguments, path)

    def call() -> Any:
        with torch.no_grad():
            return made(*arguments)

    return call


def _seconds(call: Callable[[], Any], device: torch.device) -> float:
    clock = time.perf_counter if device.type == "cuda" else time.process_time
    begun = clock()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return clock() - begun
