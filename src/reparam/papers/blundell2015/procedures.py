"""What a step of Bayes by Backprop costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from reparam.cells.procedures import Findings, procedure
from reparam.measure.step_seconds import update_seconds


@procedure("cost")
def cost(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """seconds of one training step, its noise included, and seconds/beside of one of the network of `beside`, {task:
    options that differ, method: …}: medians of `timings`. Times are the subject here, so these rows, unlike those of
    other histories, differ from run to run."""
    other, timings = spec["evaluation"]["beside"], spec["evaluation"]["timings"]
    beside = {**spec, "task": {**spec["task"], **other["task"]}, "method": other["method"]}
    axes = (spec["paper"], spec["experiment"], seed)
    return Findings(
        [
            (0, "seconds", update_seconds(spec, axes, device, timings)),
            (0, "seconds/beside", update_seconds(beside, axes, device, timings)),
        ],
        {},
    )
