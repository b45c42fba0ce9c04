"""Variances and signal-to-noise ratios by the running moments of a training, and the scalars that estimators tune."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from reparam.engine.learners.carried import running_variance
from reparam.errors import ReparamError
from reparam.measure.base import Context, Measured, groups, register

LOG = "log_"


@register("running_variance")
def variance_along(context: Context, options: Mapping[str, Any]) -> Measured:
    """The natural logarithm of the mean variance of a gradient's entry, by the training's running moments.

    Of the gradient of the minibatch mean of the value (nats per datum), minibatches and steps included (Tucker et al.
    2017, Fig 2). Metrics: running_log_variance/<who> over all parameters and running_log_variance/<who>/<group>, who
    being `own`, the cell's estimator, or the label of one alongside. Variances of 0 have none.

    Raises ReparamError when the training keeps no moments.
    """
    _need_moments(context, "running_variance")
    metrics: dict[str, float] = {}
    for who, own in _members(context.state).items():
        found = running_variance(own["moments"])
        parts = {f"/{group}": names for group, names in groups(context.params).items()}
        for group, names in {"": list(found), **parts}.items():
            mean = _mean(found, names)
            if mean > 0:
                metrics[f"running_log_variance/{who}{group}"] = math.log(mean)
    return Measured(metrics, {})


@register("running_signal_to_noise")
def signal_along(context: Context, options: Mapping[str, Any]) -> Measured:
    """The squared signal-to-noise ratio by the same moments: the mean squared running mean of an entry over its mean
    running variance (Tucker et al. 2019, code).

    Metrics: running_squared_snr/<who>/<group>. Noise alone reads (1 − decay) / (1 + decay), and the movement of the
    parameters is part of both.

    Raises ReparamError when the training keeps no moments.
    """
    _need_moments(context, "running_signal_to_noise")
    metrics: dict[str, float] = {}
    for who, own in _members(context.state).items():
        variance, weight = running_variance(own["moments"]), own["moments"]["weight"]
        squares = {name: (entry / weight).square() for name, entry in own["moments"]["mean"].items()}
        for group, names in groups(context.params).items():
            noise = _mean(variance, names)
            if noise > 0:
                metrics[f"running_squared_snr/{who}/{group}"] = _mean(squares, names) / noise
    return Measured(metrics, {})


@register("tuned_numbers")
def tuned_numbers(context: Context, options: Mapping[str, Any]) -> Measured:
    """Every scalar that an estimator tunes, and the exponential of a log_<name> as <name>.

    Metrics: tuned/<who>/<name>, such as tuned/own/temperature, who being `own` or the label of one alongside.
    """
    metrics = {}
    for who, own in _members(context.state).items():
        for name, entry in own["tunables"].items():
            if entry.ndim == 0:
                value = entry.exp() if name.startswith(LOG) else entry
                metrics[f"tuned/{who}/{name.removeprefix(LOG)}"] = value.item()
    return Measured(metrics, {})


def _need_moments(context: Context, measurement: str) -> None:
    if "moments" not in context.state:
        raise ReparamError(f"{measurement} needs running moments: give training a decay, moments: 0.999")


def _mean(entries: Mapping[str, Tensor], names: list[str]) -> float:
    """Over all entries of these parameters."""
    return torch.cat([entries[name].flatten() for name in names]).double().mean().item()


def _members(state: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """The cell's estimator and those alongside: their parts of the state."""
    return {"own": state, **state.get("alongside", {})}
