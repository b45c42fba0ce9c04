"""Variance of a minibatch's gradient against its size, by how weights are perturbed, and the parts of Theorem 2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import linear

from reparam import data
from reparam.cells.procedures import Findings, Row, procedure
from reparam.estimators.pathwise import Pathwise
from reparam.measure import signal_to_noise
from reparam.models import random_affine
from reparam.noise import draw, generator
from reparam.program import Params, Program, Sample

LAYERS = {"hidden": "hidden.weight", "output": "output.weight"}
COVARIANCE = ("shared", "flipout")
"""Ways whose perturbations of different data depend on each other."""


@procedure("gradient_variance")
def gradient_variance(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """Variance of the gradient of the mean log-likelihood over N rows drawn with replacement, per weight, averaged over
    a layer's weights, from `draws` draws of rows and perturbations at frozen weights.

    Rows by N = `batches`: batch, variance/<layer>, covariance/<layer> of the gradients of the two halves, and
    to_theorem/<layer>: the variance over α/N + (N − 1)/N c, with α the variance at N = 1 and c the covariance at the
    largest N (0 where perturbations are independent). In the last row accuracy on the training rows, slope/<layer> of
    ln variance on ln N, last_slope/… between the two largest N, knee/… = α/c where c > 0, and tenfold_covariance/….
    """
    options = spec["evaluation"]
    x, labels, params, accuracy = trained(spec, seed)
    counts = options["batches"]
    variance: dict[str, list[float]] = {name: [] for name in LAYERS}
    covariance: dict[str, list[float]] = {name: [] for name in LAYERS}
    for batch in counts:
        axes = (spec["paper"], spec["experiment"], seed, batch)
        masks = (
            [torch.ones(1)] if batch == 1 else [*torch.eye(2).repeat_interleave(batch // 2, 1) * 2 / batch]
        )
        halves = [
            signal_to_noise.estimates(
                Pathwise(), likelihood(spec, x, labels, params, mask), weights(params), options["draws"], axes
            ).gradient
            for mask in masks
        ]
        for name, key in LAYERS.items():
            parts = [half[key].double() for half in halves]
            variance[name].append(torch.stack(parts).mean(0).var(0).mean().item())
            centred = [part - part.mean(0) for part in parts]
            product = (centred[0] * centred[-1]).sum(0) / (options["draws"] - 1)
            covariance[name].append(product.mean().item())
    return Findings([*rows(spec, counts, variance, covariance), (len(counts) - 1, "accuracy", accuracy)], {})


def rows(
    spec: Mapping[str, Any],
    counts: list[int],
    variance: Mapping[str, list[float]],
    covariance: Mapping[str, list[float]],
) -> list[Row]:
    """What follows from the variances and covariances by N."""
    last = len(counts) - 1
    found: list[Row] = [(step, "batch", batch) for step, batch in enumerate(counts)]
    for name in LAYERS:
        alpha, common = variance[name][0], covariance[name][-1]
        together = common if spec["method"]["name"] in COVARIANCE else 0.0
        for step, batch in enumerate(counts):
            theorem = alpha / batch + (batch - 1) / batch * together
            found.append((step, f"variance/{name}", variance[name][step]))
            found.append((step, f"to_theorem/{name}", variance[name][step] / theorem))
            if batch > 1:
                found.append((step, f"covariance/{name}", covariance[name][step]))
        found.append((last, f"tenfold_covariance/{name}", 10 * common))
        found.append((last, f"slope/{name}", signal_to_noise.rate(counts, variance[name], counts[0])))
        found.append((last, f"last_slope/{name}", signal_to_noise.rate(counts, variance[name], counts[-2])))
        if common > 0:
            found.append((last, f"knee/{name}", alpha / common))
    return found


def weights(params: Params) -> dict[str, Tensor]:
    """The perturbed ones among the parameters."""
    return {key: params[key] for key in LAYERS.values()}


def likelihood(spec: Mapping[str, Any], x: Tensor, labels: Tensor, biases: Params, mask: Tensor) -> Program:
    """The log-likelihood of each of len(`mask`) rows, drawn with replacement, in nats, times `mask`.

    Weights are W ∘ (1 + s ε) with s = `relative_deviation`.
    """
    way = random_affine.WAYS[spec["method"]["name"]]
    deviation = spec["task"]["relative_deviation"]

    def program(params: Params, sample: Sample) -> Tensor:
        chosen = random_affine.drawn(sample, "rows", x, len(mask))

        def layer(name: str, inputs: Tensor) -> Tensor:
            weight = params[f"{name}.weight"]
            output = way(sample, name, inputs, weight, deviation * weight.abs())
            return output + biases[f"{name}.bias"]

        logits = layer("output", layer("hidden", x[chosen]).relu())
        return mask * logits.log_softmax(-1).gather(-1, labels[chosen].unsqueeze(-1)).squeeze(-1)

    return program


def trained(spec: Mapping[str, Any], seed: int) -> tuple[Tensor, Tensor, dict[str, Tensor], float]:
    """Rows, classes, and a network with one hidden layer after `steps` full gradient steps without perturbations, with
    its accuracy on these rows."""
    task = spec["task"]
    dataset = data.load(task["data"])
    x, labels = dataset.train, dataset.train_labels
    assert labels is not None
    classes = int(labels.max()) + 1
    source = generator(spec["paper"], "network", seed)
    sizes = {"hidden": (task["hidden"], x.shape[1]), "output": (classes, task["hidden"])}
    params: dict[str, Tensor] = {}
    for name, (outputs, inputs) in sizes.items():
        params[f"{name}.weight"] = draw("normal", (outputs, inputs), source) * (2 / inputs) ** 0.5
        params[f"{name}.bias"] = torch.zeros(outputs)

    def logits(params: Params) -> Tensor:
        hidden = linear(x, params["hidden.weight"], params["hidden.bias"]).relu()
        return linear(hidden, params["output.weight"], params["output.bias"])

    def loss(params: Params) -> Tensor:
        return torch.nn.functional.cross_entropy(logits(params), labels)

    for _ in range(task["steps"]):
        slopes = torch.func.grad(loss)(params)
        params = {name: entry - task["rate"] * slopes[name] for name, entry in params.items()}
    accuracy = (logits(params).argmax(-1) == labels).double().mean().item()
    return x, labels, params, accuracy
