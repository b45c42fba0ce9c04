"""Variance of a minibatch's gradient against its size, by how weights are perturbed, and the parts of Theorem 2."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from reparam.cells.procedures import Findings, Row, procedure
from reparam.estimators.pathwise import Pathwise
from reparam.measure import halves, signal_to_noise
from reparam.measure.step_seconds import sampled_by_label, update_seconds
from reparam.models import random_affine
from reparam.papers.wen2018.networks import Network, trained
from reparam.program import Params, Program, Sample

COVARIANCE = ("shared", "flipout")
"""Ways whose perturbations of different data depend on each other."""


@procedure("gradient_variance")
def gradient_variance(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """Variance of the gradient of the mean log-likelihood over N rows drawn with replacement, per weight, averaged over
    a layer's weights, from `draws` draws of rows and perturbations at frozen weights; of the task's `measured` layers.

    Rows by N = `batches`: batch, variance/<layer>, covariance/<layer> of the gradients of the two halves, and
    to_theorem/<layer>: the variance over α/N + (N − 1)/N c, with α the variance at N = 1 and c the covariance at the
    largest N (0 where perturbations are independent). In the last row accuracy on the training rows, slope/<layer> of
    ln variance on ln N, last_slope/… between the two largest N, knee/… = α/c where c > 0, and tenfold_covariance/….
    """
    options, layers = spec["evaluation"], spec["task"]["measured"]
    model, x, labels, params, accuracy = trained(spec, seed)
    program = likelihood(model, spec["method"]["name"], x, labels, params)
    weights = {f"{name}.weight": params[f"{name}.weight"] for name in layers}
    spreads = [
        halves.spread(
            Pathwise(),
            program,
            weights,
            batch,
            options["draws"],
            (spec["paper"], spec["experiment"], seed, batch),
        )
        for batch in options["batches"]
    ]
    found = {
        name: ([s.variance[key] for s in spreads], [s.covariance.get(key, 0.0) for s in spreads])
        for name, key in zip(layers, weights, strict=True)
    }
    last = len(spreads) - 1
    return Findings([*rows(spec, options["batches"], found), (last, "accuracy", accuracy)], {})


@procedure("speed")
def speed(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """seconds of one update whose weights are perturbed as the cell's method says, its noise included: medians of
    `timings`. Times are the subject here, so these rows, unlike those of other histories, differ from run to run."""
    axes = (spec["paper"], spec["experiment"], seed)
    seconds = update_seconds(sampled_by_label(spec), axes, device, spec["evaluation"]["timings"])
    return Findings([(0, "seconds", seconds)], {})


def rows(
    spec: Mapping[str, Any], counts: list[int], found: Mapping[str, tuple[list[float], list[float]]]
) -> list[Row]:
    """What follows from variances and covariances by N, which are given by layer."""
    last = len(counts) - 1
    table: list[Row] = [(step, "batch", batch) for step, batch in enumerate(counts)]
    for name, (variance, covariance) in found.items():
        alpha, common = variance[0], covariance[-1]
        together = common if spec["method"]["name"] in COVARIANCE else 0.0
        for step, batch in enumerate(counts):
            theorem = alpha / batch + (batch - 1) / batch * together
            table.append((step, f"variance/{name}", variance[step]))
            table.append((step, f"to_theorem/{name}", variance[step] / theorem))
            if batch > 1:
                table.append((step, f"covariance/{name}", covariance[step]))
        table.append((last, f"tenfold_covariance/{name}", 10 * common))
        table.append((last, f"slope/{name}", signal_to_noise.rate(counts, variance, counts[0])))
        table.append((last, f"last_slope/{name}", signal_to_noise.rate(counts, variance, counts[-2])))
        if common > 0:
            table.append((last, f"knee/{name}", alpha / common))
    return table


def likelihood(
    model: Network, way: str, x: Tensor, labels: Tensor, params: Params
) -> Callable[[int], Program]:
    """n → the log-likelihood of each of n rows, drawn with replacement, in nats, as a program of some of the weights;
    what it is not given is as in `params`."""

    def of(count: int) -> Program:
        def program(given: Params, sample: Sample) -> Tensor:
            chosen = random_affine.drawn(sample, "rows", x, count)
            logits = model.logits({**params, **given}, x[chosen], way, sample)
            return logits.log_softmax(-1).gather(-1, labels[chosen].unsqueeze(-1)).squeeze(-1)

        return program

    return of
