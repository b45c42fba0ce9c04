"""The toy's exact-gradient curve, by the right formula and by that of the released code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from reparam.cells.procedures import Findings, Row, procedure
from reparam.engine.optimisers import Adam

GRADIENTS = ("right", "released_code")


@procedure("exact_gradient")
def exact_gradient(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """Adam on the exact gradient of E[(b − t)²] in the logit θ, p = σ(θ): p (1 − p) (1 − 2t), and p (1 − 2t).

    The second lacks the factor 1 − p, as in the released code; Adam's normalisation hides most of that. Nothing is
    random. Rows every `every` steps: expectation/right and expectation/released_code.
    """
    t, options = spec["task"]["target"], spec["evaluation"]
    params = {name: torch.tensor(spec["task"]["start"], dtype=torch.float64) for name in GRADIENTS}
    adam = Adam(rate=options["rate"])
    state = adam.init(params)
    rows: list[Row] = []
    for step in range(1, options["steps"] + 1):
        p = {name: theta.sigmoid() for name, theta in params.items()}
        slope = 1 - 2 * t
        downhill = {
            "right": p["right"] * (1 - p["right"]) * slope,
            "released_code": p["released_code"] * slope,
        }
        params, state = adam.update(downhill, state, params)
        if step % options["every"] == 0:
            for name, theta in params.items():
                loss = theta.sigmoid() * (1 - t) ** 2 + (-theta).sigmoid() * t**2
                rows.append((step, f"expectation/{name}", loss.item()))
    return Findings(rows, {})
