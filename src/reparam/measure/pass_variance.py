"""Variance of the gradient over the minibatches of one pass, by how they share the noise of random weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from reparam.engine.gradient import estimate_gradient
from reparam.engine.minibatch import minibatch_indices
from reparam.errors import ReparamError
from reparam.estimators.pathwise import Pathwise
from reparam.measure.base import Context, Measured, register
from reparam.measure.halves import joined, numbers, own_noise
from reparam.measure.running import Running, sums
from reparam.models.random_affine import WAYS
from reparam.noise import Noise, draw_block
from reparam.program import Params, Program, Sample

NONE = "none"
AT_ONCE = 2**25
"""Numbers of noise that are drawn and used at once, roughly."""


@register("pass_variance", required=("weights",), optional=("minibatch",))
def pass_variance(context: Context, options: Mapping[str, Any]) -> Measured:
    """Of the gradient of the log-likelihood of N rows, estimated by N/M that of a minibatch, with respect to the means
    of the weights: the sample variance over all minibatches of one pass, averaged over the weights of a layer (Kingma
    et al. 2015, Table 1; nats²).

    Options: `weights`, a list of ways to share noise (of `random_affine`, or `none`: weights at their means), and
    `minibatch` = M (that of the training); rows beyond a multiple of M are left out. Ways meet the same minibatches,
    and the same noise where they share a site. Metrics: pass_variance/<way>/bottom, of the first layer, and …/top, of
    the last.

    Raises ReparamError for a task without random weights, an unknown way, and fewer than two minibatches.
    """
    task: Any = context.task
    network = getattr(task, "network", None)
    if network is None or not network.independent:
        raise ReparamError("pass_variance needs a task with random weights, such as bayesian_network")
    rows, size = len(task.train), int(options.get("minibatch", context.batch))
    if not 1 <= size <= rows // 2:
        raise ReparamError(
            f"pass_variance: minibatches of {size} of {rows} rows are not two: give a smaller minibatch"
        )
    passed = minibatch_indices(context.axes, 0, rows // size, size, rows)
    layers = {
        "bottom": f"mean.{network.layers[0]}.weight",
        "top": f"mean.{network.layers[-1]}.weight",
    }
    metrics = {}
    for way in options["weights"]:
        if way not in (NONE, *WAYS):
            raise ReparamError(f"pass_variance: weights {way!r}; use some of {', '.join((NONE, *WAYS))}")
        running: Running | None = None
        for number, index in enumerate(passed):
            x = task.train[index.to(task.train.device)]
            found = minibatch_gradient(
                task, way, context.params, list(layers.values()), x, (*context.axes, number)
            )
            scaled = {name: rows / size * entry for name, entry in found.items()}
            running = running or Running(scaled)
            running.add(sums({name: entry[None] for name, entry in scaled.items()}, running.pivot), 1)
        assert running is not None
        for name, key in layers.items():
            metrics[f"pass_variance/{way}/{name}"] = running.variance[key].mean().item()
    return Measured(metrics, {})


def minibatch_gradient(
    task: Any, way: str, params: Params, names: list[str], x: Tensor, axes: tuple[str | int, ...]
) -> dict[str, Tensor]:
    """The gradient of the summed log-likelihood of rows x in the parameters of these names, at noise from `axes`.

    Noise that each datum has for itself is drawn for some data at a time, so that a weight matrix for each of a
    thousand data needs little memory; noise that they share is drawn once, whatever the parts.
    """
    estimator, free = Pathwise(), {name: params[name] for name in names}
    network = task.network if way == NONE else replace(task.network, weights=way)

    def program(rows: Tensor) -> Program:
        def value(given: Params, sample: Sample) -> Tensor:
            outputs = network.outputs({**params, **given}, rows[:, :-2], None if way == NONE else sample)
            return task.log_likelihood(outputs, rows[:, -2])  # type: ignore[no-any-return]

        return value

    common, own = own_noise(estimator, lambda count: program(x[:1].expand(count, -1)), free)
    shared = draw_block(common, (*axes, "common"), 1, x.device)
    total: dict[str, Tensor] = {}
    for number, rows in enumerate(x.split(max(1, AT_ONCE // max(1, numbers(own(1)))))):
        drawn = joined(shared, draw_block(own(len(rows)), (*axes, number), 1, x.device))
        noise: Noise = {
            site: {role: entry[0] for role, entry in roles.items()} for site, roles in drawn.items()
        }
        with torch.no_grad():
            found = estimate_gradient(estimator, program(rows), free, noise).gradient
        total = {name: entry + total[name] if total else entry for name, entry in found.items()}
    return total
