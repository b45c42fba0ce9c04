"""Random networks without the weights that matter least."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from reparam.errors import ReparamError
from reparam.measure.base import Context, Measured, register
from reparam.measure.predictions import log_probabilities, scores
from reparam.measure.rows import rows
from reparam.models.random_network import RandomNetwork
from reparam.program import Params

NOTHING = -100.0
"""The ρ of a weight that is taken out: its standard deviation is 0 in single precision."""


@register("pruning", required=("removed",), optional=("samples", "points", "splits"))
def pruning(context: Context, options: Mapping[str, Any]) -> Measured:
    """Test errors of the network after weights with the least |μ|/σ are set to 0 (Blundell et al. 2015, §5.1, Table 2).

    Options: `removed` (shares of the weights of all layers, biases aside), `samples`, `points` and `splits` as in
    `predictions`. Metrics: error_without_<share>/<split> and, with samples, sampled_error_without_<share>/<split>, in
    per cent. Weights without noise of their own go by |μ|.

    Raises ReparamError for a task without a network of random weights.
    """
    network = network_of(context, "pruning")
    task: Any = context.task
    ratio = signal_to_noise(network, context.params)
    flat = torch.cat([entry.flatten() for entry in ratio])
    order = flat.argsort(stable=True)
    metrics = {}
    samples = int(options.get("samples", 0))
    for share in options["removed"]:
        keep = torch.ones_like(flat)
        keep[order[: round(share * len(flat))]] = 0.0
        params = without(context.params, keep.split([entry.numel() for entry in ratio]))
        for split in options.get("splits", ["test"]):
            x = rows(context, split, options.get("points"))
            for prefix, count in {"": 0, "sampled_": samples}.items():
                if samples or not prefix:
                    log_p = log_probabilities(task, params, x, count, (*context.axes, split))
                    error = scores(log_p, x[:, -2].long(), ())["error"]
                    metrics[f"{prefix}error_without_{share}/{split}"] = error
    return Measured(metrics, {})


def network_of(context: Context, who: str) -> RandomNetwork:
    """The task's network; ReparamError, naming who asks, where it has none."""
    network = getattr(context.task, "network", None)
    if not isinstance(network, RandomNetwork):
        raise ReparamError(f"{who} needs a task with a network of random weights, such as bayesian_network")
    return network


def deviation(network: RandomNetwork, params: Params, layer: int) -> Tensor | None:
    """Standard deviations of a layer's weights [outputs, inputs], biases aside; None where they have no noise."""
    if not network.independent:
        return None
    return network.law(params, layer).scale[:, : network.widths[layer]]


def signal_to_noise(network: RandomNetwork, params: Params) -> list[Tensor]:
    """|μ|/σ of the weights, layer by layer [outputs, inputs], or |μ| where they have no noise of their own."""
    found = []
    for i in network.layers:
        mean, spread = params[f"mean.{i}.weight"].abs(), deviation(network, params, i)
        found.append(mean if spread is None else mean / spread)
    return found


def without(params: Params, keep: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """The parameters with the weights of layer i, flat, 0 and without noise where keep[i] is 0."""
    found = dict(params)
    for i, kept in enumerate(keep):
        mean = params[f"mean.{i}.weight"]
        stays = kept.reshape(mean.shape) > 0
        found[f"mean.{i}.weight"] = mean.where(stays, torch.zeros_like(mean))
        if f"rho.{i}.weight" in params:
            rho = params[f"rho.{i}.weight"]
            found[f"rho.{i}.weight"] = rho.where(stays, torch.full_like(rho, NOTHING))
    return found
