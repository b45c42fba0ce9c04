"""Means against exact answers: a z-test per coordinate, of a stated level and a stated power.

Each number is tested at LEVEL, two-sided, so that a run of the whole suite, of at most FAMILY / LEVEL = 200,000
numbers, fails right estimators with probability at most FAMILY (Bonferroni; normal theory of the mean). Beside its
coordinates, each group of them (a parameter tensor) is tested in one more number: the mean's projection on the exact
gradient, each coordinate weighted by its precision, which sees a common factor that no coordinate shows.

The power against a group that is SHRINK too small follows from the same theory: with standard error s, tolerance t and
exact number g a test fails with probability Φ((|SHRINK g| − t) / s) + Φ((−|SHRINK g| − t) / s). A group's power is at
least the largest of its numbers'; the power of a check is that of its weakest group.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from statistics import NormalDist
from typing import NamedTuple

import torch
from torch import Tensor

FAMILY = 1e-3
LEVEL = 5e-9
BOUND = NormalDist().inv_cdf(1 - LEVEL / 2)
"""In standard errors: 5.85."""
SHRINK = 0.05
POWER = 0.95
"""What is aimed at."""
ROUNDING = 1e-5
"""Of estimates in single precision, relative to 1 + |exact|."""
_AIM = BOUND + NormalDist().inv_cdf(POWER)
_TINY = 1e-30


class Comparison(NamedTuple):
    """Of all numbers of one check."""

    z: float
    """The largest |mean − exact|, in standard errors to which the rounding is added; the bound is BOUND."""
    power: float
    tests: int
    needed: float
    """Draws after which the power would be POWER."""


def compare(draws: Mapping[str, Tensor], exact: Mapping[str, Tensor]) -> Comparison:
    """Test the means of `draws` {group: [draws, …]} against `exact` {group: […]}; one draw has no variance."""
    sizes = torch.tensor([truth.numel() for truth in exact.values()])
    groups = torch.repeat_interleave(torch.arange(len(sizes)), sizes)
    numbers = torch.cat([draws[name].reshape(len(draws[name]), -1) for name in exact], dim=1).double()
    truth = torch.cat([entry.flatten() for entry in exact.values()]).double()
    rounding = ROUNDING * (1 + truth.abs())

    precision = (_standard_error(numbers) + rounding / BOUND).square().reciprocal()
    share = precision * truth.square()
    total = torch.zeros(len(sizes), dtype=share.dtype).index_add(0, groups, share)
    weights = torch.zeros(len(truth), len(sizes), dtype=share.dtype)
    weights[torch.arange(len(truth)), groups] = precision * truth / total[groups]
    weights = weights[:, total > 0]
    numbers = torch.cat([numbers, numbers @ weights], dim=1)
    rounding = torch.cat([rounding, rounding @ weights.abs()])
    groups = torch.cat([groups, torch.arange(len(sizes))[total > 0]])
    truth = torch.cat([truth, truth @ weights])

    error = _standard_error(numbers)
    z = ((numbers.mean(0) - truth).abs() / (error + rounding / BOUND)).nan_to_num(math.inf).max()
    shift, tolerance = SHRINK * truth.abs(), BOUND * error + rounding
    power = torch.special.ndtr((shift - tolerance) / error) + torch.special.ndtr((-shift - tolerance) / error)
    needed = len(numbers) * (_AIM * error / (shift - rounding).clamp_min(_TINY)).square()
    power, needed = power.nan_to_num(0.0), needed.nan_to_num(math.inf)
    return Comparison(
        z=z.item(),
        power=min(power[groups == i].max().item() for i in range(len(sizes))),
        tests=len(truth),
        needed=max(needed[groups == i].min().item() for i in range(len(sizes))),
    )


def _standard_error(numbers: Tensor) -> Tensor:
    """Of the mean; positive, so that draws without variance are a limit and no special case."""
    draws = len(numbers)
    return (numbers.std(0) / draws**0.5 if draws > 1 else torch.zeros_like(numbers[0])) + _TINY
