"""The variance of the gradient that a training follows, at its own parameters, as the papers plot it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch

from reparam.engine.learners.gradient import GradientLearner
from reparam.errors import ReparamError
from reparam.measure.base import Context, Measured, groups, register
from reparam.measure.moments import begin


@register("log_variance", required=("draws",))
def log_variance(context: Context, options: Mapping[str, Any]) -> Measured:
    """The mean variance of an entry of one gradient estimate, per parameter group, and its natural logarithm.

    Of the cell's own estimator with the tunables and averages of the training, over `draws` draws of all noise, for the
    first datum; in (nats per unit of the parameter)². Metrics: variance/<group> and, where it is not 0,
    log_variance/<group> (Tucker et al. 2017; Grathwohl et al. 2018). `gradient_moments` says more at greater cost.

    Raises ReparamError when the cell's method is no gradient estimator.
    """
    learner, state = context.learner, context.state
    if not isinstance(learner, GradientLearner):
        raise ReparamError("log_variance needs a gradient estimator as the cell's method")
    program = learner.program(context.task.train[:1])
    held = {"tunables": state["tunables"], "memory": state["memory"]}
    sampler = begin(learner.estimator, program, context.params, context.axes, **held, factorised=False)
    moments = sampler.take(int(options["draws"]), compiled=False)
    metrics: dict[str, float] = {}
    for group, names in groups(context.params).items():
        variance = torch.cat([moments.variance[name].flatten() for name in names]).mean().item()
        metrics[f"variance/{group}"] = variance
        if variance > 0:
            metrics[f"log_variance/{group}"] = math.log(variance)
    return Measured(metrics, {})
