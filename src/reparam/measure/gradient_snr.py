"""The signal-to-noise ratio of the gradient that a training follows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from reparam.engine.learners.gradient import GradientLearner
from reparam.errors import ReparamError
from reparam.measure.base import Context, Measured, groups, register
from reparam.measure.gradient_moments import held
from reparam.measure.moments import begin
from reparam.measure.rows import minibatch


@register("gradient_snr", required=("draws",))
def gradient_snr(context: Context, options: Mapping[str, Any]) -> Measured:
    """The norm of the mean gradient over the root of its trace variance, per parameter group, on one fixed minibatch.

    Of the cell's own estimator with the tunables and averages of the training, over `draws` draws of all noise. What
    the noise of few draws adds to the squared norm is taken off, so that a ratio below some (2/P)^¼ / √draws, for P
    parameters, may read 0. Metrics: snr/<group>.

    Raises ReparamError when the cell's method is no gradient estimator.
    """
    learner, draws = context.learner, int(options["draws"])
    if not isinstance(learner, GradientLearner):
        raise ReparamError("gradient_snr needs a gradient estimator as the cell's method")
    program, own = learner.program(minibatch(context)), learner.estimator
    moments = begin(own, program, context.params, context.axes, **held(context, own)).take(draws)
    metrics = {}
    for group, names in groups(context.params).items():
        mean, variance = (
            torch.cat([entries[name].flatten() for name in names])
            for entries in (moments.mean, moments.variance)
        )
        noise = variance.sum()
        signal = (mean.square().sum() - noise / draws).clamp(min=0)
        metrics[f"snr/{group}"] = (signal / noise).sqrt().item()
    return Measured(metrics, {})
