"""Monte Carlo EM with an HMC posterior sampler (Kingma & Welling 2014, App. E)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from reparam.engine import hmc, optimisers
from reparam.engine.learners.base import Metrics, Params, State, read_options, register
from reparam.noise import Noise, NoiseSpec
from reparam.tasks import Task, latent_variable

DEFAULTS = {"leapfrogs": 10, "updates": 5, "acceptance": 0.9, "step_size": 0.1, "adaptation": 0.3}


@register("mcem")
class Mcem:
    """Monte Carlo EM: no encoder; every training point has a persistent chain whose target is p(z|x).

    One step moves the chains of the minibatch by one HMC transition of `leapfrogs` steps, with a step
    size tuned to an `acceptance` probability, and then climbs (N/B) Σ log p(x, z) + log prior of the
    decoder's weights `updates` times with these codes. Chains start at the prior's mode; they and the
    step size are part of the state. The encoder's parameters are carried along untouched.
    """

    def __init__(self, task: Task, options: Mapping[str, Any], training: Mapping[str, Any]) -> None:
        chosen = read_options("mcem", options, DEFAULTS)
        self.leapfrogs, self.updates = int(chosen["leapfrogs"]), int(chosen["updates"])
        self.acceptance, self.adaptation = chosen["acceptance"], chosen["adaptation"]
        self.first_step_size = chosen["step_size"]
        self.task = latent_variable(task, "mcem")
        self.optimiser = optimisers.make(training["optimiser"])

    def noise(self, params: Params, x: Tensor) -> dict[str, dict[str, NoiseSpec]]:
        rows, latent = self.task.encode(params, x).shape
        return {
            "hmc": {"momentum": NoiseSpec("normal", (rows, latent)), "accept": NoiseSpec("uniform", (rows,))}
        }

    def init(self, params: Params, x: Tensor, generator: torch.Generator) -> State:
        latent = self.task.encode(params, x).shape[-1]
        return {
            "params": params,
            "optimiser": self.optimiser.init(_decoder(params)),
            "chains": x.new_zeros((len(self.task.train), latent)),
            "step_size": x.new_full((), self.first_step_size),
        }

    def step(self, state: State, x: Tensor, index: Tensor, noise: Noise) -> tuple[State, Metrics]:
        frozen = state["params"]
        moved = hmc.transition(
            lambda z: self.task.log_joint(frozen, x, z),
            state["chains"][index],
            state["step_size"],
            noise["hmc"]["momentum"],
            noise["hmc"]["accept"],
            self.leapfrogs,
        )
        z, acceptance = moved.z, moved.acceptance.mean()
        scale = len(self.task.train) / x.shape[0]

        def loss(decoder: Params) -> tuple[Tensor, Tensor]:
            log_joint = self.task.log_joint(decoder, x, z)
            return -scale * log_joint.sum() - self.task.log_prior(decoder), log_joint.detach().mean()

        decoder, optimiser = _decoder(frozen), state["optimiser"]
        for _ in range(self.updates):
            downhill, objective = torch.func.grad(loss, has_aux=True)(decoder)
            decoder, optimiser = self.optimiser.update(downhill, optimiser, decoder)
        after = {
            "params": {**frozen, **decoder},
            "optimiser": optimiser,
            "chains": state["chains"].index_put((index,), z),
            "step_size": hmc.adapt(state["step_size"], acceptance, self.acceptance, self.adaptation),
        }
        passes = self.leapfrogs + 1 + self.updates
        metrics = {"objective": objective, "evaluations": objective.new_full((), passes * x.shape[0])}
        return after, {**metrics, "acceptance": acceptance}


def _decoder(params: Params) -> Params:
    return {name: value for name, value in params.items() if name.startswith("decoder.")}
