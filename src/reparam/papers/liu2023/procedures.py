"""Straight-through estimators of the gradient of E[f(z)], z one-hot, with every value of z enumerated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from reparam import estimators
from reparam.cells.procedures import Findings, Row, procedure
from reparam.distributions import OneHotCategorical
from reparam.engine.gradient import estimate_gradient, prepare
from reparam.estimators import Estimator
from reparam.measure.subject import Subject
from reparam.noise import draw, draw_block, generator
from reparam.oracles import objectives
from reparam.program import Program

RARE, SURE = 1e-9, 1 - 1e-15
"""Uniforms whose Gumbel variables, −3 and 35, decide the choice for logits of moderate size."""
Polynomial = Callable[[Tensor], Tensor]


def program_of(f: Polynomial) -> Program:
    """f of a one-hot variable with `logits` [points, categories]: value [points]."""
    return lambda params, sample: f(sample("z", OneHotCategorical(logits=params["toy.logits"])))


def mean_estimate(estimator: Estimator, f: Polynomial, logits: Tensor) -> Tensor:
    """E of the estimate, by enumeration: noise that makes each category the sample, weighed with its probability.

    For estimators whose noise decides the sample and nothing else. logits [points, categories], as the result.
    """
    params = {"toy.logits": logits}
    program = program_of(f)
    sites = prepare(estimator, program, params)
    categories = logits.shape[-1]
    uniform = torch.where(torch.eye(categories, dtype=torch.bool), SURE, RARE).to(logits)
    noise = {"z": {"uniform": uniform.reshape(categories, 1, 1, categories).expand(-1, 1, *logits.shape)}}
    if estimator.noise(sites).keys() != noise.keys():
        raise AssertionError("an estimator with other noise than the sample's")
    each = Subject(estimator, program, params, {}, {}).many(noise)["toy.logits"]
    return (each * logits.softmax(-1).T.unsqueeze(-1)).sum(0)


def exact_gradient(f: Polynomial, logits: Tensor) -> Tensor:
    """∇ E[f(z)] by enumeration: [points, categories]."""
    with torch.enable_grad():
        leaf = logits.clone().requires_grad_()
        value = objectives.expectation(program_of(f), {"toy.logits": leaf})
        (gradient,) = torch.autograd.grad(value.sum(), leaf)
    return gradient


def bias(estimator: Estimator, f: Polynomial, logits: Tensor) -> float:
    """The norm of E[estimate] − ∇ E[f] over all points, over that of ∇ E[f]."""
    exact = exact_gradient(f, logits)
    return float((mean_estimate(estimator, f, logits) - exact).norm() / exact.norm())


def calls_of(estimator: Estimator, f: Polynomial, logits: Tensor) -> int:
    """How often one estimate calls f, counted; several values in one call are one."""
    calls = 0

    def counted(z: Tensor) -> Tensor:
        nonlocal calls
        calls += 1
        return f(z)

    params, program = {"toy.logits": logits}, program_of(counted)
    noise = draw_block(
        estimator.noise(prepare(estimator, program, params)), ("calls",), 1, dtype=logits.dtype
    )
    calls = 0
    estimate_gradient(estimator, program, params, tree_map(lambda leaf: leaf[0], noise))
    return calls


@procedure("polynomials")
def polynomials(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """The relative bias for a random polynomial of each degree, at random logits.

    It has all terms up to its degree; coefficients and logits are standard normal, the same for all estimators. Rows at
    step = degree: bias; and the same as bias/<degree> at step 0, for rules.
    """
    options, method = spec["evaluation"], spec["method"]
    estimator = estimators.make(method["name"], method["options"])
    logits = _normal(spec, seed, "logits", options["points"], options["categories"])
    rows: list[Row] = []
    for degree in options["degrees"]:
        tensors = [
            _normal(spec, seed, f"degree {d}", *(options["categories"],) * d) for d in range(1, degree + 1)
        ]
        found = bias(estimator, partial(polynomial, coefficients=tensors), logits)
        rows += [(degree, "bias", found), (0, f"bias/{degree}", found)]
    return Findings(rows, {})


@procedure("order")
def order(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """The relative bias for f(z) = exp(ε w·z) as ε shrinks: its slope in ln ε is the order of accuracy.

    Rows by index of ε: scale and bias; at the last index: order, the least-squares slope of ln bias on ln ε, and
    calls, of f, that an estimate makes.
    """
    options, method = spec["evaluation"], spec["method"]
    estimator = estimators.make(method["name"], method["options"])
    logits = _normal(spec, seed, "logits", options["points"], options["categories"])
    w = _normal(spec, seed, "slopes", options["categories"])
    found = [bias(estimator, partial(exponential, slopes=e * w), logits) for e in options["scales"]]
    rows: list[Row] = []
    for index, (scale, value) in enumerate(zip(options["scales"], found, strict=True)):
        rows += [(index, "scale", scale), (index, "bias", value)]
    slope = np.polyfit(np.log(options["scales"]), np.log(found), 1)[0]
    calls = calls_of(estimator, partial(exponential, slopes=w), logits)
    last = len(found) - 1
    return Findings([*rows, (last, "order", float(slope)), (last, "calls", float(calls))], {})


def polynomial(z: Tensor, coefficients: list[Tensor]) -> Tensor:
    """Σ_d A_d z ⊗ … ⊗ z, A_d with d axes and z [..., categories]: [...]."""
    total = torch.zeros_like(z[..., 0])
    for tensor in coefficients:
        axes = "abcdefgh"[: tensor.ndim]
        factors = ",".join("..." + axis for axis in axes)
        total = total + torch.einsum(f"{axes},{factors}->...", tensor, *(z,) * tensor.ndim)
    return total


def exponential(z: Tensor, slopes: Tensor) -> Tensor:
    """exp(w·z) for z [..., categories]: [...]."""
    return torch.exp(z @ slopes)


def _normal(spec: Mapping[str, Any], seed: int, name: str, *shape: int) -> Tensor:
    source = generator(spec["paper"], spec["experiment"], seed, name)
    return draw("normal", shape, source, torch.float64)
