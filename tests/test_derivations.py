"""docs/derivations.md: every identity that it states, read from the page."""

import ast
import re
from pathlib import Path
from typing import Any

import mpmath
import pytest
import sympy
from sympy import Derivative, Expr, Integral, Symbol

PAGE = Path(__file__).parents[1] / "docs" / "derivations.md"
NAMES: dict[str, Any] = {
    **{name: Symbol(name, real=True) for name in ("mu", "z", "x", "epsilon", "phi", "f0", "f1")},
    **{name: Symbol(name, positive=True) for name in ("b", "sigma", "theta", "c", "u", "p")},
    **{name: sympy.Function(name, real=True) for name in ("q", "f", "log_w1", "log_w2", "log_w3")},
}
POINTS = (
    {"mu": 0.4, "z": -0.7, "x": 0.8, "epsilon": -1.2, "f0": 0.3, "f1": 1.7, "b": 0.9, "sigma": 1.3}
    | {"theta": 1.4, "c": 2.1, "u": 0.2, "p": 0.35},
    {"mu": -1.1, "z": 0.6, "x": -0.5, "epsilon": 0.7, "f0": -1.3, "f1": 0.2, "b": 1.6, "sigma": 0.7}
    | {"theta": 0.6, "c": 0.9, "u": 0.85, "p": 0.8},
)
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
STEPS = [ast.unparse(step) for block in BLOCKS for step in ast.parse(block).body]


def sides(step: str) -> tuple[Expr, Expr]:
    left, right = step.split(" == ")
    return tuple(sympy.sympify(side, locals=NAMES, rational=True, evaluate=True) for side in (left, right))


def number(expression: Any, at: dict[Symbol, Any]) -> Any:
    """Integrals by quadrature (with a break at the kinks of the densities), derivatives by differences."""
    if isinstance(expression, Derivative):
        ((variable, _),) = expression.variable_count
        return mpmath.diff(lambda t: number(expression.expr, {**at, variable: t}), at[variable])
    if isinstance(expression, Integral):
        ((variable, low, high),) = expression.limits
        ends = [
            number(end, at) if end.is_finite else mpmath.mpf("inf") * sympy.sign(end) for end in (low, high)
        ]
        breaks = sorted(k for k in (mpmath.mpf(0), at[NAMES["mu"]]) if ends[0] < k < ends[1])
        return mpmath.quad(
            lambda t: number(expression.function, {**at, variable: t}), [ends[0], *breaks, ends[1]]
        )
    if expression.has(Integral, Derivative):
        return expression.func(*(sympy.Float(number(part, at), 30) for part in expression.args))
    inputs = sorted(expression.free_symbols, key=str)
    return compiled(expression, tuple(inputs))(*(at[name] for name in inputs))


def compiled(expression: Any, inputs: tuple[Symbol, ...], known: dict[Any, Any] = {}) -> Any:  # noqa: B006 - a cache
    if (expression, inputs) not in known:
        known[expression, inputs] = sympy.lambdify(inputs, expression, "mpmath")
    return known[expression, inputs]


def holds(step: str) -> bool:
    left, right = sides(step)
    if not (left - right).has(Integral):
        if any(sympy.simplify((f(left) - f(right)).doit()) == 0 for f in (lambda e: e, sympy.exp)):
            return True
        if (left - right).atoms(sympy.core.function.AppliedUndef):
            return False
    slow = any(part.has(Integral) for part in left.atoms(Derivative))
    for point in POINTS[:1] if slow else POINTS:
        at = {NAMES[name]: mpmath.mpf(str(value)) for name, value in point.items()}
        if abs(number(left, at) - number(right, at)) > 1e-8:
            return False
    return True


@pytest.mark.parametrize("step", STEPS)
def test_step(step: str) -> None:
    assert holds(step)


def test_the_page_has_the_three_exercises_and_a_wrong_step_fails() -> None:
    assert len(STEPS) > 25
    for right, wrong in (("== 4 * b", "== 2 * b"), ("== epsilon", "== -epsilon"), ("== -1 / 2", "== 1 / 2")):
        (step,) = [line for line in STEPS if line.endswith(right)]
        assert not holds(step.replace(right, wrong))
