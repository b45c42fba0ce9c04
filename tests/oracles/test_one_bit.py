"""Each step of the derivation in `reparam.oracles.one_bit`, by computer algebra."""

import sympy as sp
import torch

from reparam.oracles import one_bit

p, t, u = sp.symbols("p t u", positive=True)
q, delta = 1 - p, 1 - 2 * t
ONE, ZERO = (1 - t) ** 2, t**2
MEAN = p * q * delta


def same(left: sp.Expr, right: sp.Expr) -> bool:
    return sp.simplify(sp.expand(left - right)) == 0


def test_the_mean_is_the_slope_of_the_expectation() -> None:
    theta = sp.symbols("theta", real=True)
    sigmoid = 1 / (1 + sp.exp(-theta))
    slope = sp.diff(sigmoid * ONE + (1 - sigmoid) * ZERO, theta)
    assert sp.simplify(slope - MEAN.subs(p, sigmoid)) == 0
    for z in (0, 1):
        log_q = z * sp.log(sigmoid) + (1 - z) * sp.log(1 - sigmoid)
        assert sp.simplify(sp.diff(log_q, theta) - (z - sigmoid)) == 0


def test_reinforce() -> None:
    outcomes = {ONE * q: p, -ZERO * p: q}
    assert same(sum(g * mass for g, mass in outcomes.items()), MEAN)
    second = sum(g**2 * mass for g, mass in outcomes.items())
    assert same(second, p * q * (q * ONE**2 + p * ZERO**2))
    agrees(second - MEAN**2, one_bit.reinforce)
    shift = sp.Rational(3, 10)
    shifted = p * ((ONE - shift) * q) ** 2 + q * ((ZERO - shift) * p) ** 2 - MEAN**2
    agrees(shifted, lambda p, t: one_bit.reinforce(p, t, baseline=0.3))


def test_leave_one_out() -> None:
    f, mass = {0: ZERO, 1: ONE}, {0: q, 1: p}
    pairs = {
        (a, b): (f[a] - f[b]) * (a - p) / 2 + (f[b] - f[a]) * (b - p) / 2 for a in (0, 1) for b in (0, 1)
    }
    assert all(same(g, (f[a] - f[b]) * (a - b) / 2) for (a, b), g in pairs.items())
    assert same(sum(g * mass[a] * mass[b] for (a, b), g in pairs.items()), MEAN)
    second = sum(g**2 * mass[a] * mass[b] for (a, b), g in pairs.items())
    assert same(second, p * q * delta**2 / 2)
    agrees(second - MEAN**2, one_bit.leave_one_out)


def test_arm() -> None:
    """The integral over u in pieces: from 0 to min(p, q) only z̃ is 1, from max(p, q) to 1 only z is."""
    low, high = (q, p), (p, q)
    for smaller, larger in (low, high):  # p ≥ ½ and p < ½

        def moment(power: int, smaller: sp.Expr = smaller, larger: sp.Expr = larger) -> sp.Expr:
            below, above = -delta * (u - sp.Rational(1, 2)), delta * (u - sp.Rational(1, 2))
            return sp.integrate(below**power, (u, 0, smaller)) + sp.integrate(above**power, (u, larger, 1))

        assert same(moment(1), MEAN)
        distance = larger - sp.Rational(1, 2)
        assert same(moment(2), sp.Rational(2, 3) * delta**2 * (sp.Rational(1, 8) - distance**3))
        agrees(moment(2) - MEAN**2, one_bit.arm, larger_is_p=larger == p)


def test_disarm() -> None:
    for larger, smaller in ((p, q), (q, p)):
        g, mass = delta * larger / 2, 2 * smaller
        assert same(g * mass, MEAN)
        assert same(g**2 * mass, p * q * delta**2 * larger / 2)
        agrees(g**2 * mass - MEAN**2, one_bit.disarm, larger_is_p=larger == p)
        assert same(
            (p * q * delta**2 / 2 - MEAN**2) - (g**2 * mass - MEAN**2), p * q * delta**2 * (1 - larger) / 2
        )


def test_antithetic_twins_never_do_worse() -> None:
    p = torch.linspace(0.001, 0.999, 999, dtype=torch.float64)
    t = torch.tensor(0.2, dtype=torch.float64)
    assert (one_bit.disarm(p, t) <= one_bit.arm(p, t) + 1e-15).all()
    assert (one_bit.disarm(p, t) <= one_bit.leave_one_out(p, t)).all()
    assert (one_bit.disarm(p, t) < 0.99 * one_bit.arm(p, t)).any()


def agrees(expression: sp.Expr, closed: object, larger_is_p: bool | None = None) -> None:
    """The function is the expression, on a grid of p (of its half above or below ½) and t."""
    ps = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)
    if larger_is_p is not None:
        ps = ps[(ps >= 0.5) == larger_is_p]
    exact = sp.lambdify((p, t), expression)
    for target in (0.1, 0.45, 0.8, 1.3):
        expected = torch.tensor([exact(float(one), target) for one in ps], dtype=torch.float64)
        torch.testing.assert_close(closed(ps, torch.tensor(target, dtype=torch.float64)), expected)
