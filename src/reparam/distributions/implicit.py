"""Roots of increasing functions: found by bisection, differentiated by the implicit function theorem.

Where h(z, φ) = ε holds along the path z(φ), dz/dφ = −(∂h/∂z)⁻¹ ∂h/∂φ. h maps the sample to its noise: in the other
direction, ε to z, the formula is wrong (there dz/dφ is ∂h/∂φ itself). Where dz/dφ has a formula of its own, it is
attached to the sample as it is (`attach`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor

Map = Callable[[Tensor], Tensor]
Velocity = Callable[..., tuple[Tensor, ...]]
_INTEGERS = {16: torch.int16, 32: torch.int32, 64: torch.int64}


def bisect(increasing: Map, target: Tensor, low: float, high: float) -> Tensor:
    """The last number z of the open interval (low, high) with increasing(z) < target, entry by entry.

    It is the neighbour of the root, or the first number of the interval where none lies below the target. `increasing`
    is asked for 15 numbers at a time, on a new leading axis. The search goes over the floating-point numbers
    themselves, four binary digits of their magnitude a step: 8 steps in float32, 16 in float64, wherever the root is.
    (Fewer digits a step cost fewer evaluations but many more operations, which take minutes to compile.) Magnitudes
    lie between √tiny and √max of the dtype, so that squares and reciprocal squares are finite.
    """
    info = torch.finfo(target.dtype)
    integer = _INTEGERS[info.bits]
    least, most = torch.full_like(target, math.sqrt(info.tiny)), math.sqrt(info.max)

    def end(value: float, inwards: float) -> Tensor:
        if value == 0:
            return least if inwards > 0 else -least
        return torch.full_like(target, value).nextafter(torch.full_like(target, inwards)).clamp(-most, most)

    first, last = end(low, math.inf), end(high, -math.inf)
    if low < 0 < high:
        negative = increasing(torch.zeros_like(target)) >= target
    else:
        negative = torch.full_like(target, high <= 0, dtype=torch.bool)
    # Numbers of one sign, read as integers, are in the order of their magnitude.
    origin = least.view(integer) + torch.where(negative, torch.iinfo(integer).min, 0).to(integer)

    def number(rank: Tensor) -> Tensor:
        return rank.view(target.dtype).clamp(first, last)

    # Further from 0 by `steps` lies, on the positive side, the last number below the target; on the negative side
    # the number after the last one that is not below it. What is not a number is too far out on either.
    steps, trials = torch.zeros_like(origin), origin - negative.to(integer)
    digits = torch.arange(1, 16, dtype=integer, device=target.device).reshape(-1, *(1,) * target.ndim)
    for place in range(info.bits - 6, -4, -4):  # between √tiny and √max magnitudes differ in all bits but two
        digit = digits << max(place, 0)
        value = increasing(number(trials + steps + digit))
        further = torch.where(negative, value >= target, value < target)
        steps = steps + (further.sum(0, dtype=integer) << max(place, 0))
    return number(origin + steps)


def slope(function: Map, z: Tensor) -> tuple[Tensor, Tensor]:
    """(value, derivative) at `z` of a function that acts on each entry alone."""
    value, pullback = torch.func.vjp(function, z)  # type: ignore[misc]
    return value, pullback(torch.ones_like(value))[0]


def jacobian(function: Map, z: Tensor) -> tuple[Tensor, Tensor]:
    """(value, [..., D, D] Jacobian) at `z` of a function that acts on each vector over the last axis alone."""
    value, pullback = torch.func.vjp(function, z)  # type: ignore[misc]
    size = z.shape[-1]
    rows = torch.eye(size, dtype=z.dtype, device=z.device)
    rows = rows.reshape(size, *(1,) * (z.ndim - 1), size).expand(size, *z.shape)
    return value, torch.vmap(pullback)(rows)[0].movedim(0, -2)


def solve(value: Tensor, jacobian: Tensor) -> Tensor:
    """The vectors x with jacobian x = value, for lower triangular Jacobians."""
    return torch.linalg.solve_triangular(jacobian, value.unsqueeze(-1), upper=False).squeeze(-1)


class Newton(NamedTuple):
    """How a Newton step is taken."""

    linearize: Callable[[Map, Tensor], tuple[Tensor, Tensor]]
    """(function, z) → its value and derivative at z."""
    divide: Callable[[Tensor, Tensor], Tensor]
    """(value, derivative) → the step."""
    own: Callable[[Tensor], Tensor]
    """derivative → that of each entry in itself."""
    joined: Callable[[Tensor], Tensor]
    """A property of entries → whether one of those that are solved together has it."""


ENTRYWISE = Newton(slope, torch.div, lambda derivative: derivative, lambda has: has)
TRIANGULAR = Newton(
    jacobian, solve, lambda derivative: derivative.diagonal(dim1=-2, dim2=-1), lambda has: has.any(-1, True)
)


def differentiable_root(function: Map, root: Tensor, newton: Newton = ENTRYWISE) -> Tensor:
    """`root`, with the derivatives of the point where `function` keeps the value that it has there.

    `function` may depend on any tensor that is differentiated. Two Newton steps of length zero: the first has the
    first derivatives, and each step doubles the order, so second derivatives are exact as well: but for roots so
    near to a pole at 0, such as those of gamma variables of small shape, that the slope of the density is no number of
    the dtype. Those have the first derivatives only.
    """
    z = root.detach()
    value, derivative = newton.linearize(function, z)
    first = z - newton.divide(value - value.detach(), derivative.detach())
    info = torch.finfo(z.dtype)
    steep = (newton.own(derivative.detach()).abs() > info.max * info.eps * z.abs()) & (z != 0)
    # An infinite slope makes NaN even of what is multiplied by 0, so the second step is taken elsewhere, and dropped.
    z = torch.where(steep, z.sign() * math.sqrt(info.tiny / info.eps), first)
    value, derivative = newton.linearize(function, z)
    return torch.where(newton.joined(steep), first, z - newton.divide(value - value.detach(), derivative))


def refine(step: Callable[..., Tensor], start: Tensor, *constants: Tensor) -> Tensor:
    """A root after two steps in float32 and, where float64 is asked for, a third that triples the digits (Halley's)."""
    root = start
    for dtype in (torch.float32, torch.float32, *([torch.float64] if start.dtype == torch.float64 else [])):
        root = step(*(entry.to(dtype) for entry in (root, *constants)))
    return root.to(start.dtype)


def attach(velocity: Velocity, z: Tensor, *parameters: Tensor) -> Tensor:
    """The constant `z`, with the derivatives velocity(z, *parameters) in the parameters, entry by entry.

    All have one shape, and z follows a path with these derivatives; `velocity` is made of differentiable torch
    operations. Derivatives of every order are exact, except by forward mode nested in forward mode, which PyTorch's
    custom functions do not have. torch.compile drops the derivatives of custom functions under function transforms
    without a word: within it the first derivative is written out, and there are no others (the engine traces before
    it compiles, and keeps them all).
    """
    if torch.compiler.is_compiling():
        start = tuple(parameter.detach() for parameter in parameters)
        changes = (p - s for p, s in zip(parameters, start, strict=True))
        return z.detach() + _along(velocity(z.detach(), *start), changes)
    return _Attached.apply(velocity, z.detach(), *parameters)  # type: ignore[no-untyped-call]


def _along(slopes: tuple[Tensor, ...], changes: Iterable[Tensor | None]) -> Tensor:
    return torch.stack([s * c for s, c in zip(slopes, changes, strict=True) if c is not None]).sum(0)


class _Attached(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(velocity: Velocity, z: Tensor, *parameters: Tensor) -> Tensor:
        return z.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.velocity = inputs[0]
        ctx.save_for_backward(output, *inputs[2:])
        ctx.save_for_forward(output, *inputs[2:])

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        return None, None, *(gradient * slope for slope in ctx.velocity(*ctx.saved_tensors))

    @staticmethod
    def jvp(ctx: Any, _velocity: None, _z: None, *tangents: Tensor | None) -> Tensor:  # type: ignore[override]
        return _along(ctx.velocity(*ctx.saved_tensors), tangents)
