"""The supplement's exact variances, for f = c ξ²/2 and ξ ~ N(μ, s²); arrays broadcast.

App. D.2, with f less its mean where the score is used. What concerns s is not in the paper; with e = (ξ − μ)/s and
u = e² − 1, f − E f = c (μ s e + s² u/2), E e² u² = 10 and E u⁴ = 60.
"""

from __future__ import annotations

from typing import Any


def pathwise_mean(mu: Any, s: Any, c: Any) -> Any:
    """Var[df/dξ] = c² s²."""
    return c**2 * s**2 + 0 * mu


def pathwise_scale(mu: Any, s: Any, c: Any) -> Any:
    """Var[((ξ − μ)/s) df/dξ] = 2 c² s² + μ² c²."""
    return 2 * c**2 * s**2 + mu**2 * c**2


def second_derivative(mu: Any, s: Any, c: Any) -> Any:
    """Var[d²f/dξ²] = 0."""
    return 0 * (mu + s + c)


def score_mean(mu: Any, s: Any, c: Any, others: Any = 0) -> Any:
    """Var[((ξ − μ)/s²)(f − E f)] = 2 c² μ² + (5/2) c² s²; each of `others` equal summands adds Var f / s²."""
    return 2 * c**2 * mu**2 + 2.5 * c**2 * s**2 + others * variance(mu, s, c) / s**2


def score_scale(mu: Any, s: Any, c: Any, others: Any = 0) -> Any:
    """Var[(u/s)(f − E f)] = c² (10 μ² + 14 s²); each of `others` equal summands adds 2 Var f / s²."""
    return c**2 * (10 * mu**2 + 14 * s**2) + others * 2 * variance(mu, s, c) / s**2


def variance(mu: Any, s: Any, c: Any) -> Any:
    """Var f = c² (μ² s² + s⁴/2)."""
    return c**2 * (mu**2 * s**2 + s**4 / 2)


def mean(mu: Any, s: Any, c: Any) -> Any:
    """E f = c (μ² + s²)/2."""
    return c * (mu**2 + s**2) / 2


def ratio(mu: Any, s: Any) -> Any:
    """Of the score's variance for μ to the path's: 5/2 + 2 μ²/s²."""
    return 2.5 + 2 * mu**2 / s**2


def exact(name: str, mu: Any, s: Any, c: Any, others: Any = 0) -> tuple[Any, Any] | None:
    """(∂/∂μ, ∂/∂s) of the library's plain estimator of this name on f less its mean; None where it is not known."""
    if name == "pathwise":
        return pathwise_mean(mu, s, c), pathwise_scale(mu, s, c)
    if name == "score_function":
        return score_mean(mu, s, c, others), score_scale(mu, s, c, others)
    return None
