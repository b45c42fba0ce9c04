"""Which latent units a model uses, and what is lost without the others (Burda et al. 2016, §5.2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from reparam.errors import ReparamError
from reparam.measure.base import Context, Measured, register
from reparam.measure.multi_sample_bound import mean_bound, require_log_weight
from reparam.measure.rows import rows
from reparam.noise import draw_block
from reparam.program import describe, follow, run

ACTIVE = 1e-2
"""A unit is active above this activity."""
CODE_ROWS = 500
"""Training rows that the released code looks at."""
AT_ONCE = 1000
"""Data whose posterior means are computed at once."""


@register("active_units", optional=("points", "samples", "removal"))
def active_units(context: Context, options: Mapping[str, Any]) -> Measured:
    """How many units of each site have A_u = Cov_x(E_q(u|x)[u]) > 1e-2, over training data.

    Options: `points` (the first training rows; null: all), `samples`, the draws of the layers below a site over which
    its mean is averaged (10): the draws' own variance, over their number, is left in A_u of all but the first layer;
    and `removal`, {samples, points, every} as in `multi_sample_bound`.
    Metrics: active/<site> and active, of all sites; active_code/<site> and active_code, the same as the released code
    counts, on the first 500 rows with one draw. With `removal`, removal_loss_<K>: the K-sample bound on test data less
    that of the model without its inactive units, in nats per datum. The most active unit of a site always stays.
    Array `activity_<site>`: A_u [units].

    Raises ReparamError for `removal` under a task whose units cannot be taken out or whose value is no log weight.
    """
    found = activity(context, options.get("points"), int(options.get("samples", 10)))
    metrics = {
        **_counts("active", found),
        **_counts("active_code", activity(context, min(CODE_ROWS, len(context.task.train)), 1)),
    }
    if options.get("removal"):
        metrics |= _removal(context, found, options["removal"])
    return Measured(metrics, {f"activity_{site}": a.float().cpu().numpy() for site, a in found.items()})


def _counts(name: str, found: Mapping[str, Tensor]) -> dict[str, float]:
    counts = {f"{name}/{site}": float((entry > ACTIVE).sum()) for site, entry in found.items()}
    return {**counts, name: sum(counts.values())}


def _removal(context: Context, found: Mapping[str, Tensor], options: Mapping[str, Any]) -> dict[str, float]:
    require_log_weight(context, "active_units with removal")
    if not hasattr(context.task, "without"):
        raise ReparamError(
            "active_units with removal needs a task that can take out units, such as deep_gaussian_vae"
        )
    kept = {
        site: ((entry > ACTIVE) | (entry == entry.max())).nonzero()[:, 0] for site, entry in found.items()
    }
    samples = int(options["samples"])
    x = rows(context, "test", options.get("points"))[:: int(options.get("every", 1))]
    smaller = context._replace(params=context.task.without(context.params, kept))
    whole, part = (
        mean_bound(where, context.task.program, x, samples, (name,))
        for name, where in (("whole", context), ("active", smaller))
    )
    return {f"removal_loss_{samples}": whole - part}


def activity(context: Context, points: int | None, samples: int) -> dict[str, Tensor]:
    """A_u of every unit by site, over the first training rows, with means averaged over so many draws of all sites."""
    means: dict[str, list[Tensor]] = {}
    for number, x in enumerate(rows(context, "train", points).split(AT_ONCE)):
        program = context.task.program(x)
        specs = {name: site.law.noise() for name, site in describe(program, context.params).items()}
        total: dict[str, Tensor] = {}
        for i in range(samples):
            block = draw_block(specs, (*context.axes, "activity", number, i), 1, context.device)
            noise = {site: {role: value[0] for role, value in roles.items()} for site, roles in block.items()}
            for name, site in run(program, context.params, follow(noise)).latent.items():
                total[name] = total.get(name, torch.zeros(())) + site.law.mean.double() / samples
        for name, entry in total.items():
            means.setdefault(name, []).append(entry)
    return {name: torch.cat(parts).var(0, correction=0) for name, parts in means.items()}
