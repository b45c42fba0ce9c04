"""From an estimator's `Terms` to a gradient."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from reparam.estimators.base import Coefficient, Estimator, Terms
from reparam.noise import Noise
from reparam.program import Params, Program, run

Gradient = dict[str, Tensor]


class Estimate(NamedTuple):
    """One gradient estimate of ∇ E[Σ_plate value], and what came with it."""

    gradient: Gradient
    value: Tensor
    memory: Any
    evaluations: int
    tunable_gradient: Gradient


def estimate_gradient(
    estimator: Estimator,
    program: Program,
    params: Params,
    noise: Noise,
    tunables: Mapping[str, Tensor] | None = None,
    memory: Any = None,
) -> Estimate:
    """The estimator's gradient of E[Σ_plate value] at `params` (flat dict), a pure function of the noise.

    `tunable_gradient` is that of the estimator's own loss, or of the gradient's squared norm when it
    asks for "variance" (Tucker et al. 2017, §3.2; Grathwohl et al. 2018, §3); empty without tunables.
    """
    params, tunables = dict(params), dict(tunables or {})
    memory = {} if memory is None else memory
    static: dict[str, Any] = {}

    def terms_at(params: Params, tunables: Mapping[str, Tensor]) -> Terms:
        terms = estimator.estimate(partial(run, program), params, noise, tunables, memory)
        static["evaluations"], static["tunable_loss"] = terms.evaluations, terms.tunable_loss
        static["coefficients"] = terms.coefficients
        return terms

    def gradient_at(params: Params, tunables: Mapping[str, Tensor]) -> tuple[Gradient, Any]:
        def losses(params: Params) -> tuple[tuple[Tensor, ...], Any]:
            terms = terms_at(params, tunables)
            aux = {"value": terms.value, "memory": terms.memory, "coefficients": _tensors(terms.coefficients)}
            return tuple(loss.sum() for loss in terms.losses), aux

        totals, pullback, aux = torch.func.vjp(losses, params, has_aux=True)  # type: ignore[misc]
        coefficients = _untensors(static["coefficients"], aux["coefficients"])
        return _combine(totals, coefficients, pullback), aux

    gradient, aux = gradient_at(params, tunables)
    tunable_gradient: Gradient = {}
    if tunables:

        def tunable_objective(tunables: Mapping[str, Tensor]) -> Tensor:
            if static["tunable_loss"] == "variance":
                inner, _ = gradient_at(params, tunables)
                return torch.stack([entry.square().sum() for entry in inner.values()]).sum()
            loss = terms_at(params, tunables).tunable_loss
            assert isinstance(loss, Tensor), "an estimator with tunables must return their loss"
            return loss

        tunable_gradient = torch.func.grad(tunable_objective)(tunables)
    return Estimate(gradient, aux["value"], aux["memory"], static["evaluations"], tunable_gradient)


def _combine(totals: tuple[Tensor, ...], coefficients: tuple[Coefficient, ...], pullback: Any) -> Gradient:
    """Σ_i c_i ∇ loss_i: one backward pass for all numbers, one more for each per-tensor coefficient."""
    per_tensor = [isinstance(c, Mapping) for c in coefficients]
    weights = tuple(
        torch.zeros_like(total) if split else torch.zeros_like(total) + c  # type: ignore[operator]
        for total, c, split in zip(totals, coefficients, per_tensor, strict=True)
    )
    (gradient,) = pullback(weights)
    for i, split in enumerate(per_tensor):
        if not split:
            continue
        only = tuple(torch.ones_like(t) if j == i else torch.zeros_like(t) for j, t in enumerate(totals))
        (part,) = pullback(only)
        scales = coefficients[i]
        assert isinstance(scales, Mapping)
        gradient = {name: entry + scales[name] * part[name] for name, entry in gradient.items()}
    return gradient


def _tensors(coefficients: tuple[Coefficient, ...]) -> dict[str, Any]:
    """The coefficients that are tensors: they must leave the differentiated function as its outputs."""
    return {str(i): c for i, c in enumerate(coefficients) if not isinstance(c, float | int)}


def _untensors(coefficients: tuple[Coefficient, ...], tensors: Mapping[str, Any]) -> tuple[Coefficient, ...]:
    return tuple(tensors.get(str(i), c) for i, c in enumerate(coefficients))
