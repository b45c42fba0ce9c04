"""Exact variances of S-sample score-function gradients for two diagonal Gaussians, q = N(μ, σ²) and a target N(0, 1).

f = log p − log q is a sum over coordinates, so what a coordinate's gradient sees of the others is one Gaussian-free
number, the variance of their sum. In the standardised variable e everything is a polynomial of degree at most 8, for
which 12 points of Gauss–Hermite quadrature are exact.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


class Exact(NamedTuple):
    """For all 2 D parameters (D means, D log scales), in the order of `Gaussians.scores`."""

    expectation: float
    """E f = −KL(q ‖ p), in nats: what VarGrad subtracts, on average."""
    best: Array
    """The optimal control-variate coefficients cov(f score, score) / var(score), [2 D]."""
    oracle: Array
    """Variance of one sample with them, [2 D]."""
    mean_baseline: Array
    """Variance of one sample with E f in their place, [2 D]."""
    none: Array
    """Variance of one sample with neither, [2 D]."""
    pairs: Array
    """var f · var score + (E f score)², [2 D]: what two samples share when each is the other's baseline."""


def exact(mean: Array, log_scale: Array) -> Exact:
    """Of q with these parameters [D]."""
    e, weights = np.polynomial.hermite_e.hermegauss(12)
    mass = weights / weights.sum()
    scale = np.exp(log_scale)[:, None]
    z = mean[:, None] + scale * e
    f = -0.5 * z**2 + 0.5 * e**2 + log_scale[:, None]
    middle = f @ mass
    own = f - middle[:, None]
    spread = (own**2) @ mass
    others = spread.sum() - spread
    found = []
    for score in (e / scale, e**2 - 1 + 0 * scale):
        square = (score**2) @ mass
        slope = (own * score) @ mass
        shift = (own * score**2) @ mass / square
        at_mean = (own**2 * score**2) @ mass + others * square - slope**2
        pairs = spread.sum() * square + slope**2
        found.append((shift, square, at_mean, pairs))
    shift, square, at_mean, pairs = (np.concatenate(parts) for parts in zip(*found, strict=True))
    total = float(middle.sum())
    # (f − E f − a) score: the variance is a parabola in a, with its vertex at `shift` and the curvature of the score's.
    oracle = at_mean - shift**2 * square
    return Exact(total, total + shift, oracle, at_mean, oracle + (total + shift) ** 2 * square, pairs)


def leave_one_out(found: Exact, samples: int) -> Array:
    """Variance of the S-sample estimate with the mean of the others as baseline, [2 D]."""
    return found.mean_baseline / samples + found.pairs / (samples * (samples - 1))
