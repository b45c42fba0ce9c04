"""Variance of a training gradient at fixed parameters, split into its data part and its noise part."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from reparam import data
from reparam.engine.gradient import estimate_gradient
from reparam.engine.learners.gradient import GradientLearner
from reparam.engine.minibatch import minibatch_indices
from reparam.errors import ReparamError
from reparam.measure.base import Context, Measured, register
from reparam.noise import NoiseSpec, draw_block
from reparam.program import describe


def split_variance(gradients: Tensor) -> tuple[Tensor, Tensor]:
    """(data part, noise part) of the trace of the gradient's covariance, from gradients [M, D, P].

    M minibatches, D noise draws of its own for each, P parameter entries. The noise part is E_batch Var_noise; the data
    part is Var_batch E_noise, estimated without bias by taking the noise of the D-means away, so that it
    may come out slightly negative (one-way random-effects analysis of variance).
    """
    draws = gradients.shape[1]
    noise = gradients.var(dim=1).sum(-1).mean()
    data = gradients.mean(dim=1).var(dim=0).sum() - noise / draws
    return data, noise


@register("gradient_variance", required=("minibatches", "draws"))
def gradient_variance(context: Context, options: Mapping[str, Any]) -> Measured:
    """Per parameter group, the variance of ∇ of the bound per datum, summed over the group's entries.

    Options: `minibatches` (≥ 2) and `draws` (≥ 2) of the training's minibatch size. The gradient is that
    of the minibatch mean of the value (nats per datum), without the weights' prior, which has no
    variance. Metrics: gradient_variance/<group>/data, …/noise and gradient_norm/<group> (the squared norm
    of the mean gradient).
    """
    learner, task = context.learner, context.task
    if not isinstance(learner, GradientLearner):
        raise ReparamError("gradient_variance needs a gradient estimator as the cell's method")
    minibatches, draws = int(options["minibatches"]), int(options["draws"])
    batch, params = context.batch, context.params
    index = minibatch_indices(context.axes, 0, minibatches, batch, len(task.train))
    x = task.train[index.to(task.train.device)]
    if task.binarisation == "dynamic":
        specs = {"data": {"uniform": NoiseSpec("uniform", tuple(x.shape[1:]))}}
        pixels = draw_block(specs, context.axes, minibatches, context.device)
        x = data.binarise(x, pixels["data"]["uniform"])
    sites = describe(learner.program(x[0]), params)
    estimator = learner.estimator
    wanted, tunables, memory = estimator.noise(sites), context.state["tunables"], context.state["memory"]

    def one(x: Tensor, noise: Any) -> dict[str, Tensor]:
        estimate = estimate_gradient(
            estimator, learner.program(x), params, noise, tunables, memory, tune=False
        )
        return {name: entry / batch for name, entry in estimate.gradient.items()}

    over_draws = torch.vmap(one, in_dims=(None, 0))
    stacked = [
        over_draws(minibatch, draw_block(wanted, (*context.axes, m), draws, context.device))
        for m, minibatch in enumerate(x)
    ]
    metrics: dict[str, float] = {}
    for group in sorted({name.partition(".")[0] for name in params}):
        members = [name for name in params if name.partition(".")[0] == group]
        gradients = torch.stack([torch.cat([g[n].flatten(1) for n in members], dim=1) for g in stacked])
        across, within = split_variance(gradients.double())
        metrics[f"gradient_variance/{group}/data"] = across.item()
        metrics[f"gradient_variance/{group}/noise"] = within.item()
        metrics[f"gradient_norm/{group}"] = gradients.double().mean(dim=(0, 1)).square().sum().item()
    return Measured(metrics, {})
