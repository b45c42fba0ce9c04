"""The variances of antithetic estimators on one bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from reparam import estimators
from reparam.cells.procedures import Findings, Row, procedure
from reparam.measure.one_bit import VARIANCES, one_bit
from reparam.oracles import one_bit as closed_forms


@procedure("one_bit")
def variances(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """Mean and variance of the estimator itself at every (p, t, c), beside closed forms; nothing is random.

    Rows by index of the point: probability, target, constant, variance. At the last index too: mean_error (the largest
    |mean − p q (1 − 2t)|), below_arm and below_loo (the least of the closed forms of ARM and of leave-one-out minus
    this variance, in units of (1 − 2t)²) and, for an estimator with a closed form, variance_error (the largest
    difference, over the closed form plus that unit: DisARM's variance is 0 for a fair bit).
    """
    method = spec["method"]
    found = one_bit(estimators.make(method["name"], method["options"]), spec["evaluation"])
    p, t, c = found.probability, found.target, found.constant
    rows: list[Row] = []
    for name in ("probability", "target", "constant", "variance"):
        rows += [(index, name, value) for index, value in enumerate(getattr(found, name).tolist())]
    unit = (1 - 2 * t).square()
    summary = {
        "mean_error": (found.mean - found.exact_mean).abs().max(),
        "below_arm": ((closed_forms.arm(p, t) - found.variance) / unit).min(),
        "below_loo": ((closed_forms.leave_one_out(p, t) - found.variance) / unit).min(),
    }
    if spec["estimator"] in VARIANCES:
        exact = VARIANCES[spec["estimator"]](p, t, c)
        summary["variance_error"] = ((found.variance - exact).abs() / (exact + unit)).max()
    rows += [(len(p) - 1, name, value.item()) for name, value in summary.items()]
    return Findings(rows, {})
