"""Networks with weights W ∘ (1 + s ε), and how they are partly trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.func import grad
from torch.nn.functional import cross_entropy, linear
from torch.utils._pytree import tree_map

from reparam import data
from reparam.engine.minibatch import minibatch_indices
from reparam.engine.optimisers import Adam
from reparam.models import random_affine, random_convolution
from reparam.models.convolution import KERNEL, features
from reparam.noise import Noise, draw, draw_block, generator
from reparam.program import Params, Sample, describe, follow

BLOCK = 20
"""Training steps whose noise is drawn at once."""
MEMORY = 0.95
"""Of the running accuracy by which training ends."""


@dataclass(frozen=True)
class Network:
    """Convolutions of stride 2, then affine layers, with ReLU between them: {layer: its weight's shape}.

    Layer `name` owns `name.weight` and `name.bias`; only weights are perturbed.
    """

    shape: tuple[int, int]
    layers: Mapping[str, tuple[int, ...]]
    deviation: float
    """s, relative to a weight's size."""

    def init(self, source: torch.Generator) -> dict[str, Tensor]:
        """Weights as He et al. 2015 start them (Eq. 10), biases of 0."""
        params: dict[str, Tensor] = {}
        for name, size in self.layers.items():
            inputs = torch.Size(size[1:]).numel()
            params[f"{name}.weight"] = draw("normal", size, source) * (2 / inputs) ** 0.5
            params[f"{name}.bias"] = torch.zeros(size[0])
        return params

    def logits(self, params: Params, x: Tensor, way: str, sample: Sample | None) -> Tensor:
        """Of rows x [B, D]: [B, classes]. Rows share perturbations in this way; without `sample` there are none."""
        for i, (name, size) in enumerate(self.layers.items()):
            weight, bias = params[f"{name}.weight"], params[f"{name}.bias"]
            scale = self.deviation * weight.abs()
            x = x.relu() if i else x
            if len(size) == 4:
                x = x if i else x.unflatten(1, (1, *self.shape))
                x = (
                    random_convolution.WAYS[way](sample, name, x, weight, scale)
                    if sample
                    else random_convolution.convolve(x, weight)
                ) + bias[:, None, None]
            else:
                x = x.flatten(1)
                x = (
                    random_affine.WAYS[way](sample, name, x, weight, scale) if sample else linear(x, weight)
                ) + bias
        return x


def network(task: Mapping[str, Any], shape: tuple[int, int], classes: int) -> Network:
    """`channels` of convolutions (none where the task does not say), then `depth` layers of `hidden` units, then the
    classes. The first layer is called hidden and the last output."""
    layers: dict[str, tuple[int, ...]] = {}
    inputs = shape[0] * shape[1]
    channels = task.get("channels") or []
    for i, outputs in enumerate(channels):
        layers[f"convolution{i + 1}"] = (outputs, channels[i - 1] if i else 1, KERNEL, KERNEL)
        inputs = features(shape, channels)
    for i in range(task["depth"]):
        layers["hidden" if i == 0 else f"hidden{i + 1}"] = (task["hidden"], inputs)
        inputs = task["hidden"]
    layers["output"] = (classes, inputs)
    return Network(shape, layers, task["relative_deviation"])


def trained(spec: Mapping[str, Any], seed: int) -> tuple[Network, Tensor, Tensor, dict[str, Tensor], float]:
    """The network, rows, their classes, parameters after training, and the accuracy on these rows.

    Without `until`: `steps` steps of `rate` down the full gradient, no weight being perturbed. With it: Adam, by
    minibatches of `batch` rows, which share perturbations in the way `perturbed` (`none`: without), until the running
    accuracy of the network so perturbed, which is then returned, has reached `until`, or `steps` are made.
    """
    task = spec["task"]
    dataset = data.load(task["data"])
    x, labels = dataset.train, dataset.train_labels
    assert labels is not None
    model = network(task, dataset.shape, int(labels.max()) + 1)
    params = model.init(generator(spec["paper"], "network", seed))
    if "until" in task:
        return model, x, labels, *_until(spec, seed, model, x, labels, params)

    def loss(params: Params) -> Tensor:
        return cross_entropy(model.logits(params, x, "shared", None), labels)

    for _ in range(task["steps"]):
        slopes = grad(loss)(params)
        params = {name: entry - task["rate"] * slopes[name] for name, entry in params.items()}
    accuracy = (model.logits(params, x, "shared", None).argmax(-1) == labels).double().mean().item()
    return model, x, labels, params, accuracy


def _until(
    spec: Mapping[str, Any], seed: int, model: Network, x: Tensor, labels: Tensor, params: dict[str, Tensor]
) -> tuple[dict[str, Tensor], float]:
    """Parameters and running accuracy at the end of a training with perturbations."""
    task, axes = spec["task"], (spec["paper"], "network", seed)
    way, batch = task["perturbed"], task["batch"]
    adam, running, weight = Adam(task["rate"]), 0.0, 0.0
    state = adam.init(params)

    def logits(params: Params, sample: Any, rows: Tensor) -> Tensor:
        return model.logits(params, x[rows], way, None if way == "none" else sample)

    sites = describe(lambda params, sample: logits(params, sample, torch.arange(batch)).sum(-1), params)
    specs = {name: site.law.noise() for name, site in sites.items()}

    def loss(params: Params, rows: Tensor, noise: Noise) -> tuple[Tensor, Tensor]:
        found = logits(params, follow(noise), rows)
        return cross_entropy(found, labels[rows]), (found.argmax(-1) == labels[rows]).double().mean()

    for step in range(task["steps"]):
        if step % BLOCK == 0:
            index = minibatch_indices(axes, step, BLOCK, batch, len(x))
            block = draw_block(specs, (*axes, "train", step), BLOCK)
        now = step % BLOCK
        noise = tree_map(lambda draws, now=now: draws[now], block)
        slopes, right = grad(loss, has_aux=True)(params, index[now], noise)
        params, state = adam.update(slopes, state, params)
        running, weight = MEMORY * running + right.item(), MEMORY * weight + 1
        if running / weight >= task["until"]:
            break
    return params, running / weight
