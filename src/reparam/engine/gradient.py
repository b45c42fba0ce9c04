"""From an estimator's `Terms` to a gradient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor

from reparam.errors import NumericalError, ReparamError
from reparam.estimators.base import Coefficient, Estimator, Sites, Terms, name_of
from reparam.noise import Noise
from reparam.program import Choose, Params, Program, Site, Trace, depends_on, middle_run, reaches_value, run

Gradient = dict[str, Tensor]


@dataclass(frozen=True)
class Runner:
    """The `Run` that estimators are given."""

    program: Program
    signals: Mapping[str, Tensor] | None = None

    def __call__(self, params: Params, choose: Choose) -> Trace:
        return run(self.program, params, choose, self.signals)

    def sites(self, params: Params, choose: Choose) -> dict[str, Site]:
        return run(self.program, params, choose).latent


def prepare(estimator: Estimator, program: Program, params: Params) -> dict[str, Site]:
    """The program's latent sites, after a look at whether the estimator can do anything with them.

    Raises ReparamError, in one line, for a program that is no function of (params, sample) or does not depend on
    `params`, parameters out of their law's support, observations of density 0 or none, a law that the estimator cannot
    handle, and, under an estimator that needs ∂f, a program without a differentiable path from any site to its value.
    Reads values: for once, before the first estimate.
    """
    sites = inspect(program, params)
    check(estimator, program, params, sites)
    return sites


def inspect(program: Program, params: Params) -> dict[str, Site]:
    """The program's latent sites, after the part of `prepare` that holds for any estimator."""
    trace = middle_run(program, params)
    sites = trace.latent
    if not sites:
        raise ReparamError("the program has no sample site: call sample(name, law) for what is random")
    for name, site in sites.items():
        try:
            site.law.validate()
        except ReparamError as error:
            raise NumericalError(f"sample site {name!r}: {error}") from None
    for name, site in trace.sites.items():
        if site.observed and not bool(site.law.log_prob(site.z).isfinite().all()):
            raise NumericalError(
                f"sample site {name!r}: what is observed is outside the support of its {type(site.law).__name__} law "
                "(log_prob is not finite)"
            )
    if not depends_on(program, params):
        raise ReparamError(
            f"neither the program's value nor a law in it depends on params ({', '.join(params)}), so every gradient "
            "is zero: compute with the params that the program is given; of a module call "
            "torch.func.functional_call(net, params, x), not net(x)"
        )
    return sites


def check(estimator: Estimator, program: Program, params: Params, sites: Sites) -> None:
    """The part of `prepare` that depends on the estimator."""
    estimator.check(sites)
    for member, names in estimator.differentiates(sites):
        if not reaches_value(program, params, names):
            inside = "" if member is estimator else f" (through its {name_of(member)})"
            raise ReparamError(
                f"{name_of(estimator)}{inside} differentiates f with respect to its samples, but no differentiable "
                f"path leads from any site ({', '.join(names)}) to the value; use an estimator that needs only values "
                "of f, such as score_function"
            )


class Estimate(NamedTuple):
    """One gradient estimate of ∇ E[Σ_plate value], and what came with it."""

    gradient: Gradient
    value: Tensor
    memory: Any
    evaluations: int
    tunable_gradient: Gradient
    failed: Tensor | None = None
    """How many plate entries of rejection samplers found no candidate that they accept, as (); None without any."""


def estimate_gradient(
    estimator: Estimator,
    program: Program,
    params: Params,
    noise: Noise,
    tunables: Mapping[str, Tensor] | None = None,
    memory: Any = None,
    signals: Mapping[str, Tensor] | None = None,
    tune: bool = True,
) -> Estimate:
    """The estimator's gradient of E[Σ_plate value] at `params` (flat dict), a pure function of the noise.

    `tunable_gradient` is that of the estimator's own loss, and of the gradient's squared norm when it
    asks for that (Tucker et al. 2017, §3.2; Grathwohl et al. 2018, §3); empty without tunables, and when
    `tune` is False. `signals` are given learning signals by site (see `Trace`).

    Raises ReparamError when signals are given to an estimator that needs f at other samples, for a site that the
    program does not sample, or in another shape than its law's plate.
    """
    if signals:
        estimator.check_signals()
    params, tunables = dict(params), dict(tunables or {})
    memory = {} if memory is None else memory
    static: dict[str, Any] = {}

    def terms_at(params: Params, tunables: Mapping[str, Tensor]) -> Terms:
        terms = estimator.estimate(Runner(program, signals), params, noise, tunables, memory)
        static["evaluations"], static["tune_variance"] = terms.evaluations, terms.tune_variance
        static["coefficients"] = terms.coefficients
        return terms

    def gradient_at(params: Params, tunables: Mapping[str, Tensor]) -> tuple[Gradient, Any]:
        def losses(params: Params) -> tuple[tuple[Tensor, ...], Any]:
            terms = terms_at(params, tunables)
            aux = {"value": terms.value, "memory": terms.memory, "coefficients": _tensors(terms.coefficients)}
            if terms.failed is not None:
                aux["failed"] = terms.failed
            return tuple(loss.sum() for loss in terms.losses), aux

        totals, pullback, aux = torch.func.vjp(losses, params, has_aux=True)  # type: ignore[misc]
        coefficients = _untensors(static["coefficients"], aux["coefficients"])
        return _combine(totals, coefficients, pullback), aux

    gradient, aux = gradient_at(params, tunables)
    tunable_gradient: Gradient = {}
    if tunables and tune:

        def tunable_objective(tunables: Mapping[str, Tensor]) -> Tensor:
            loss = terms_at(params, tunables).tunable_loss
            objective = aux["value"].new_zeros(()) if loss is None else loss
            if static["tune_variance"]:
                inner, _ = gradient_at(params, tunables)
                objective = objective + torch.stack([g.square().sum() for g in inner.values()]).sum()
            return objective

        tunable_gradient = torch.func.grad(tunable_objective)(tunables)
    return Estimate(
        gradient, aux["value"], aux["memory"], static["evaluations"], tunable_gradient, aux.get("failed")
    )


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
