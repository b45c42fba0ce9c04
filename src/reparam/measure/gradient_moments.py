"""Gradient moments along a training: any list of estimators at the same parameters, on the same noise."""

from __future__ import annotations

import math
import statistics
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from reparam.engine import paths
from reparam.engine.learners.gradient import GradientLearner
from reparam.errors import NumericalError, ReparamError
from reparam.estimators import Estimator, chosen
from reparam.estimators.base import Sites
from reparam.estimators.card import Part, parts
from reparam.measure.base import Context, Measured, groups, register
from reparam.measure.moments import Moments, Sampler, begin
from reparam.measure.rows import minibatch
from reparam.measure.subject import pick
from reparam.oracles import objectives
from reparam.oracles.states import KINDS, NODES
from reparam.program import Program, describe

MOST_STATES = 2**16
"""Joint states, quadrature points included, that an oracle enumerates."""
ROUNDING = 1e-5
"""Of a gradient's largest entry: what single precision may put between an estimate and the oracle."""
REFERENCE = (
    "give a reference, such as {name: score_function, samples: 10, baseline: leave_one_out, draws: 1000000}"
)
TIMED = 11
"""Estimates whose median time is taken, after one that is not."""

QUANTITIES = (
    "mean_norm",
    "variance",
    "standard_error",
    "squared_bias",
    "bias_z",
    "reference_norm",
    "reference_error",
    "snr",
    "cosine",
    "work_variance",
)
Vectors = dict[str, Tensor]


class Reference(NamedTuple):
    """What the mean gradient is held against, and how far off that may be itself: by parameter."""

    mean: Vectors
    standard_error: Vectors


@register("gradient_moments", required=("estimators", "draws"), optional=("reference", "timed"))
def gradient_moments(context: Context, options: Mapping[str, Any]) -> Measured:
    """Moments of gradient estimates on one fixed minibatch of the training's size, per parameter group.

    Options:
    - `estimators`: {label: options}, with `name` where the label is not the estimator's name; any number of them. They
      meet the same noise, the same at every step. One that equals the cell's own, or one alongside, is measured
      with the tunables and averages of the training; others with the tunables that they start with, after settling.
    - `draws` of each (10,000 or more for a number that is to be trusted).
    - `reference`: `oracle` (the default: exact, for programs with at most 65,536 joint states per datum, Normal
      entries by quadrature), or {name, draws, …options}, an estimator on `draws` draws of its own noise. An oracle's
      target is that of the estimator's card: E[f], or the bound of so many samples.
    - `timed`: false leaves the times out, for which every estimator is traced once more.

    The gradient is that of the minibatch mean of the value (nats per datum), without the weights' prior. Metrics, as
    <quantity>/<label>/<group>, from sums over the entries of a group:
    - mean_norm, variance (the trace of one estimate's covariance), standard_error (the norm of the mean's);
    - squared_bias: of the distance to the reference, less what the noise of both adds, so that it may be slightly
      negative; bias_z: the largest entry of that distance in standard errors;
    - reference_norm and reference_error (the norms of the reference and of its standard errors);
    - snr: norm of the mean, less its noise, over the root of the variance; cosine: of mean and reference;
    - work_variance: variance times evaluations.
    All are NaN for an estimator whose estimates are not finite.
    evaluations/<label>: of f per datum and estimate. failed_rejections/<label>: over all draws, where there are any.

    Times are facts of the machine and go to the seed's status, of the last reading: seconds/<label> of one traced
    estimate as in a training step, and variance_seconds/<label>/<group>.
    """
    x = minibatch(context)
    program = context.task.program(x)
    references: dict[tuple[Part, ...], Reference] = {}
    metrics: dict[str, float] = {}
    machine: dict[str, float] = {}
    by_group = groups(context.params)
    for label, estimator in chosen(options["estimators"]).items():
        target = parts(estimator)
        try:
            sampler = begin(estimator, program, context.params, context.axes, **held(context, estimator))
            moments = sampler.take(int(options["draws"]))
            if target not in references:
                references[target] = _reference(context, program, target, options.get("reference", "oracle"))
        except NumericalError:
            metrics |= {
                f"{quantity}/{label}/{group}": math.nan for group in by_group for quantity in QUANTITIES
            }
            continue
        metrics[f"evaluations/{label}"] = float(moments.evaluations)
        if moments.failed is not None:
            metrics[f"failed_rejections/{label}"] = float(moments.failed)
        for group, names in by_group.items():
            found = summary(moments, references[target], names, len(x))
            metrics |= {f"{quantity}/{label}/{group}": value for quantity, value in found.items()}
        if context.last and options.get("timed", True):
            seconds = machine[f"seconds/{label}"] = _seconds(sampler, context.device)
            machine |= {
                f"variance_seconds/{label}/{group}": metrics[f"variance/{label}/{group}"] * seconds
                for group in by_group
            }
    return Measured(metrics, {}, machine)


def summary(moments: Moments, reference: Reference, names: list[str], data: int = 1) -> dict[str, float]:
    """The readings of one group of parameters, for the gradient of the mean over so many data."""
    mean, truth = _vector(moments.mean, names) / data, _vector(reference.mean, names) / data
    variance = _vector(moments.variance, names) / data**2
    truth_error = _vector(reference.standard_error, names) / data
    square = variance / moments.draws
    noise = square + truth_error.square()
    off = mean - truth
    rounding = ROUNDING * truth.abs().max()
    total = variance.sum()
    signal = (mean.square().sum() - square.sum()).clamp(min=0)
    found = (
        mean.norm(),
        total,
        square.sum().sqrt(),
        off.square().sum() - noise.sum(),
        torch.where(off == 0, 0.0, off.abs() / (noise + rounding.square()).sqrt()).max(),
        truth.norm(),
        truth_error.norm(),
        (signal / total).sqrt(),
        mean @ truth / (mean.norm() * truth.norm()),
        total * moments.evaluations,
    )
    return dict(zip(QUANTITIES, (entry.item() for entry in found), strict=True))


def _vector(entries: Mapping[str, Tensor], names: list[str]) -> Tensor:
    return torch.cat([entries[name].flatten() for name in names])


def held(context: Context, estimator: Estimator) -> dict[str, Any]:
    """What training has made of the estimator, if it was part of it."""
    learner = context.learner
    return learner.held(dict(context.state), estimator) if isinstance(learner, GradientLearner) else {}


def _reference(context: Context, program: Program, target: tuple[Part, ...], given: Any) -> Reference:
    """The oracle's gradient of this objective, or an estimator's mean on noise of its own."""
    if given != "oracle":
        (estimator,) = chosen({given["name"]: {k: v for k, v in given.items() if k != "draws"}}).values()
        sampler = begin(
            estimator, program, context.params, (*context.axes, "reference"), **held(context, estimator)
        )
        moments = sampler.take(int(given["draws"]))
        return Reference(moments.mean, moments.standard_error)
    _check_states(describe(program, context.params), target)
    params = {name: entry.detach().clone().requires_grad_() for name, entry in context.params.items()}
    with torch.enable_grad():
        value = objectives.combination(program, params, target)
        gradients = torch.autograd.grad(
            value.sum(), list(params.values()), allow_unused=True, materialize_grads=True
        )
    mean = {name: entry.double() for name, entry in zip(params, gradients, strict=True)}
    return Reference(mean, {name: torch.zeros_like(entry) for name, entry in mean.items()})


def _check_states(sites: Sites, target: tuple[Part, ...]) -> None:
    """ReparamError when no oracle knows a law, or would have to enumerate too many states for this objective."""
    states = 1
    for name, site in sites.items():
        if type(site.law).__name__ not in KINDS:
            raise ReparamError(
                f"gradient_moments: no oracle for the {type(site.law).__name__} law of site {name!r}; {REFERENCE}"
            )
        states *= getattr(site.law, "states", None) or NODES ** math.prod(site.law.event)
    joint = states ** max(part.samples for part in target)
    if joint > MOST_STATES:
        raise ReparamError(
            f"gradient_moments: an oracle would have to enumerate 2^{math.log2(joint):.0f} states; {REFERENCE}"
        )


def _seconds(sampler: Sampler, device: torch.device) -> float:
    """The median time of one estimate, traced as a training step is, without its noise."""
    draw = pick(next(sampler.noise.chunks("draws", 1, 1)), 0)
    ready = paths.build(lambda noise: sampler.subject.one(noise).gradient, (draw,), "traced")
    times = []
    with torch.no_grad():
        for _ in range(1 + TIMED):
            start = _now(device)
            ready(draw)
            times.append(_now(device) - start)
    return statistics.median(times[1:])


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()
