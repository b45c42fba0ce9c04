"""The standard gamma variable x of shape α in terms of r = log(x / α): its tails, its quantiles, and dr/dα.

The tail beyond x, seen from the mean, is x p(x) S with S = ∫₀^∞ e^−E(v) dv over the values x e^±v of that tail, where
E(v) = ∓α v + x (e^±v − 1). From dx/dα = −(∂F/∂α) / p (Figurnov et al. 2018, arXiv:1805.08498) follows
d log x / dα = ∫₀^∞ e^−E(v) (v ± (log x − ψ(α))) dv. All terms are of order one and hardly cancel: no Γ(α), no x^α, and
shapes of 1e-3 and 1e6 are like any others. The lower tail is integrated at α + 6, where the integrand is smooth for
every x, and brought down by S(α) = (1 + x S(α + 1)) / α.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from reparam.distributions.implicit import attach, refine
from reparam.distributions.numerics import digamma_series, expm1_minus, log_gamma_excess, normal_quantile
from reparam.distributions.quadrature import rule

_SHIFT = 6


class _Integrals(NamedTuple):
    lower: Tensor
    """Whether the tail is the lower one, whose integrals are those at α + 6."""
    x: Tensor
    S: Tensor
    """∫ e^−E(v) dv."""
    T: Tensor
    """∫ e^−E(v) v dv."""


def _integrals(r: Tensor, alpha: Tensor) -> _Integrals:
    quadrature = rule(r.dtype)
    x = alpha * r.exp()
    lower = x <= alpha.clamp(min=1)
    excess = alpha * torch.expm1(r) - torch.where(lower, float(_SHIFT), 0.0)  # x − α, of the shifted α
    side = torch.where(lower, -1.0, 1.0).to(r.dtype)
    reach = (side * _reach(side * excess, x, lower, quadrature.depth)).detach()
    v = quadrature.spread(reach)
    falling = quadrature.weigh(torch.exp(torch.addcmul(-excess * v, x, expm1_minus(v), value=-1)))
    return _Integrals(lower, x, reach.abs() * falling.sum(0), reach * (falling * v).sum(0))


def _reach(steepness: Tensor, x: Tensor, lower: Tensor, depth: float) -> Tensor:
    """v where E(v) is at least `depth`, and not much more: E(v) = steepness · v + x (e^±v − 1 ∓ v).

    By e^−v − 1 + v ≥ v² / (2 + v) below, e^v − 1 − v ≥ v²/2 above; there e^v also ends it where x is small.
    """
    excess = depth - 2 * steepness
    total = steepness + x
    below = (excess + torch.hypot(excess, (8 * depth * total).sqrt())) / (2 * total)
    parabola = 2 * depth / (steepness + torch.hypot(steepness, (2 * depth * x).sqrt()))
    above = torch.minimum(parabola, torch.log1p(depth / x + parabola))
    return torch.where(lower, below, above)


def log_tail(r: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(whether it is the lower tail, its log probability, S): d log tail / dr is 1 / S below and −1 / S above."""
    lower, x, S, _ = _integrals(r, alpha)
    rest = x * S
    for k in range(_SHIFT - 1, 0, -1):
        rest = x / (alpha + k) * (1 + rest)
    log_S = torch.where(lower, torch.log1p(rest), (alpha * S).log())  # that of α S
    value = log_S - alpha * expm1_minus(r) - log_gamma_excess(alpha)
    return lower, value, torch.where(lower, (1 + rest) / alpha, S)


def cdf(r: Tensor, alpha: Tensor) -> Tensor:
    """The probability of at most r."""
    far = 0.5 * math.log(torch.finfo(r.dtype).max)
    lower, log_value, _ = log_tail(r.clamp(max=far), alpha)
    tail = log_value.exp()
    return torch.where(lower, tail, 1 - tail)


def velocity(r: Tensor, alpha: Tensor) -> tuple[Tensor]:
    """(dr/dα,) at constant probability."""
    lower, x, S, T = _integrals(r, alpha)
    distance = r - torch.log1p(_SHIFT / alpha) + digamma_series(alpha + _SHIFT)  # will be log x − ψ(1 + α)
    rest, moment = S, T
    for k in range(_SHIFT - 1, 0, -1):
        share = 1 / (alpha + k)
        distance = distance + share
        rest = share * (1 + x * rest)
        moment = share * (rest + x * moment)
    share = 1 / alpha
    below = share * (x * moment - distance * (1 + x * rest))
    above = (distance + share) * S + T
    return (torch.where(lower, below, above) - share,)


def quantile(below: Tensor, above: Tensor, alpha: Tensor) -> Tensor:
    """r where the logarithms of the lower and the upper tail are `below` and `above`, with its derivative in α.

    By Halley's method on the logarithm of the nearer tail; all digits for α from 1e-3 to 1e6 and every uniform that is
    ever drawn.
    """
    below, above, constant = below.detach(), above.detach(), alpha.detach()
    r = refine(_halley, start(below, above, constant), constant, below, above)
    return attach(velocity, r, alpha)


def _halley(r: Tensor, alpha: Tensor, below: Tensor, above: Tensor) -> Tensor:
    """r, a step closer to where the logarithm of the lower tail is `below` and that of the upper one `above`."""
    lower, log_value, S = log_tail(r, alpha)
    side = torch.where(lower, -1.0, 1.0).to(r.dtype)
    newton = side * S * (log_value - torch.where(lower, below, above))
    bend = side / S - alpha * torch.expm1(r)  # the second derivative over the first
    return r + newton / (1 + 0.5 * newton * bend).clamp(min=0.5)


def start(below: Tensor, above: Tensor, alpha: Tensor) -> Tensor:
    """A rough quantile: Wilson and Hilferty's cube, u ~ x^α for small x, 1 − u ~ x^(α−1) e^−x for large x."""
    power = (below + torch.lgamma(1 + alpha)) / alpha - alpha.log()
    ninth = 1 / (9 * alpha)
    cube = 3 * (1 - ninth + ninth.sqrt() * normal_quantile(below, above)).clamp(min=0.05).log()
    height = (-above - torch.lgamma(alpha)).clamp(min=1.0)
    far = (height - (1 - alpha) * torch.log(height + 0.6)).log() - alpha.log()
    return torch.where(alpha < 1, torch.where(height > 1, far, power), torch.where(cube < -1.2, power, cube))
