"""Closed-form variances on one bit: f(z) = (z − t)², z = 1 with probability p = σ(θ), gradient with respect to θ.

Write q = 1 − p, f₁ = (1 − t)², f₀ = t² and Δ = f₁ − f₀ = 1 − 2t. The score is ∂ log q(z)/∂θ = z − p, and every estimate
below has the mean ∂/∂θ (p f₁ + q f₀) = p q Δ, because ∂p/∂θ = p q. Each variance is E g² − (p q Δ)².

REINFORCE. g = f(z) (z − p) is f₁ q with probability p and −f₀ p with probability q, so E g = p q (f₁ − f₀) and
E g² = p (f₁ q)² + q (f₀ p)² = p q (q f₁² + p f₀²).

RLOO, two samples. g = ½ (f − f′)(z − p) + ½ (f′ − f)(z′ − p) = ½ (f − f′)(z − z′), which is ½ Δ where the bits
differ, with probability 2 p q, and 0 elsewhere: E g = p q Δ and E g² = ½ p q Δ².

ARM. g = (f(z) − f(z̃)) (u − ½) with z = 1[u > q] and z̃ = 1[u < p] (from 1 − u). Let p ≥ ½. Between q and p both bits
are 1 and g = 0; above p it is Δ (u − ½), below q it is −Δ (u − ½), which is the same read from the other side. So
E g = 2 Δ ∫_p^1 (u − ½) du = Δ (¼ − (p − ½)²) = p q Δ and E g² = 2 Δ² ∫_p^1 (u − ½)² du = ⅔ Δ² (⅛ − (p − ½)³). For
p < ½ exchange p and q: |p − ½| in general.

DisARM. g = ½ (f(z) − f(z̃)) (z − z̃) σ(|θ|) = ½ Δ M where the twins differ, with probability 2 m, where
M = max(p, q) = σ(|θ|) and m = min(p, q) = 1 − M: E g = Δ M m = p q Δ and E g² = ½ Δ² M² m = ½ p q Δ² M.

DisARM averages ARM over u given the twins, so its variance is never larger; against RLOO,
Var RLOO − Var DisARM = ½ p q Δ² (1 − M) ≥ 0.

Functions take the probability p and the target t, tensors that broadcast, and return the variance of one estimate (of
two evaluations of f for all but REINFORCE).
"""

from __future__ import annotations

from torch import Tensor


def mean(p: Tensor, t: Tensor) -> Tensor:
    """p q Δ, of every estimator here."""
    return p * (1 - p) * (1 - 2 * t)


def reinforce(p: Tensor, t: Tensor, baseline: float = 0.0) -> Tensor:
    """p q (q f₁² + p f₀²) − (p q Δ)², f being f − b for a constant baseline b."""
    one, zero = (1 - t) ** 2 - baseline, t**2 - baseline
    return p * (1 - p) * ((1 - p) * one**2 + p * zero**2) - mean(p, t) ** 2


def leave_one_out(p: Tensor, t: Tensor) -> Tensor:
    """p q Δ² (½ − p q)."""
    return p * (1 - p) * (1 - 2 * t) ** 2 * (0.5 - p * (1 - p))


def arm(p: Tensor, t: Tensor) -> Tensor:
    """Δ² (1/12 − ⅔ |p − ½|³ − (p q)²)."""
    return (1 - 2 * t) ** 2 * (1 / 12 - 2 / 3 * (p - 0.5).abs() ** 3 - (p * (1 - p)) ** 2)


def disarm(p: Tensor, t: Tensor) -> Tensor:
    """p q Δ² (½ max(p, q) − p q)."""
    larger = 0.5 + (p - 0.5).abs()
    return p * (1 - p) * (1 - 2 * t) ** 2 * (0.5 * larger - p * (1 - p))
