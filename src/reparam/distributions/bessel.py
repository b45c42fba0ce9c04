"""Modified Bessel functions of the first kind, of any real order ≥ 0, as the normalisers of laws on spheres."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import torch
from torch import Tensor

RAISED, TERMS = 24, 8
"""Debye's expansion is taken at an order higher by 24; its terms up to the 8th leave a relative error of 2e-14."""


@cache
def _debye(terms: int) -> tuple[tuple[float, ...], ...]:
    """The coefficients, constant first, of U_0 … U_terms of Debye's expansion (DLMF 10.41.9).

    U_{k+1}(p) = ½ p² (1 − p²) U_k'(p) + ⅛ ∫₀ᵖ (1 − 5 t²) U_k(t) dt. U_k has no power below p^k.
    """
    polynomials = [[Fraction(1)]]
    for _ in range(terms):
        last = polynomials[-1]
        following = [Fraction(0)] * (len(last) + 3)
        for i, c in enumerate(last):
            following[i + 1] += c * i / 2 + c / (8 * (i + 1))
            following[i + 3] -= c * i / 2 + 5 * c / (8 * (i + 3))
        polynomials.append(following)
    return tuple(tuple(map(float, p)) for p in polynomials)


def _series(order: float, p: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Σ_k U_k(p) / order^k, and its first two derivatives in p."""
    polynomials = _debye(TERMS)
    degree = len(polynomials[-1])
    coefficients = [
        sum(u[i] / order**k for k, u in enumerate(polynomials) if i < len(u)) for i in range(degree)
    ]
    value, slope, half_bend = torch.zeros_like(p), torch.zeros_like(p), torch.zeros_like(p)
    for c in reversed(coefficients):
        value, slope, half_bend = value * p + c, slope * p + value, half_bend * p + slope
    return value, slope, 2 * half_bend


def log_bessel(order: float, x: Tensor) -> tuple[Tensor, Tensor]:
    """(log of Γ(ν + 1) (2/x)^ν I_ν(x), its derivative I_{ν+1}(x) / I_ν(x)) for ν = `order` ≥ 0, entry by entry, x ≥ 0.

    The function is E[exp(x t)] for t a coordinate of a uniform point on the sphere in 2 ν + 2 dimensions: 1 at x = 0.
    Both can be differentiated. From Debye's expansion at the order ν + 24, which is uniform in x, by the recurrence
    downwards, which is stable: ρ_j = I_{j+1}(x) / (x I_j(x)) = 1 / (2 (j + 1) + x² ρ_{j+1}) (DLMF 10.41.3, 10.29.1).
    Everything is a difference to x = 0, in double precision, so small x lose nothing.
    """
    given, x = x.dtype, x.double()
    square, raised = x.square(), order + RAISED
    s = torch.sqrt(raised**2 + square)
    excess = square / (s + raised)  # s − raised
    value, slope, _ = _series(raised, raised / s)
    at_zero, _, _ = _series(raised, torch.ones_like(s))
    log_value = excess - raised * torch.log1p(excess / (2 * raised)) - 0.5 * torch.log1p(excess / raised)
    log_value = log_value + value.log() - at_zero.log()
    ratio = 1 / (raised + s) - 0.5 / s.square() - raised / s**3 * slope / value
    for step in reversed(range(RAISED)):
        double = 2 * (order + step + 1)
        log_value = log_value + torch.log1p(square * ratio / double)
        ratio = 1 / (double + square * ratio)
    return log_value.to(given), (x * ratio).to(given)


def ratio_slope(order: float, x: Tensor) -> Tensor:
    """The derivative of A(x) = I_{ν+1}(x) / I_ν(x) for ν = `order` ≥ 0, x ≥ 0: the variance of t under ∝ e^{x t}.

    Not as 1 − (2 ν + 1) A / x − A², of which nothing is left at large x: from the derivative of Debye's expansion, by
    that of the recurrence of `log_bessel`, A_j' = A_j² (2 (j + 1) / x² − A_{j+1}'). In double precision.
    """
    given, x = x.dtype, x.double()
    square, raised = x.square(), order + RAISED
    s = torch.sqrt(raised**2 + square)
    value, slope, bend = _series(raised, raised / s)
    first, second = slope / value, bend / value - (slope / value).square()  # of the series' logarithm
    ratio = 1 / (raised + s) - 0.5 / s.square() - raised / s**3 * first
    spread = raised / (s * (s + raised)) + (square - raised**2) / (2 * s**4)
    spread = spread - raised * (raised**2 - 2 * square) / s**5 * first + raised**2 * square / s**6 * second
    for step in reversed(range(RAISED)):
        double = 2 * (order + step + 1)
        ratio = 1 / (double + square * ratio)
        spread = ratio.square() * (double - square * spread)
    return spread.to(given)


def slack(concentration: Tensor, dimension: int) -> Tensor:
    """κ − log E[e^{κ t}], t a coordinate of a uniform point on the sphere in m dimensions, in double precision."""
    kappa = concentration.double()
    return (kappa - log_bessel(dimension / 2 - 1, kappa)[0]).to(concentration.dtype)
