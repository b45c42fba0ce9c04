"""What a training step costs by the number of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from reparam.cells.procedures import Findings, Row, procedure
from reparam.measure.step_seconds import median_seconds, training_step


@procedure("speed")
def speed(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """Seconds of one training step of the cell's method, for each number of classes of the evaluation.

    Rows by number of classes: classes; seconds, the median of `timings`. Times are the subject here, so these rows,
    unlike those of other histories, are not the same in every run.
    """
    rows: list[Row] = []
    for classes in spec["evaluation"]["classes"]:
        sized = {**spec, "task": {**spec["task"], "classes": classes}}
        call = training_step(sized, (spec["paper"], spec["experiment"], seed, classes), device)
        seconds = median_seconds(call, device, spec["evaluation"]["timings"])
        rows += [(classes, "classes", float(classes)), (classes, "seconds", seconds)]
    return Findings(rows, {})
