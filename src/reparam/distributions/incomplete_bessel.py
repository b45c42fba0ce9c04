"""The angle t ∈ [0, π] of a von Mises variable from its mode: the normaliser, tails, quantiles and dt/dκ.

With the density p of the angle, the mass between t and π is p(t) S, S = ∫ e^κ(cos s − cos t) ds from t to π, and that
between 0 and t the same from 0 to t. From dt/dκ = −(∂F/∂κ) / p (Figurnov et al. 2018, arXiv:1805.08498) follows
dt/dκ = ∓∫ e^κ(cos s − cos t) (cos s − A) ds with A = E[cos s]: over [0, t] where cos t ≥ A and over [t, π] elsewhere,
all terms have one sign. One rule serves every κ, and 1 − A is never found by a difference.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from reparam.distributions.implicit import attach, refine
from reparam.distributions.quadrature import rule


def normaliser(kappa: Tensor) -> tuple[Tensor, Tensor]:
    """(∫₀^π e^κ(cos s − 1) ds, 1 − A)."""
    quadrature = rule(kappa.dtype)
    reach = _end(torch.zeros_like(kappa), kappa.detach(), quadrature.depth)
    versine = _versine(quadrature.spread(reach))
    falling = quadrature.weigh(torch.exp(-kappa * versine))
    mass = falling.sum(0)
    return reach * mass, (falling * versine).sum(0) / mass


def mass(t: Tensor, kappa: Tensor) -> tuple[Tensor, Tensor]:
    """(whether it is the mass between ±t, else that beyond; the mass)."""
    total, gap = normaliser(kappa)
    inner, S, _ = _integrals(t, kappa, gap)
    return inner, S * torch.exp(-kappa * _versine(t)) / total


def velocity(t: Tensor, kappa: Tensor) -> tuple[Tensor]:
    """(dt/dκ,) at constant probability."""
    _, gap = normaliser(kappa)
    inner, S, versine = _integrals(t, kappa, gap)
    return (torch.where(inner, versine - gap * S, gap * S - versine),)


def quantile(within: Tensor, beyond: Tensor, kappa: Tensor) -> Tensor:
    """t where the masses between ±t and beyond are `within` and `beyond`, with its derivative in κ.

    By Halley's method on the mass within or the logarithm of that beyond; all digits for κ from 1e-6 to 1e6 and every
    uniform that is ever drawn.
    """
    within, beyond, constant = within.detach(), beyond.detach(), kappa.detach()
    t = refine(_halley, _start(within, beyond, constant), constant, within, beyond)
    return attach(velocity, t, kappa)


def _versine(s: Tensor) -> Tensor:
    """1 − cos s."""
    return 2 * torch.sin(s / 2).square()


def _end(t: Tensor, kappa: Tensor, depth: float) -> Tensor:
    """Where e^κ cos s has fallen from its value at t by `depth` in the exponent, or π."""
    return 2 * torch.asin((torch.sin(t / 2).square() + depth / (2 * kappa)).clamp(max=1).sqrt())


def _integrals(t: Tensor, kappa: Tensor, gap: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(whether over [0, t], else from t on; ∫ e^κ(cos s − cos t) ds; the same with the factor 1 − cos s)."""
    quadrature = rule(t.dtype)
    inner = _versine(t) <= gap
    start = torch.where(inner, 0.0, t)
    # The outer end is a constant, the inner one moves with t.
    width = torch.where(inner, t, (_end(t.detach(), kappa.detach(), quadrature.depth) - t).clamp(min=0))
    s = start + quadrature.spread(width)
    falling = quadrature.weigh(torch.exp(-2 * kappa * torch.sin((s - t) / 2) * torch.sin((s + t) / 2)))
    return inner, width * falling.sum(0), width * (falling * _versine(s)).sum(0)


def _halley(t: Tensor, kappa: Tensor, within: Tensor, beyond: Tensor) -> Tensor:
    total, gap = normaliser(kappa)
    inner, S, _ = _integrals(_inside(t), kappa, gap)
    density = torch.exp(-kappa * _versine(t)) / total  # of |z|, so twice that of z
    wanted, steepness = torch.where(inner, within, beyond), kappa * torch.sin(t)
    # The mass is nearly linear in t within the mode and close to π, and beyond, its logarithm is.
    linear = inner | (steepness * S < 0.5)
    excess = torch.where(linear, S - wanted / density, S * torch.log(S * density / wanted))
    newton = torch.where(inner, -excess, excess)
    bend = torch.where(linear, 0.0, 1 / S) - steepness  # the second derivative over the first
    return _inside(t + newton / (1 + 0.5 * newton * bend).clamp(min=0.5))


def _inside(t: Tensor) -> Tensor:
    """t, away from 0 and π by no less than a digit."""
    info = torch.finfo(t.dtype)
    return t.clamp(info.tiny, math.pi * (1 - 2 * info.eps))


def _start(within: Tensor, beyond: Tensor, kappa: Tensor) -> Tensor:
    """Hill's normal variable √(2/π) sin(t/2) / (e^−κ I₀(κ)) (1977, Algorithm 518), for small κ the Fourier series; and
    no less than what the density's largest and least value allow.
    """
    total, gap = normaliser(kappa)
    z = -torch.special.ndtri(beyond / 2)
    sine = z * total / math.sqrt(2 * math.pi)
    large = torch.where(sine < 0.9, 2 * torch.asin(sine.clamp(0, 1)), 0.0)
    small = math.pi * within - 2 * (1 - gap) * torch.sin(math.pi * within)
    guess = torch.where(kappa < 0.7, small, large)
    least = torch.maximum(within * total, math.pi - beyond * total * torch.exp(2 * kappa))
    return _inside(torch.maximum(guess, least))
