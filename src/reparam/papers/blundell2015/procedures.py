"""What a step of Bayes by Backprop costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from reparam import tasks
from reparam.cells.procedures import Findings, procedure
from reparam.engine import learners
from reparam.measure.step_seconds import median_seconds, training_step
from reparam.noise import draw_block, generator


@procedure("cost")
def cost(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """seconds of one training step, its noise included, and seconds/beside of one of the network of `beside`, {task:
    options that differ, method: …}: medians of `timings`. Times are the subject here, so these rows, unlike those of
    other histories, differ from run to run."""
    other = spec["evaluation"]["beside"]
    beside = {**spec, "task": {**spec["task"], **other["task"]}, "method": other["method"]}
    timings = spec["evaluation"]["timings"]
    return Findings(
        [
            (0, "seconds", _seconds(spec, seed, device, timings)),
            (0, "seconds/beside", _seconds(beside, seed, device, timings)),
        ],
        {},
    )


def _seconds(spec: Mapping[str, Any], seed: int, device: torch.device, timings: int) -> float:
    axes = (spec["paper"], spec["experiment"], seed)
    task = tasks.make(spec["task"])
    learner = learners.make(task, spec["method"], spec["training"])
    params = task.init(generator(*axes, "init"))
    noise = learner.noise(params, task.train[: spec["training"]["batch"]])

    def draw_noise() -> Any:
        return draw_block(noise, (*axes, "noise"), 1, device)

    step = training_step(spec, axes, device)
    return median_seconds(step, device, timings) + median_seconds(draw_noise, device, timings)
