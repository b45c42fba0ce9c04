"""The statistics of claims: pure functions on arrays whose last axis holds the seeds.

Every kind of claim comes down to one number per seed and a bound on its mean: an ordering is the paired
difference against its margin, a value the number itself, a slope the per-seed slope, a ratio the paired
difference of logarithms. All tests are one-sample Student t tests at level `ALPHA`, one-sided; their
false-alarm rate at the bound is ALPHA (for normal data). Equivalence is TOST (Schuirmann 1987): both
one-sided tests must reject.

The *effect* is the slack: how far the mean lies on the claim's side of the bound, in the claim's unit
(natural log units for ratios). `p_for` tests "the claim is false", `p_against` tests "the claim is true":
not being significant one way is never read as the other.
"""

from __future__ import annotations

import bisect
import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

ALPHA = 0.05
POWER = 0.8
MOST_SEEDS = 10_000

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Finding:
    """What a comparison shows. Fields have the shape of the input without its last axis.

    estimate, estimate_low, estimate_high: mean over seeds and its 95 % t interval
    effect, low, high: the slack and its 95 % interval; positive supports the claim
    sd, n: standard deviation over seeds (ddof 1) and number of seeds
    p_for, p_against: NaN where no test is possible (a NaN among the numbers, a single seed)
    """

    estimate: Any
    estimate_low: Any
    estimate_high: Any
    effect: Any
    low: Any
    high: Any
    sd: Any
    n: int
    p_for: Any
    p_against: Any


def at_least(numbers: ArrayLike, bound: float, size: ArrayLike = 0.0) -> Finding:
    """Mean > bound?

    size: magnitude of what the numbers were computed from; a difference from the bound within a few units of
    its rounding is a tie.
    """
    y = _snapped(numbers, bound, size)
    mean, low, high, sd = _interval(y)
    return Finding(
        mean + bound, low + bound, high + bound, mean, low, high, sd, y.shape[-1], _greater(y), _greater(-y)
    )


def at_most(numbers: ArrayLike, bound: float, size: ArrayLike = 0.0) -> Finding:
    """Mean < bound?"""
    mirror = at_least(-np.asarray(numbers, dtype=np.float64), -bound, size)
    return Finding(
        -mirror.estimate,
        -mirror.estimate_high,
        -mirror.estimate_low,
        mirror.effect,
        mirror.low,
        mirror.high,
        mirror.sd,
        mirror.n,
        mirror.p_for,
        mirror.p_against,
    )


def within(numbers: ArrayLike, target: float, margin: float, size: ArrayLike = 0.0) -> Finding:
    """|mean − target| < margin? For: TOST. Against: twice the smaller p of lying outside."""
    above = at_least(numbers, target - margin, size)
    below = at_most(numbers, target + margin, size)
    deviation_low, deviation_high = above.estimate_low - target, above.estimate_high - target
    nearest = np.maximum(np.maximum(deviation_low, -deviation_high), 0.0)
    farthest = np.maximum(np.abs(deviation_low), np.abs(deviation_high))
    return Finding(
        above.estimate,
        above.estimate_low,
        above.estimate_high,
        np.minimum(above.effect, below.effect),
        margin - farthest,
        margin - nearest,
        above.sd,
        above.n,
        np.maximum(above.p_for, below.p_for),
        np.minimum(1.0, 2 * np.minimum(above.p_against, below.p_against)),
    )


def identity(numbers: ArrayLike, target: float, tolerance: float) -> Finding:
    """max |number − target| ≤ tolerance, with no test: p is 0 for what was seen, else 1; NaN fails."""
    y = np.asarray(numbers, dtype=np.float64)
    return _worst(y, tolerance - np.abs(y - target))


def exactly_at_least(numbers: ArrayLike, bound: float) -> Finding:
    """min number ≥ bound, with no test: for numbers that carry no noise; NaN fails."""
    y = np.asarray(numbers, dtype=np.float64)
    return _worst(y, y - bound)


def exactly_at_most(numbers: ArrayLike, bound: float) -> Finding:
    """max number ≤ bound, with no test: for numbers that carry no noise; NaN fails."""
    y = np.asarray(numbers, dtype=np.float64)
    return _worst(y, bound - y)


def _worst(y: Numbers, slack: Numbers) -> Finding:
    """What the number with the least slack says."""
    worst = np.argmin(np.where(np.isnan(slack), -np.inf, slack))
    holds, left = bool(slack[worst] >= 0), slack[worst]
    return Finding(
        y[worst], y.min(), y.max(), left, left, left, _sd(y), y.size, float(not holds), float(holds)
    )


def slopes(x: ArrayLike, y: ArrayLike) -> Numbers:
    """Least-squares slope of y against x for each seed. x, y: [seeds, points] → [seeds]."""
    x, y = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    dx = x - x.mean(-1, keepdims=True)
    return (dx * (y - y.mean(-1, keepdims=True))).sum(-1) / (dx**2).sum(-1)


def power(n: int, effect: float, sd: float, alpha: float = ALPHA) -> float:
    """Power of the one-sided t test with n seeds, the true mean `effect` beyond the bound (noncentral t)."""
    if n < 2 or not effect > 0:
        return 0.0
    if sd == 0:
        return 1.0
    return float(stats.nct.sf(_critical(n, alpha), n - 1, effect / sd * math.sqrt(n)))


@cache
def _critical(n: int, alpha: float) -> float:
    """What a t of n seeds must exceed; the same few are asked for again and again."""
    return float(stats.t.isf(alpha, n - 1))


def seeds_needed(finding: Finding, margin: float | None = None, alpha: float = ALPHA) -> int | None:
    """Smallest n with 80 % power at the effect and spread seen; None above `MOST_SEEDS` or unknown.

    A negative effect asks for the power to contradict. `margin`: half-width of an equivalence rule, whose
    power is bounded below by (power at the near side) + (power at the far side) − 1.
    """
    effect, sd = float(finding.effect), float(finding.sd)
    if not (math.isfinite(effect) and math.isfinite(sd)) or effect == 0:
        return None

    def enough(n: int) -> bool:
        if margin is None:
            return power(n, abs(effect), sd, alpha) >= POWER
        if effect < 0:
            return power(n, -effect, sd, alpha / 2) >= POWER
        return power(n, effect, sd, alpha) + power(n, 2 * margin - effect, sd, alpha) - 1 >= POWER

    n = bisect.bisect_left(range(MOST_SEEDS + 1), True, key=enough)
    return n if n <= MOST_SEEDS else None


def _snapped(numbers: ArrayLike, bound: float, size: ArrayLike) -> Numbers:
    """numbers − bound, with differences that are only rounding set to exactly 0."""
    y = np.asarray(numbers, dtype=np.float64)
    slack = y - bound
    rounding = 8 * np.finfo(np.float64).eps * np.maximum(np.maximum(np.abs(y), abs(bound)), np.asarray(size))
    return np.where(np.isfinite(y) & (np.abs(slack) <= rounding), 0.0, slack)


def _sd(y: Numbers) -> Any:
    """Standard deviation: NaN for one seed or a number that is not finite, exactly 0 for equal numbers."""
    if y.shape[-1] < 2:
        return np.full(y.shape[:-1], np.nan)[()]
    with np.errstate(invalid="ignore"):
        sd = y.std(-1, ddof=1)
        flat = np.isfinite(y).all(-1) & (np.ptp(y, -1) <= 8 * np.finfo(np.float64).eps * np.abs(y).max(-1))
    return np.where(flat, 0.0, sd)[()]


def _interval(y: Numbers) -> tuple[Any, Any, Any, Any]:
    """Mean, 95 % t interval and sd. Infinite numbers have an order but no size: median, and no interval."""
    n = y.shape[-1]
    sd = _sd(y)
    with np.errstate(invalid="ignore"):
        mean = np.where(np.isinf(y).any(-1), np.median(y, -1), y.mean(-1))[()]
    half = sd * stats.t.isf(ALPHA / 2, n - 1) / math.sqrt(n) if n > 1 else sd
    return mean, mean - half, mean + half, sd


def _greater(y: Numbers) -> Any:
    """p of H0: mean ≤ 0, along the last axis.

    Equal numbers are decided exactly (p 0 above zero, 1 at or below). With infinite ones (a level never
    reached) the exact sign test takes over, ties counting against. NaN anywhere, or one seed: no test, p is
    NaN.
    """
    n = y.shape[-1]
    if n < 2:
        return np.full(y.shape[:-1], np.nan)[()]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean, sd = y.mean(-1), _sd(y)
        t = stats.t.sf(mean / sd * math.sqrt(n), n - 1)
        exact = np.where(mean > 0, 0.0, 1.0)
    sign = stats.binom.sf((y > 0).sum(-1) - 1, n, 0.5)
    p = np.where(np.isinf(y).any(-1), sign, np.where(sd == 0, exact, t))
    return np.where(np.isnan(y).any(-1), np.nan, p)[()]
