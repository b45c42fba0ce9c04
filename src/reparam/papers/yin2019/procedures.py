"""ARM on one bit, and what a training step costs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from reparam import estimators
from reparam.cells.procedures import Findings, Row, procedure
from reparam.measure.one_bit import VARIANCES, one_bit
from reparam.measure.step_seconds import median_seconds, training_step


@procedure("one_bit")
def moments(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """Mean and variance of the estimator itself at every (p, t), beside closed forms; nothing is random.

    Rows by index of the point: probability, target, mean, exact_mean, variance. At the last index too: mean_error, the
    largest |mean − p q (1 − 2t)| over |1 − 2t|, and variance_error, that of the variance over its closed form plus
    (1 − 2t)².
    """
    method = spec["method"]
    found = one_bit(estimators.make(method["name"], method["options"]), spec["evaluation"])
    rows: list[Row] = []
    for name in ("probability", "target", "mean", "exact_mean", "variance"):
        rows += [(index, name, value) for index, value in enumerate(getattr(found, name).tolist())]
    last = len(found.mean) - 1
    unit = (1 - 2 * found.target).square()
    off = (found.mean - found.exact_mean).abs() / unit.sqrt()
    rows.append((last, "mean_error", off.max().item()))
    if spec["estimator"] in VARIANCES:
        exact = VARIANCES[spec["estimator"]](found.probability, found.target, found.constant)
        off = (found.variance - exact).abs() / (exact + unit)
        rows.append((last, "variance_error", off.max().item()))
    return Findings(rows, {})


@procedure("speed")
def speed(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """The row seconds: of one training step, the median of `timings`. As a time it is not the same in every run."""
    call = training_step(spec, (spec["paper"], spec["experiment"], seed), device)
    return Findings([(0, "seconds", median_seconds(call, device, spec["evaluation"]["timings"]))], {})
