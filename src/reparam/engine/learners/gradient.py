"""Training by an estimated gradient of the task's program."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from reparam.engine import optimisers
from reparam.engine.gradient import estimate_gradient, prepare
from reparam.engine.learners.base import Metrics, Params, State
from reparam.estimators import Estimator
from reparam.noise import Noise, NoiseSpec
from reparam.program import Program, describe
from reparam.tasks import Task


class GradientLearner:
    """Moves all parameters along the estimate of (N/B) Σ_batch ∇ value + ∇ log prior.

    The scale is that of the objective on the whole training set (Kingma & Welling 2014, Eq. 8);
    `task.sense` says whether the value is maximised (+1) or minimised (−1). Tunables have the training's
    `tunable_optimiser`, or one like that of the parameters.
    """

    def __init__(self, task: Task, estimator: Estimator, training: Mapping[str, Any]) -> None:
        self.task, self.estimator = task, estimator
        self.optimiser = optimisers.make(training["optimiser"])
        self.tunable_optimiser = optimisers.make(training.get("tunable_optimiser", training["optimiser"]))

    def program(self, x: Tensor) -> Program:
        """What is climbed, or descended, on a minibatch x [B, D]."""
        return self.task.program(x)

    def noise(self, params: Params, x: Tensor) -> dict[str, dict[str, NoiseSpec]]:
        return self.estimator.noise(prepare(self.estimator, self.program(x), params))

    def init(self, params: Params, x: Tensor, generator: torch.Generator) -> State:
        sites = describe(self.program(x), params)
        tunables, memory = self.estimator.start(params, sites, generator)
        tunables, memory = tree_map(lambda leaf: leaf.to(x.device), (tunables, memory))
        return {
            "params": params,
            "optimiser": self.optimiser.init(params),
            "tunables": tunables,
            "tunable_optimiser": self.tunable_optimiser.init(tunables) if tunables else {},
            "memory": memory,
            "failed": torch.zeros((), device=x.device),
        }

    def step(self, state: State, x: Tensor, index: Tensor, noise: Noise) -> tuple[State, Metrics]:
        params = state["params"]
        estimate = estimate_gradient(
            self.estimator, self.program(x), params, noise, state["tunables"], state["memory"]
        )
        prior = torch.func.grad(self.task.log_prior)(params)
        scale = self.task.sense * len(self.task.train) / x.shape[0]
        downhill = {name: -scale * g - prior[name] for name, g in estimate.gradient.items()}
        params, optimiser = self.optimiser.update(downhill, state["optimiser"], params)
        after = {**state, "params": params, "optimiser": optimiser, "memory": estimate.memory}
        if state["tunables"]:
            after["tunables"], after["tunable_optimiser"] = self.tunable_optimiser.update(
                estimate.tunable_gradient, state["tunable_optimiser"], state["tunables"]
            )
        objective = estimate.value.mean()
        evaluations = objective.new_full((), estimate.evaluations * x.shape[0])
        metrics = {"objective": objective, "evaluations": evaluations}
        if estimate.failed is not None:
            metrics["failed_rejections"] = after["failed"] = state["failed"] + estimate.failed
        return after, metrics
