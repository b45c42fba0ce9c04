"""The wake-sleep algorithm (Hinton et al. 1995), the baseline of Kingma & Welling 2014."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from reparam.engine import optimisers
from reparam.engine.learners.base import Metrics, Params, State, read_options, register
from reparam.noise import Noise, NoiseSpec
from reparam.tasks import Task, latent_variable


@register("wake_sleep")
class WakeSleep:
    """Wake-sleep: decoder and encoder each follow an objective of their own.

    On a minibatch of B:

    - wake: the decoder climbs (N/B) Σ log p(x, z) with x from the data and z ~ q(z|x);
    - sleep: the encoder climbs (N/B) Σ log q(z|x) on pairs (z, x) dreamed from the model.

    Both gradients are taken at the same parameters; the task's weight prior is added to both. The code's
    noise is that of the estimators' site `z`, so that comparisons with them are paired.
    """

    def __init__(self, task: Task, options: Mapping[str, Any], training: Mapping[str, Any]) -> None:
        read_options("wake_sleep", options, {})
        self.task = latent_variable(task, "wake_sleep")
        self.optimiser = optimisers.make(training["optimiser"])

    def noise(self, params: Params, x: Tensor) -> dict[str, dict[str, NoiseSpec]]:
        q = self.task.encode(params, x)
        return {
            "z": q.noise(),
            "dreamed_z": self.task.prior(q.loc).noise(),
            "dreamed_x": self.task.decode(params, q.loc).noise(),
        }

    def init(self, params: Params, x: Tensor, generator: torch.Generator) -> State:
        return {"params": params, "optimiser": self.optimiser.init(params)}

    def step(self, state: State, x: Tensor, index: Tensor, noise: Noise) -> tuple[State, Metrics]:
        params = state["params"]
        q = self.task.encode(params, x)
        z = q.path(noise["z"])
        dreamed_z = self.task.prior(z).path(noise["dreamed_z"])
        dreamed_x = self.task.decode(params, dreamed_z).path(noise["dreamed_x"])
        scale = len(self.task.train) / x.shape[0]

        def loss(params: Params) -> tuple[Tensor, Tensor]:
            wake = self.task.log_joint(params, x, z)
            sleep = self.task.encode(params, dreamed_x).log_prob(dreamed_z)
            return -scale * (wake + sleep).sum() - self.task.log_prior(params), wake.detach()

        downhill, log_joint = torch.func.grad(loss, has_aux=True)(params)
        params, optimiser = self.optimiser.update(downhill, state["optimiser"], params)
        objective = (log_joint - q.log_prob(z)).mean()
        evaluations = objective.new_full((), 2 * x.shape[0])
        metrics = {"objective": objective, "evaluations": evaluations}
        return {"params": params, "optimiser": optimiser}, metrics
