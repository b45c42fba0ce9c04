"""Roots: the very neighbour in floating-point numbers, and derivatives of any order that is promised."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from reparam.distributions.implicit import (
    TRIANGULAR,
    attach,
    bisect,
    differentiable_root,
    jacobian,
    slope,
    solve,
)
from reparam.noise import draw, generator

INTERVALS = [(-math.inf, math.inf), (0.0, math.inf), (-math.inf, 0.0), (-1.0, 2.0), (3.0, 3.1), (-4.0, -3.0)]


def targets(dtype: torch.dtype) -> Tensor:
    """Numbers of both signs and all magnitudes between √tiny and √max, and a few to think of."""
    largest = math.log2(torch.finfo(dtype).max) / 2 - 1
    exponents = draw("uniform", (4000,), generator("exponents"), dtype) * 2 * largest - largest
    signs = draw("normal", (4000,), generator("signs"), dtype).sign()
    near = torch.tensor([1.0, -1.0, 2.0, 3.05, -3.5, 0.5, 1.5, 1e-3], dtype=dtype)
    return torch.cat([signs * torch.exp2(exponents), near])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("low", "high"), INTERVALS)
def test_bisection_ends_at_the_neighbour_of_the_root(low: float, high: float, dtype: torch.dtype) -> None:
    wanted = targets(dtype)
    found = bisect(lambda z: z, wanted, low, high)
    before = torch.nextafter(wanted, torch.full_like(wanted, -math.inf))
    least = math.sqrt(torch.finfo(dtype).tiny)
    reachable = (before > low) & (wanted < high) & (before.abs() > least)
    assert reachable.sum() > 0
    assert torch.equal(found[reachable], before[reachable])
    assert ((found > low) & (found < high)).all()
    assert ((found.abs() >= least) & (found.abs() <= math.sqrt(torch.finfo(dtype).max))).all()


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_bisection_in_half_precision(dtype: torch.dtype) -> None:
    wanted = torch.tensor([-30.0, -0.5, 0.25, 3.0, 200.0], dtype=dtype)
    before = torch.nextafter(wanted, torch.full_like(wanted, -math.inf))
    assert torch.equal(bisect(lambda z: z, wanted, -math.inf, math.inf), before)


def test_a_target_out_of_reach_gives_the_end_of_the_interval() -> None:
    found = bisect(torch.sigmoid, torch.tensor([0.0, 1.0]), 2.0, 3.0)
    ends = torch.tensor([2.0, 3.0])
    assert torch.equal(found, torch.nextafter(ends, ends.flip(0)))


def test_values_that_are_not_numbers_far_out_do_not_mislead() -> None:
    def increasing(z: Tensor) -> Tensor:
        return torch.where(z.abs() > 1e6, torch.nan, z / (1 + z.abs()))

    for root in (-7.0, 7.0):
        target = torch.tensor([root / (1 + abs(root))], dtype=torch.float64)
        assert bisect(increasing, target, -math.inf, math.inf).item() == pytest.approx(root, rel=1e-12)


def test_derivatives_of_a_root_are_exact_to_the_second_order() -> None:
    """z + z³ a = b: dz/da = −z³ / (1 + 3 a z²), dz/db = 1 / (1 + 3 a z²); the Hessian against finite differences."""

    def root(a: Tensor, b: Tensor) -> Tensor:
        start = bisect(lambda z: z + z**3 * a.detach(), b.detach(), -math.inf, math.inf)
        return differentiable_root(lambda z: z + z**3 * a - b, start)

    a, b = torch.tensor([0.7], dtype=torch.float64), torch.tensor([2.3], dtype=torch.float64)
    z = root(a, b)
    first = torch.func.jacrev(root, (0, 1))(a, b)
    denominator = 1 + 3 * a * z**2
    torch.testing.assert_close(first[0][0], -(z**3) / denominator)
    torch.testing.assert_close(first[1][0], 1 / denominator)
    step = 1e-5
    second = torch.func.jacrev(torch.func.jacrev(root, (0, 1)), (0, 1))(a, b)
    for i in range(2):
        for j, shift in enumerate(((step, 0.0), (0.0, step))):
            high = torch.func.jacrev(root, (0, 1))(a + shift[0], b + shift[1])[i]
            low = torch.func.jacrev(root, (0, 1))(a - shift[0], b - shift[1])[i]
            difference = (high - low).squeeze() / (2 * step)
            torch.testing.assert_close(second[i][j].squeeze(), difference, rtol=1e-7, atol=1e-8)


def test_the_value_of_a_root_is_left_alone() -> None:
    start = bisect(torch.tanh, torch.tensor([0.3, -0.9]), -math.inf, math.inf)
    assert torch.equal(differentiable_root(lambda z: torch.tanh(z) * 1.0, start), start)


def test_slopes_and_jacobians_are_those_of_autograd() -> None:
    z = draw("normal", (4, 3), generator("jacobian"), torch.float64)
    value, derivative = slope(torch.sin, z)
    torch.testing.assert_close(value, z.sin())
    torch.testing.assert_close(derivative, z.cos())

    def mixing(z: Tensor) -> Tensor:
        return torch.cumsum(z**2, -1) + z.prod(-1, keepdim=True)

    value, derivatives = jacobian(mixing, z)
    torch.testing.assert_close(value, mixing(z))
    for i in range(4):
        torch.testing.assert_close(derivatives[i], torch.func.jacrev(mixing)(z[i]))
    lower = derivatives.tril() + 5 * torch.eye(3, dtype=torch.float64)
    torch.testing.assert_close((lower @ solve(z, lower).unsqueeze(-1)).squeeze(-1), z)


def cube(z: Tensor, a: Tensor) -> tuple[Tensor]:
    """dz/da along z = c a³."""
    return (3 * z / a,)


def test_attached_derivatives_are_exact_of_every_order() -> None:
    """Along z = c a³ dz/da = 3 z / a: the derivatives of c a³ follow from it, the last one in forward mode as well."""
    c, a = torch.tensor([0.7, -2.0], dtype=torch.float64), torch.tensor([1.3, 0.4], dtype=torch.float64)

    def path(a: Tensor) -> Tensor:
        return attach(cube, (c * a**3).detach(), a)

    assert torch.equal(path(a), c * a**3)
    expected = 3 * c * a**2, 6 * c * a, 6 * c
    slope = path
    for derivative in expected:
        before = slope
        slope = lambda a, f=before: torch.func.grad(lambda a: f(a).sum())(a)  # noqa: E731
        torch.testing.assert_close(slope(a), derivative)
        torch.testing.assert_close(torch.func.jvp(before, (a,), (torch.ones_like(a),))[1], derivative)
    stacked = torch.vmap(torch.func.grad(lambda a, c: attach(cube, (c * a**3).detach(), a)))(a, c)
    torch.testing.assert_close(stacked, expected[0])


@pytest.mark.slow
def test_compiling_a_stack_of_attached_derivatives_keeps_them() -> None:
    """torch.compile(vmap(grad(f))) returns zero for a custom function's gradient, and says nothing."""

    def slopes(a: Tensor) -> Tensor:
        return torch.vmap(torch.func.grad(lambda a: attach(cube, (a**3).detach(), a).sin()))(a)

    a = torch.tensor([1.3, 0.4], dtype=torch.float64)
    torch.testing.assert_close(slopes(a), 3 * a**2 * (a**3).cos())
    torch.testing.assert_close(torch.compile(slopes)(a), slopes(a))


@pytest.mark.parametrize("alpha", [1e-3, 1e-2, 0.1])
@pytest.mark.parametrize("vector", [False, True])
def test_derivatives_at_roots_next_to_a_pole_are_finite_and_right(alpha: float, vector: bool) -> None:
    """F = z^α: dz/dα = −z log(z) / α, in float32, where the slope of the density overflows for most roots."""
    u = torch.tensor([0.999, 0.9, 0.6, 0.3, 1e-3])
    a = torch.full_like(u, alpha)
    start = (u.log() / alpha).clamp(min=-70).exp()  # from 4e-31 on
    assert (start < 1e-21).any()
    cumulative = lambda a: lambda z: (a * z.log()).exp()  # noqa: E731

    def root(a: Tensor) -> Tensor:
        if vector:
            return differentiable_root(cumulative(a), start, TRIANGULAR)
        return differentiable_root(cumulative(a), start)

    found = torch.func.vjp(root, a)[1](torch.ones_like(u))[0]
    torch.testing.assert_close(found, -start * start.log() / alpha, rtol=1e-3, atol=0.0)


def test_second_derivatives_at_roots_of_nearly_zero_stay() -> None:
    """sinh(z − φ²) = ε at z = 1e-19: z'' = 2."""
    start = torch.tensor([1e-19])
    found = torch.func.hessian(
        lambda phi: differentiable_root(lambda z: torch.sinh(z - phi.square()), start).sum()
    )
    assert found(torch.zeros(())).item() == pytest.approx(2)
