"""At which steps something is measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from reparam.errors import ReparamError

FIRST_FRACTION = 0.01


def due_steps(options: Mapping[str, Any] | None, steps: int) -> set[int]:
    """The steps at which a measurement with this `schedule` is due; the last step always is.

    {points: n, spacing: linear | log}: n steps evenly spaced, the logarithmic ones from 1 % of the run on.
    {steps: [t, …]}: these, as far as the run goes. Without a schedule: the last step only.
    """
    if options is None:
        return {steps}
    if "steps" in options:
        return {step for step in options["steps"] if 1 <= step <= steps} | {steps}
    points, spacing = options["points"], options.get("spacing", "linear")
    if spacing == "linear":
        exact = np.linspace(steps / points, steps, points)
    elif spacing == "log":
        exact = np.geomspace(max(1.0, steps * FIRST_FRACTION), steps, points)
    else:
        raise ReparamError(f"schedule: spacing is {spacing!r}; use linear or log")
    return {max(1, round(step)) for step in exact} | {steps}
