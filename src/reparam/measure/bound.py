"""The bound on training and test data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from reparam.measure.base import Context, Measured, register
from reparam.measure.rows import rows
from reparam.noise import draw_block
from reparam.program import describe, follow, run


@register("bound", required=("samples",), optional=("points", "splits"))
def bound(context: Context, options: Mapping[str, Any]) -> Measured:
    """The mean of the task's value over data, in nats per datum, and the variance of its estimate.

    Options: `points` (the first rows of each split; null: all), `samples` (≥ 2 draws of all noise) and `splits`
    (default: train and test). Metrics: elbo/<split>, an average over data and draws, and elbo_mc_variance/<split>
    (nats²): the variance over draws of the average over data, that of an estimate with one draw per datum.
    """
    metrics = {}
    for split in options.get("splits", ("train", "test")):
        x = rows(context, split, options.get("points"))
        program = context.task.program(x)
        specs = {name: site.law.noise() for name, site in describe(program, context.params).items()}
        means = []
        for i in range(int(options["samples"])):
            block = draw_block(specs, (*context.axes, split, i), 1, context.device)
            noise = {site: {role: value[0] for role, value in roles.items()} for site, roles in block.items()}
            means.append(run(program, context.params, follow(noise)).value.double().mean())
        readings = torch.stack(means)
        metrics[f"elbo/{split}"] = readings.mean().item()
        metrics[f"elbo_mc_variance/{split}"] = readings.var().item()
    return Measured(metrics, {})
