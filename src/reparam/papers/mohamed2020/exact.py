"""Exact variances of one gradient estimate of E f(x; k), x ~ N(μ, σ²): by quadrature, and closed forms for (x − k)².

Gauss–Legendre in the standardised variable e = (x − μ)/σ, which converges exponentially for these costs. All arrays
are [K], one number per k, in pairs (∂/∂μ, ∂/∂σ).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from reparam.papers.mohamed2020.costs import MEAN, SCALE, Array, Cost

EDGE = 11.0
"""Where the standard normal density, times what grows with e, has ended: e⁻⁶⁰."""
NODES = 480
"""Points over [−EDGE, EDGE]: an even number, so that 0 is none of them."""


@cache
def _legendre() -> tuple[Array, Array]:
    points, weights = np.polynomial.legendre.leggauss(NODES)
    return points, weights


class Pair(NamedTuple):
    """One number per k for each of the two parameters."""

    mean: Array
    scale: Array


class Gaussian:
    """E over e ~ N(0, 1) for one cost at many k, and all that is made of it."""

    def __init__(self, cost: Cost, k: Array, mean: float = MEAN, scale: float = SCALE) -> None:
        self.cost, self.k, self.mean, self.scale = cost, k[:, None], mean, scale
        points, weights = _legendre()
        self.e = EDGE * points
        self.mass = EDGE * weights * np.exp(-(self.e**2) / 2) / np.sqrt(2 * np.pi)
        x = mean + scale * self.e
        self.f, self.slope = cost.f(x, self.k), cost.slope(x, self.k)
        self.score = Pair(self.e / scale, (self.e**2 - 1) / scale)

    def expect(self, values: Array) -> Array:
        """E of values [K, nodes]: [K]."""
        return np.asarray(values @ self.mass)

    def variance(self, values: Array) -> Array:
        return self.expect(values**2) - self.expect(values) ** 2

    def gradient(self) -> Pair:
        """∂ E f."""
        return Pair(*(self.expect(self.f * score) for score in self.score))

    def optimal(self) -> Pair:
        """The optimal baselines cov(score, f score) / var(score) (Eq. 65)."""
        return Pair(*(self.expect(self.f * s**2) / (s**2 @ self.mass) for s in self.score))

    def score_function(self, baseline: Pair) -> Pair:
        """Of (f − b) score, with a number b per parameter and k."""
        pairs = zip(baseline, self.score, strict=True)
        return Pair(*(self.variance((self.f - b[:, None]) * s) for b, s in pairs))

    def no_baseline(self) -> Pair:
        return self.score_function(Pair(0 * self.k[:, 0], 0 * self.k[:, 0]))

    def mean_baseline(self, fresh: int | None = None) -> Pair:
        """With b = E f, or its mean over `fresh` samples of their own."""
        mean = self.expect(self.f)
        exact = self.score_function(Pair(mean, mean))
        if fresh is None:
            return exact
        spread = self.variance(self.f) / fresh
        return Pair(*(v + spread * float(s**2 @ self.mass) for v, s in zip(exact, self.score, strict=True)))

    def leave_one_out(self, samples: int) -> Pair:
        """Of 1/S Σ (f_i − mean of the others) score_i: with h = f − E f the pairs h_j score_i add, to the variance
        of h score over S, (var f · var score + (E h score)²) / (S (S − 1))."""
        spread, found = self.variance(self.f), []
        for own, score, slope in zip(self.mean_baseline(), self.score, self.gradient(), strict=True):
            pairs = spread * float(score**2 @ self.mass) + slope**2
            found.append(own / samples + pairs / (samples * (samples - 1)))
        return Pair(*found)

    def pathwise(self) -> Pair:
        """Of f′(x) and f′(x) e."""
        return Pair(self.variance(self.slope), self.variance(self.slope * self.e))

    def measure_valued(self, coupled: bool) -> Pair:
        """Of [f(μ + σ r) − f(μ − σ r′)] / (σ √(2π)), r′ = r where coupled, and [f(μ + σ m) − f(μ + σ n)] / σ, n = m u
        where coupled."""
        points, weights = _legendre()
        r = EDGE * (points + 1) / 2
        rayleigh = EDGE / 2 * weights * r * np.exp(-(r**2) / 2)
        sides = [self.cost.f(self.mean + sign * self.scale * r, self.k) for sign in (1, -1)]
        first = [side @ rayleigh for side in sides]
        second = sum((side**2 @ rayleigh) - m**2 for side, m in zip(sides, first, strict=True))
        if coupled:
            second = second - 2 * ((sides[0] * sides[1]) @ rayleigh - first[0] * first[1])
        by_mean = second / (2 * np.pi * self.scale**2)

        maxwell = self.mass * self.e**2
        up = (self.f**2 @ maxwell) - (self.f @ maxwell) ** 2
        both = up + self.variance(self.f)
        if coupled:  # E[f(μ + σ m u) | m] over the uniform u is a difference quotient of f's integral
            step = self.scale * self.e
            rise = self.cost.integral(self.mean + step, self.k) - self.cost.integral(self.mean, self.k)
            inside = rise / step
            shared = (self.f * inside) @ maxwell - (self.f @ maxwell) * self.expect(self.f)
            both = both - 2 * shared
        return Pair(by_mean, both / self.scale**2)

    def of(self, method: Mapping[str, Any]) -> Pair | None:
        """Of the library's estimator {name, options}; None where it is not known here.

        With an optimal baseline it is that of the best constants, which the estimator's own, found at fresh samples,
        only approach.
        """
        name, options = method["name"], method["options"]
        samples = options.get("samples", 1)
        if name == "pathwise":
            found = self.pathwise()
        elif name == "measure_valued":
            found = self.measure_valued(options.get("coupled", True))
        elif name == "score_function":
            baseline = options.get("baseline", "none")
            if baseline == "leave_one_out":
                return self.leave_one_out(samples)
            if baseline == "none":
                found = self.no_baseline()
            elif baseline == "mean":
                if samples > 1:
                    return None
                found = self.mean_baseline(options.get("fresh", 25))
            elif baseline == "optimal":
                found = self.score_function(self.optimal())
            else:
                return None
        else:
            return None
        return Pair(*(variance / samples for variance in found))


def quadratic(k: Array, mean: float = MEAN, scale: float = SCALE) -> dict[str, Pair]:
    """Closed forms for f = (x − k)², with D = μ − k: {curve: (∂/∂μ, ∂/∂σ)}; the measure-valued ones for σ = 1 only."""
    d2, s2 = (mean - k) ** 2, scale**2 + 0 * k
    found = {
        "score_function": Pair(d2**2 / s2 + 14 * d2 + 15 * s2, 2 * d2**2 / s2 + 60 * d2 + 74 * s2),
        "score_function_mean": Pair(8 * d2 + 10 * s2, 40 * d2 + 56 * s2),
        "score_function_optimal": Pair(8 * d2 + 6 * s2, 40 * d2 + 24 * s2),
        "pathwise": Pair(4 * s2, 4 * d2 + 8 * s2),
    }
    if scale == 1:
        found["measure_valued"] = Pair((16 / np.pi - 4) * d2, 4 * d2 + 4)
        found["measure_valued_independent"] = Pair(4 / np.pi + (8 / np.pi - 2) * d2, 16 * d2 + 8)
    return found


CURVES: dict[str, Callable[[Gaussian], Pair]] = {
    "score_function": Gaussian.no_baseline,
    "score_function_mean": Gaussian.mean_baseline,
    "score_function_optimal": lambda at: at.score_function(at.optimal()),
    "pathwise": Gaussian.pathwise,
    "measure_valued": lambda at: at.measure_valued(coupled=True),
    "measure_valued_independent": lambda at: at.measure_valued(coupled=False),
}
"""What the paper's notebook computes, and the measure-valued estimator with independent sides."""


def curves(cost: Cost, k: Array) -> dict[str, Pair]:
    """All curves by quadrature."""
    at = Gaussian(cost, k)
    return {name: curve(at) for name, curve in CURVES.items()}
