"""docs/derivations.md: every identity that it states, read from the page."""

import ast
import math
import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import sympy
from scipy import integrate
from sympy import Derivative, Integral, Symbol

PAGE = Path(__file__).parents[1] / "docs" / "derivations.md"
NAMES: dict[str, Any] = {
    **{name: Symbol(name, real=True) for name in ("mu", "z", "epsilon", "phi", "f0", "f1")},
    **{name: Symbol(name, real=True) for name in ("x1", "x2", "x3", "x4", "d1", "d2", "y1")},
    **{name: Symbol(name, positive=True) for name in ("b", "sigma", "theta", "c", "u", "p", "v1", "v2")},
    "q": lambda z, phi: sympy.exp(sympy.sin(z + 2 * phi)),
    "f": lambda z, phi: sympy.cos(z * phi) + 3 * phi,
    **{f"log_w{k}": lambda phi, k=k: sympy.sin(k * phi) - phi**2 / k for k in (1, 2, 3)},
}
"""Functions of no special form stand for any."""
POINTS = (
    {"mu": 0.4, "z": -0.7, "phi": 0.3, "epsilon": -1.2, "f0": 0.3, "f1": 1.7, "b": 0.9, "sigma": 1.3}
    | {"theta": 1.4, "c": 2.1, "u": 0.2, "p": 0.35, "v1": 1.2, "v2": 0.8, "d1": 0.7, "d2": -1.4}
    | {"x1": 0.6, "x2": -1.7, "x3": 0.9, "x4": 1.1, "y1": -0.5},
    {"mu": -1.1, "z": 0.6, "phi": -0.8, "epsilon": 0.7, "f0": -1.3, "f1": 0.2, "b": 1.6, "sigma": 0.7}
    | {"theta": 0.6, "c": 0.9, "u": 0.85, "p": 0.8, "v1": 0.7, "v2": 1.9, "d1": -0.3, "d2": 1.1}
    | {"x1": -1.3, "x2": 0.4, "x3": -0.8, "x4": 0.5, "y1": 1.2},
)
"""On either side of the medians, z − μ, ε and u − ½."""
NAMED = "exercise [145]|minibatch"
SECTIONS = re.split(rf"^## .*({NAMED})", PAGE.read_text(encoding="utf-8"), flags=re.M)[1:]
STEPS = {
    name: [
        ast.unparse(step)
        for block in re.findall(r"```python\n(.*?)```", section, re.S)
        for step in ast.parse(block).body
    ]
    for name, section in zip(SECTIONS[::2], SECTIONS[1::2], strict=True)
}


@cache
def parsed(side: str) -> Any:
    return sympy.sympify(side, locals=NAMES, rational=True)


@cache
def compiled(expression: Any) -> tuple[list[Any], Any]:
    inputs = sorted(expression.free_symbols, key=str)
    return inputs, sympy.lambdify(inputs, expression, "math")


def number(expression: Any, at: dict[Symbol, float]) -> float:
    """Integrals by quadrature (with a break at the kinks of the densities), derivatives by differences."""
    if isinstance(expression, Derivative):
        ((variable, _),) = expression.variable_count
        near = [number(expression.expr, {**at, variable: at[variable] + i * 1e-3}) for i in (-2, -1, 1, 2)]
        return (near[0] - 8 * near[1] + 8 * near[2] - near[3]) / 12e-3
    if isinstance(expression, Integral):
        ((variable, low, high),) = expression.limits
        low, high = (float(end.subs(at)) for end in (low, high))
        ends = [low, *sorted(k for k in {0.0, at[NAMES["mu"]]} if low < k < high), high]
        return math.fsum(
            integrate.quad(lambda t: number(expression.function, {**at, variable: t}), *piece, epsabs=1e-13)[
                0
            ]
            for piece in pairwise(ends)
        )
    if expression.has(Integral, Derivative):
        return float(expression.func(*(number(part, at) for part in expression.args)))
    inputs, function = compiled(expression)
    return float(function(*(at[name] for name in inputs)))


def holds(step: str) -> bool:
    left, right = (parsed(side) for side in step.split(" == "))
    points = [{NAMES[name]: value for name, value in point.items()} for point in POINTS]
    return all(abs(number(left, at) - number(right, at)) < 1e-8 for at in points)


@pytest.mark.parametrize("step", [step for steps in STEPS.values() for step in steps])
def test_step(step: str) -> None:
    assert holds(step)


def test_no_step_of_a_section_is_missing() -> None:
    assert {name: len(steps) for name, steps in STEPS.items()} == {
        "exercise 1": 15,
        "exercise 4": 11,
        "exercise 5": 6,
        "minibatch": 11,
    }


@pytest.mark.parametrize(
    ("section", "right", "wrong"),
    [
        ("exercise 1", "== 4 * b", "== 2 * b"),
        ("exercise 1", "== epsilon", "== -epsilon"),
        ("exercise 1", "epsilon, -sign(u", "epsilon, sign(u"),
        ("exercise 1", "== (z - mu) / b", "== Abs(z - mu) / b"),
        ("exercise 4", "== -1 / 2", "== 1 / 2"),
        ("exercise 4", "cos(z) * ((z - mu) ** 2 / sigma ** 3 - 1 / sigma)", "cos(z) * ((z - mu) ** 2 / sigma ** 3)"),
        ("exercise 5",
            "exp(log_w1(phi)) * Derivative(log_w1(phi), phi) + exp(log_w2(phi)) * Derivative(log_w2(phi), phi)) /",
            "exp(log_w2(phi)) * Derivative(log_w1(phi), phi) + exp(log_w2(phi)) * Derivative(log_w2(phi), phi)) /"),
        ("exercise 5", "log((theta + c) / 2) -", "log(theta + c) -"),
        ("minibatch", "== 2 * c ** 2 + 4 * d1 * d2 * c", "== c ** 2 + 4 * d1 * d2 * c"),
        ("minibatch", "== x1 ** 2 * x2 ** 2 + x3 ** 2 * x4 ** 2", "== (x1 * x2 + x3 * x4) ** 2"),
    ],
)  # fmt: skip
def test_a_wrong_step_fails(section: str, right: str, wrong: str) -> None:
    (step,) = [line for line in STEPS[section] if right in line]
    assert not holds(step.replace(right, wrong))
