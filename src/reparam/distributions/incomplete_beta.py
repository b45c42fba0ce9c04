"""The beta variable x of shapes a and b in terms of its logit y: tails, quantiles, dy/da and dy/db.

As for the gamma variable (`incomplete_gamma`): h(y) = x^a (1 − x)^b / B(a, b) is the density of y, and the lower tail
h S with S = ∫₀^∞ e^−E(v) dv over the logits y − v, E(v) = a v + (a + b) log(1 − x (1 − e^−v)). It is integrated at
a + 6 and brought down by S(a) = (1 + (a + b) x S(a + 1)) / a. The upper tail is the lower one of −y with the shapes
exchanged. From dy/da = −(∂F/∂a) / h follows dy/da = −(S ∂ log h/∂a + ∂S/∂a), and the same for b.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from reparam.distributions.implicit import attach, refine
from reparam.distributions.incomplete_gamma import start
from reparam.distributions.numerics import digamma_deficit, log_gamma_excess, log_ratio, normal_quantile
from reparam.distributions.quadrature import rule

_SHIFT = 6


class _Tail(NamedTuple):
    """The nearer tail as a lower one: its logit, its shapes, its x and 1 − x."""

    lower: Tensor
    """Whether it is the lower tail of the law itself; else y and the shapes are exchanged."""
    y: Tensor
    a: Tensor
    b: Tensor
    x: Tensor
    rest: Tensor


def _nearer(y: Tensor, a: Tensor, b: Tensor) -> _Tail:
    lower = y <= log_ratio(a + 1, b + 1)
    y = torch.where(lower, y, -y)
    return _Tail(
        lower, y, torch.where(lower, a, b), torch.where(lower, b, a), torch.sigmoid(y), torch.sigmoid(-y)
    )


def bend(v: Tensor, x: Tensor, rest: Tensor) -> Tensor:
    """log(rest + x e^v) − x v for rest = 1 − x: convex, 0 at v = 0, and without cancellation there."""
    small = x <= 0.5
    v, x, rest = torch.where(small, v, -v), torch.where(small, x, rest), torch.where(small, rest, x)
    near, far = v.clamp(max=20), v.clamp(min=20)
    close = torch.log1p(x * torch.expm1(near)) - x * near
    return torch.where(v < 20, close, rest * far + torch.log(x + rest * (-far).exp()))


def log_beta_excess(a: Tensor, b: Tensor) -> Tensor:
    """log B(a, b) − a log a − b log b + (a + b) log(a + b), without their cancellation for large shapes."""
    n = a + b
    of_a, of_b, of_n = log_gamma_excess(torch.stack(torch.broadcast_tensors(a, b, n)))
    return of_a + of_b - of_n + (n / (a * b)).log()


def log_density(y: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """log h(y)."""
    n = a + b
    return -n * bend(y - log_ratio(a, b), a / n, b / n) - log_beta_excess(a, b)


def _density_slopes(y: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """(∂ log h/∂a − 1/a, ∂ log h/∂b)."""
    m, rest, offset = a / (a + b), b / (a + b), y - log_ratio(a, b)
    above_a, of_b, of_n = digamma_deficit(torch.stack((1 + a, b, a + b)))
    common = bend(offset, m, rest) + of_n
    in_a = rest * offset + above_a - torch.log1p(1 / a) - common
    return in_a, of_b - m * offset - common


def _integrals(tail: _Tail) -> tuple[Tensor, Tensor, Tensor]:
    """(S, ∂S/∂a, ∂S/∂b) at a + 6."""
    quadrature = rule(tail.y.dtype)
    _, _, a, b, x, rest = tail
    reach = _reach(_Tail(*(entry.detach() for entry in tail)), quadrature.depth)
    v = quadrature.spread(reach)
    steepness = (a + _SHIFT) * rest - b * x
    curve = bend(-v, x, rest)
    falling = quadrature.weigh(torch.exp(-steepness * v - (a + _SHIFT + b) * curve))
    in_b = -reach * (falling * (curve - x * v)).sum(0)
    return reach * falling.sum(0), in_b - reach * (falling * v).sum(0), in_b


def _reach(tail: _Tail, depth: float) -> Tensor:
    """v where E(v) is at least `depth`, by Newton steps, which come from above because E is convex."""
    _, y, a, b, x, rest = tail
    a, n = a + _SHIFT, a + _SHIFT + b
    steepness = a * rest - b * x
    v = 2 * depth / (steepness + torch.hypot(steepness, (2 * depth * n * x * rest).sqrt()))
    for _ in range(4):
        slope = a - n * torch.sigmoid(y - v)
        v = v - (a * v + n * torch.log1p(x * torch.expm1(-v)) - depth) / slope
    return v


def log_tail(y: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """(whether it is the lower tail, its log probability, S): d log tail / dy is 1 / S below and −1 / S above."""
    tail = _nearer(y, a, b)
    S, _, _ = _integrals(tail)
    n = tail.a + tail.b
    rest = (n + _SHIFT - 1) * tail.x * S
    for k in range(_SHIFT - 1, 0, -1):
        rest = (n + k - 1) * tail.x / (tail.a + k) * (1 + rest)
    log_value = log_density(tail.y, tail.a, tail.b) + torch.log1p(rest) - tail.a.log()
    return tail.lower, log_value, (1 + rest) / tail.a


def cdf(y: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """The probability of at most y."""
    lower, log_value, _ = log_tail(y, a, b)
    tail = log_value.exp()
    return torch.where(lower, tail, 1 - tail)


def velocity(y: Tensor, a: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """(dy/da, dy/db) at constant probability."""
    tail = _nearer(y, a, b)
    S, in_a, in_b = _integrals(tail)
    for k in range(_SHIFT - 1, -1, -1):
        share, more = 1 / (tail.a + k), (tail.a + tail.b + k) * tail.x
        lifted = share * (1 + more * S)
        in_b = share * (tail.x * S + more * in_b)
        in_a = share * (tail.x * S + more * in_a)
        if k > 0:
            in_a = in_a - share * lifted  # at 0 the density's slope leaves it out as well
        S = lifted
    density_in_a, density_in_b = _density_slopes(tail.y, tail.a, tail.b)
    own, other = -(S * density_in_a + in_a), -(S * density_in_b + in_b)
    return torch.where(tail.lower, own, -other), torch.where(tail.lower, other, -own)


def quantile(below: Tensor, above: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """y where the logarithms of the lower and the upper tail are `below` and `above`, with its derivatives in a and b.

    By Halley's method on the logarithm of the nearer tail; all digits for shapes from 1e-3 to 1e6 and every uniform
    that is ever drawn.
    """
    below, above, *shapes = (t.detach() for t in (below, above, a, b))
    y = refine(_halley, _start(below, above, *shapes), *shapes, below, above)
    return attach(velocity, y, a, b)


def _halley(y: Tensor, a: Tensor, b: Tensor, below: Tensor, above: Tensor) -> Tensor:
    """y, a step closer to where the logarithm of the lower tail is `below` and that of the upper one `above`."""
    lower, log_value, S = log_tail(y, a, b)
    side = torch.where(lower, -1.0, 1.0).to(y.dtype)
    newton = side * S * (log_value - torch.where(lower, below, above))
    bend = side / S + a * torch.sigmoid(-y) - b * torch.sigmoid(y)  # the second derivative over the first
    return y + newton / (1 + 0.5 * newton * bend).clamp(min=0.5)


def _start(below: Tensor, above: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """A rough quantile between the bounds that both tails set, because log P(y) is concave.

    With similar shapes above 1 Paulson's ratio of two of Wilson and Hilferty's cubes, or a bound where it has no
    meaning; else −log x (or −log(1 − x)) is nearly a gamma variable of the smaller shape.
    """
    t, p, q = normal_quantile(below, above), 1 / (9 * a), 1 / (9 * b)
    A, B = 1 - p, 1 - q
    spread = t.abs() * (A * A * q + B * B * p - t * t * p * q).clamp(min=0).sqrt()
    rest = torch.where(t > 0, B * B - t * t * q, A * A - t * t * p)
    cubes = 3 * t.sign() * ((A * B + spread) / rest.clamp(min=0.05)).log() + log_ratio(a, b)
    cubes = torch.where(rest > 0.05, cubes, t.sign() * torch.inf)

    swap, least, most = a < b, torch.minimum(a, b), torch.maximum(a, b)
    r = start(torch.where(swap, below, above), torch.where(swap, above, below), least)
    decay = r.exp() * least / (most + (least - 1) / 2).clamp(min=1e-3)
    logit = torch.expm1(decay).clamp(min=torch.finfo(r.dtype).tiny).log()
    guess = torch.where((least < 1) | (most > 4 * least), torch.where(swap, logit, -logit), cubes)

    log_beta = log_beta_excess(a, b) + a * log_ratio(a, a + b) + b * log_ratio(b, a + b)
    return guess.clamp((below + log_beta + a.log()) / a, -(above + log_beta + b.log()) / b)
