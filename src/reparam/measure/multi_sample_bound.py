"""The bound of many samples, the usual stand-in for the likelihood."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from reparam.engine.learners.relaxed_bound import RelaxedBound
from reparam.errors import ReparamError
from reparam.measure.base import Context, Measured, register
from reparam.measure.rows import rows
from reparam.noise import Noise, draw_block
from reparam.program import Program, describe, follow, run

AT_ONCE = 50
"""Data, and draws, that are computed at once: 8 MB a tensor for images of 28 × 28. More fit into memory, and not into a
processor's cache: at 100 a draw takes three times as long."""


@register("multi_sample_bound", required=("samples",), optional=("points", "every", "splits"))
def multi_sample_bound(context: Context, options: Mapping[str, Any]) -> Measured:
    """log 1/K Σ_k exp value_k over K independent draws of all sites (Burda et al. 2016, Eq. 8), in nats per datum.

    Options: `samples` (K, or a list of several), `points` (the first rows of each split; null: all), `every` (n: each
    n-th of them only, for a share of files whose order matters: the first half of MNIST's test rows is the easier one)
    and `splits` (default: test only).
    Metrics: bound_<K>/<split>, the average over data. All draws are hard ones. Memory does not grow with data or K:
    with the nets of Burda et al. 2016, 35 MB besides the images, which are 31 MB for 10,000 of 28 × 28.

    Raises ReparamError for a task whose value is no log weight.
    """
    require_log_weight(context, "multi_sample_bound")
    return Measured(_readings(context, options, "bound", context.task.program), {})


@register("train_test_gap", required=("samples",), optional=("points", "every"))
def train_test_gap(context: Context, options: Mapping[str, Any]) -> Measured:
    """How much higher the bound of K samples is on training than on test data, in nats per datum: gap_<K>.

    Options as for `multi_sample_bound`. It has a K of its own, since a difference needs all data and few samples, and
    the likelihood many samples.
    """
    require_log_weight(context, "train_test_gap")
    found = _readings(context, {**options, "splits": ("train", "test")}, "bound", context.task.program)
    samples = int(options["samples"])
    return Measured({f"gap_{samples}": found[f"bound_{samples}/train"] - found[f"bound_{samples}/test"]}, {})


@register("relaxed_bound", required=("samples",), optional=("points", "every", "splits"))
def relaxed_bound(context: Context, options: Mapping[str, Any]) -> Measured:
    """The same of the relaxed program that the cell's learner climbs, at its temperatures (Maddison et al. 2017).

    Options as for `multi_sample_bound`. Metrics: relaxed_bound_<K>/<split>.

    Raises ReparamError when the cell's method is not relaxed_bound.
    """
    if not isinstance(context.learner, RelaxedBound):
        raise ReparamError("the measurement relaxed_bound needs relaxed_bound as the cell's method")
    return Measured(_readings(context, options, "relaxed_bound", context.learner.program), {})


def require_log_weight(context: Context, measurement: str) -> None:
    """Raise ReparamError for a task whose value is no log weight."""
    if not context.task.log_weight:
        raise ReparamError(
            f"{measurement} needs a task whose value is a log weight, log p(x, z) − log q(z|x), such as "
            "discrete_vae, or gaussian_vae with kl: sampled"
        )


def _readings(
    context: Context, options: Mapping[str, Any], name: str, program: Callable[[Tensor], Program]
) -> dict[str, float]:
    """The bound of each split, averaged over its data."""
    given, metrics = options["samples"], {}
    for split in options.get("splits", ["test"]):
        x = rows(context, split, options.get("points"))[:: int(options.get("every", 1))]
        for samples in given if isinstance(given, list) else [given]:
            metrics[f"{name}_{samples}/{split}"] = mean_bound(context, program, x, samples, (split,))
    return metrics


def mean_bound(
    context: Context,
    program: Callable[[Tensor], Program],
    x: Tensor,
    samples: int,
    axes: tuple[str | int, ...],
) -> float:
    """The bound averaged over the rows of x [N, D], by the noise of these further axes."""
    found = [
        _bounds(context, program(part), len(part), samples, (*axes, number))
        for number, part in enumerate(x.split(AT_ONCE))
    ]
    return torch.cat(found).mean().item()


def _bounds(
    context: Context, program: Program, data: int, samples: int, axes: tuple[str | int, ...]
) -> Tensor:
    """The bound of each of so many data: [B], in double precision."""
    specs = {name: site.law.noise() for name, site in describe(program, context.params).items()}

    def log_weight(noise: Noise) -> Tensor:
        return run(program, context.params, follow(noise)).value

    total = torch.full((data,), -math.inf, dtype=torch.float64, device=context.device)
    for start in range(0, samples, AT_ONCE):
        count = min(AT_ONCE, samples - start)
        noise = draw_block(specs, (*context.axes, *axes, start), count, context.device)
        values = torch.vmap(log_weight)(noise).double()
        total = torch.logaddexp(total, torch.logsumexp(values, 0))
    return total - math.log(samples)
