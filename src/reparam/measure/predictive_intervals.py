"""How a regression's uncertainty grows away from its data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from reparam.errors import ReparamError
from reparam.measure.base import Context, Measured, register
from reparam.measure.predictions import sampled_outputs

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


@register("predictive_intervals", required=("samples", "least", "most"), optional=("points",))
def predictive_intervals(context: Context, options: Mapping[str, Any]) -> Measured:
    """Quantiles of the regression function at `points` (100) inputs from `least` to `most`, over `samples` of the
    network, which share no weights between inputs.

    Metrics: interval/inside and interval/outside, the mean distance of the quartiles at inputs within and beyond the
    range of the training inputs. Arrays: intervals/x and intervals/quantiles [QUANTILES, points] (Blundell et al. 2015,
    Fig 5).

    Raises ReparamError for a task that is no regression on one column.
    """
    task: Any = context.task
    if getattr(task, "classes", None) != 1 or getattr(task, "columns", None) != 1:
        raise ReparamError(
            "predictive_intervals needs a regression on one column: bayesian_network without data"
        )
    x = torch.linspace(options["least"], options["most"], int(options.get("points", 100)))
    rows = torch.stack([x, torch.zeros_like(x), torch.ones_like(x)], 1).to(context.device)
    samples = int(options["samples"])
    found = sampled_outputs(task, context.params, rows, samples, context.axes).squeeze(-1).double().cpu()
    quantiles = torch.quantile(found, torch.tensor(QUANTILES, dtype=torch.float64), dim=0)
    seen = task.train[:, 0].cpu()
    inside = (x >= seen.min()) & (x <= seen.max())
    width = quantiles[3] - quantiles[1]
    metrics = {
        "interval/inside": width[inside].mean().item(),
        "interval/outside": width[~inside].mean().item(),
    }
    arrays = {"intervals/x": x.numpy(), "intervals/quantiles": quantiles.numpy()}
    return Measured(metrics, arrays)
