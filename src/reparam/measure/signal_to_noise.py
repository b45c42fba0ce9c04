"""Signal-to-noise ratios of gradients of a sum over independent data, from few draws of many data.

With a copy of the parameters for each datum a gradient comes by datum; the data's noises are independent, so that the
variance of the sum is the sum of the data's variances, and a few draws of many data are many degrees of freedom.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from reparam.engine.gradient import estimate_gradient
from reparam.estimators import Estimator
from reparam.noise import Noise, draw_block
from reparam.program import Params, Program, describe

AT_ONCE = 2**19
"""Numbers of noise that are drawn and used at once, roughly."""


class SumOverData(NamedTuple):
    """Of the gradient of the sum over data, per entry of a parameter [D]."""

    mean: Tensor
    variance: Tensor


class Draws(NamedTuple):
    """Single estimates, one after another."""

    gradient: dict[str, Tensor]
    """By parameter, [draws, …]."""
    value: Tensor
    """Readings of the objective, [draws, *plate]."""


def estimates(
    estimator: Estimator, program: Program, params: Params, draws: int, axes: tuple[str | int, ...]
) -> Draws:
    """`draws` estimates, with noise from streams named by `axes`: estimators with the same sites and samples meet the
    same noise."""
    specs = estimator.noise(describe(program, params))
    numbers = sum(math.prod(s.shape) * (s.copies or 1) for roles in specs.values() for s in roles.values())
    size = max(1, AT_ONCE // numbers)
    kind = next(iter(params.values())).dtype

    def one(noise: Noise) -> Draws:
        found = estimate_gradient(estimator, program, params, noise)
        return Draws(found.gradient, found.value)

    parts = []
    for first in range(0, draws, size):
        noise = draw_block(specs, (*axes, first), min(size, draws - first), dtype=kind)
        with torch.no_grad():
            parts.append(torch.vmap(one)(noise))
    joined: Draws = tree_map(lambda *stack: torch.cat(stack), *parts)
    return joined


def sum_over_data(gradients: Tensor) -> SumOverData:
    """Mean and variance of the sum over data, of gradients [draws, N, D] whose data are independent."""
    gradients = gradients.double()
    return SumOverData(gradients.sum(1).mean(0), gradients.var(0).sum(0))


def ratio(signal: Tensor, found: SumOverData) -> float:
    """|signal| / standard deviation, averaged over the entries of a parameter.

    The signal is a mean: that of `found` itself has a floor of about √(2 / (π draws)), below which no ratio is seen, so
    a mean of less variance with the same expectation should stand in where the ratio is small.
    """
    return (signal.abs() / found.variance.sqrt()).mean().item()


def rate(x: Sequence[float], y: Sequence[float], least: float) -> float:
    """Least-squares slope of ln y against ln x, over the points with x ≥ `least`."""
    counts, found = np.asarray(x, dtype=float), np.asarray(y, dtype=float)
    kept = counts >= least
    return float(np.polyfit(np.log(counts[kept]), np.log(found[kept]), 1)[0])
