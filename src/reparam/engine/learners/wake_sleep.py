"""The wake-sleep algorithm (Hinton et al. 1995), the baseline of Kingma & Welling 2014."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from reparam.engine import optimisers
from reparam.engine.learners.base import Metrics, Params, State, read_options, register
from reparam.errors import ReparamError
from reparam.noise import Noise, NoiseSpec
from reparam.program import describe, follow, run
from reparam.tasks import GenerativeTask, Task

DREAMED = "dreamed_"
"""What the names of the dream's noise begin with."""


@register("wake_sleep")
class WakeSleep:
    """Wake-sleep: the model and what infers its codes each follow an objective of their own.

    On a minibatch of B:

    - wake: the model climbs (N/B) Σ log p(x, z) with x from the data and z ~ q(z|x);
    - sleep: the laws of q climb (N/B) Σ log q(z|x) on pairs (z, x) dreamed from the model.

    Both gradients are taken at the same parameters; the task's weight prior is added to both. The noise of z is that of
    the estimators' sites, so that comparisons with them are paired.

    Raises ReparamError for a task whose model cannot dream.
    """

    def __init__(self, task: Task, options: Mapping[str, Any], training: Mapping[str, Any]) -> None:
        read_options("wake_sleep", options, {})
        if not isinstance(task, GenerativeTask):
            raise ReparamError("wake_sleep needs a task with a generative model, such as discrete_vae")
        self.task = task
        self.optimiser = optimisers.make(training["optimiser"])

    def noise(self, params: Params, x: Tensor) -> dict[str, dict[str, NoiseSpec]]:
        awake = describe(self.task.program(x), params)
        asleep = describe(self.task.model(x), params)
        dreamed = {DREAMED + name: site.law.noise() for name, site in asleep.items()}
        return {name: site.law.noise() for name, site in awake.items()} | dreamed

    def init(self, params: Params, x: Tensor, generator: torch.Generator) -> State:
        return {"params": params, "optimiser": self.optimiser.init(params)}

    def step(self, state: State, x: Tensor, index: Tensor, noise: Noise) -> tuple[State, Metrics]:
        params = state["params"]
        awake = run(self.task.program(x), params, follow(noise)).latent
        seen = {name: site.z for name, site in awake.items()} | {"x": x}
        log_q = torch.stack([site.law.log_prob(site.z) for site in awake.values()]).sum(0)
        dreaming = {
            name.removeprefix(DREAMED): roles for name, roles in noise.items() if name.startswith(DREAMED)
        }
        asleep = run(self.task.model(x), params, follow(dreaming)).latent
        dreamed = {name: site.z for name, site in asleep.items()}
        scale = len(self.task.train) / x.shape[0]

        def loss(params: Params) -> tuple[Tensor, Tensor]:
            wake = run(self.task.model(x), params, lambda name, law: seen[name]).value
            q = run(self.task.program(dreamed["x"]), params, lambda name, law: dreamed[name]).latent
            sleep = torch.stack([site.law.log_prob(site.z) for site in q.values()]).sum()
            return -scale * (wake.sum() + sleep) - self.task.log_prior(params), wake.detach()

        downhill, log_joint = torch.func.grad(loss, has_aux=True)(params)
        params, optimiser = self.optimiser.update(downhill, state["optimiser"], params)
        objective = (log_joint - log_q).mean()
        evaluations = objective.new_full((), 2 * x.shape[0])
        metrics = {"objective": objective, "evaluations": evaluations}
        return {"params": params, "optimiser": optimiser}, metrics
