"""Elementary functions that stay finite, in value and derivative, at the ends of a dtype's range."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def exp_in_range(x: Tensor) -> Tensor:
    """e^x, but no larger and no smaller than the dtype holds as a normal number with room to spare (a factor 1/ε).

    A sample beyond is replaced by the last number in range, with derivative 0: it is neither 0 nor infinite,
    and its log density is finite.
    """
    info = torch.finfo(x.dtype)
    return x.clamp(math.log(info.tiny / info.eps), math.log(info.max * info.eps)).exp()


def times_exp(scale: Tensor, x: Tensor) -> Tensor:
    """scale · e^x for positive `scale`, in range as `exp_in_range` is; to the last digit where |x| < 1."""
    near = scale * x.clamp(-1, 1).exp()
    return torch.where(x.abs() < 1, near, exp_in_range(x + scale.log()))


def log_ratio(z: Tensor, scale: Tensor) -> Tensor:
    """log(z / scale) of positive numbers, exact where they are close to one another."""
    excess = (z - scale) / scale
    near = torch.log1p(excess.clamp(-0.5, 0.5))
    return torch.where(excess.abs() < 0.5, near, z.log() - scale.log())


def log1mexp(x: Tensor) -> Tensor:
    """log(1 − e^x) for x < 0, accurate at both ends (Mächler 2012)."""
    near = torch.log(-torch.expm1(x.clamp(-math.log(2), -torch.finfo(x.dtype).tiny)))
    far = torch.log1p(-torch.exp(x.clamp(max=-math.log(2))))
    return torch.where(x > -math.log(2), near, far)


def at_edge(power: Tensor, log_height: Tensor) -> Tensor:
    """The limit of a log density at an edge of the support, from inside: it is log_height + power · log(distance)
    there, so ∞, `log_height` or −∞ for a power below, equal to or above 0. Constant in the power."""
    return torch.where(power < 0, torch.inf, torch.where(power > 0, -torch.inf, log_height))


def normal_cdf(x: Tensor) -> Tensor:
    """The CDF of the standard normal law, exact in the lower tail, where torch.special.ndtr is not."""
    return 0.5 * torch.erfc(-math.sqrt(0.5) * x)


def normal_quantile(below: Tensor, above: Tensor) -> Tensor:
    """The quantile of the standard normal law where the logarithms of its tails are `below` and `above`."""
    nearer = torch.special.ndtri(torch.minimum(below, above).exp())
    return torch.where(below < above, nearer, -nearer)


def expm1_minus(x: Tensor) -> Tensor:
    """e^x − 1 − x."""
    return torch.expm1(x) - x


_ASYMPTOTIC = 8.0
"""From here on the series for large arguments have all digits of float64."""


def log_gamma_excess(a: Tensor) -> Tensor:
    """log Γ(1 + a) − a log a + a: the logarithm of Γ(1 + a) over (a/e)^a, without their cancellation for large a."""
    below = a < _ASYMPTOTIC
    small, large = (
        torch.where(below, a, 1.0),
        torch.where(below, _ASYMPTOTIC, a),
    )  # a clamp has no slope at its end
    near = torch.lgamma(1 + small) - small * small.log() + small
    terms = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188, -691 / 360360, 1 / 156)
    far = 0.5 * torch.log(2 * math.pi * large) + large * _even_series(1 / large, terms)
    return torch.where(below, near, far)


def digamma_deficit(a: Tensor) -> Tensor:
    """log a − ψ(a), without cancellation for large a: the series at a + 8, and ψ(a) = ψ(a + 1) − 1 / a.

    (The derivative of torch.digamma has nine digits.)
    """
    steps = torch.arange(8, dtype=a.dtype, device=a.device).reshape(-1, *(1,) * a.ndim)
    return digamma_series(a + 8) - torch.log1p(8 / a) + (1 / (a + steps)).sum(0)


def digamma_series(a: Tensor) -> Tensor:
    """log a − ψ(a) for a ≥ 6, by its asymptotic series (Abramowitz & Stegun 6.3.18)."""
    terms = (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12)
    return 0.5 / a + _even_series(1 / a, terms)


def _even_series(x: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    """Σ c_k x^2k, k from 1."""
    square = x * x
    total = torch.zeros_like(square)
    for coefficient in reversed(coefficients):
        total = square * (coefficient + total)
    return total
