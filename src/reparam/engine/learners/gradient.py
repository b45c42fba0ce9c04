"""Training by an estimated gradient of the task's program."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from reparam import estimators
from reparam.engine import optimisers
from reparam.engine.gradient import Estimate, estimate_gradient, prepare
from reparam.engine.learners.base import Metrics, Params, State
from reparam.engine.learners.carried import Carrier, common, part
from reparam.estimators import Estimator
from reparam.estimators.base import name_of
from reparam.noise import Noise, NoiseSpec
from reparam.noise import generator as stream
from reparam.program import Program, describe
from reparam.tasks import Task

SHARES: dict[str, Callable[[int, int], float]] = {
    "total": lambda data, batch: 1.0,
    "sum": lambda data, batch: batch / data,
    "mean": lambda data, batch: 1 / data,
}
"""The part of the whole training set's objective whose gradient an optimiser is given."""


class GradientLearner:
    """Moves all parameters along the estimate of (N/B) Σ_batch ∇ value + ∇ log prior.

    The scale is that of the objective on the whole training set (Kingma & Welling 2014, Eq. 8), unless `gradient` says
    otherwise; `task.sense` says whether the value is maximised (+1) or minimised (−1). Tunables have the training's
    `tunable_optimiser`, or one like that of the parameters, at `tunable_scale` (1) times its rate.

    Options of the training besides the optimisers:
    - `alongside`: {label: options} of estimators that see every step, on the same noise, and move nothing but tunables
      and averages of their own. They count no evaluations.
    - `moments`: the decay of running moments of the estimates, its own and theirs.
    - `gradient`: what the optimiser is given of all that: `total` (the default), or the share of the minibatch's `sum`
      or `mean`. It matters to optimisers that are not blind to scale, such as Adam with a large eps.
    - `tune_first`: {estimator: steps}: under this one so many steps at the start move tunables and averages only.
    """

    def __init__(self, task: Task, estimator: Estimator, training: Mapping[str, Any]) -> None:
        self.task, self.estimator = task, estimator
        self.optimiser = optimisers.make(training["optimiser"])
        same = replace(self.optimiser, rate=self.optimiser.rate * training.get("tunable_scale", 1))
        given = training.get("tunable_optimiser")
        tunable_optimiser = same if given is None else optimisers.make(given)
        decay = training.get("moments", 0.0)
        self.own = Carrier(estimator, tunable_optimiser, decay)
        others = estimators.chosen(training.get("alongside") or {})
        self.alongside = {label: Carrier(other, tunable_optimiser, decay) for label, other in others.items()}
        self.share = SHARES[training.get("gradient", "total")]
        self.tune_first = training.get("tune_first", {}).get(name_of(estimator), 0)

    def program(self, x: Tensor) -> Program:
        """What is climbed, or descended, on a minibatch x [B, D]."""
        return self.task.program(x)

    def noise(self, params: Params, x: Tensor) -> dict[str, dict[str, NoiseSpec]]:
        program = self.program(x)
        members = [self.own, *self.alongside.values()]
        return common([c.estimator.noise(prepare(c.estimator, program, params)) for c in members])

    def init(self, params: Params, x: Tensor, generator: torch.Generator) -> State:
        sites = describe(self.program(x), params)
        state = {
            "params": params,
            "optimiser": self.optimiser.init(params),
            **self.own.init(params, sites, generator),
            "failed": torch.zeros((), device=x.device),
        }
        if self.alongside:
            seed = generator.initial_seed()
            state["alongside"] = {
                label: carrier.init(params, sites, stream("alongside", label, seed))
                for label, carrier in self.alongside.items()
            }
        if self.tune_first:
            state["begun"] = torch.zeros((), device=x.device)
        return state

    def step(self, state: State, x: Tensor, index: Tensor, noise: Noise) -> tuple[State, Metrics]:
        params = state["params"]
        estimate = self._estimate(self.own, state, state, x, noise)
        prior = torch.func.grad(self.task.log_prior)(params)
        share = self.share(len(self.task.train), x.shape[0])
        scale = self.task.sense * share * len(self.task.train) / x.shape[0]
        downhill = {name: -scale * g - share * prior[name] for name, g in estimate.gradient.items()}
        moved = self.optimiser.update(downhill, state["optimiser"], params)
        after = {**state, **self.own.after(state, estimate, x.shape[0])}
        if self.tune_first:
            free = state["begun"] >= self.tune_first
            stayed = (params, state["optimiser"])
            moved = tree_map(lambda new, old: torch.where(free, new, old), moved, stayed)
            after["begun"] = state["begun"] + 1
        after["params"], after["optimiser"] = moved
        if self.alongside:
            after["alongside"] = {
                label: carrier.after(own, self._estimate(carrier, own, state, x, noise), x.shape[0])
                for label, carrier, own in (
                    (label, carrier, state["alongside"][label]) for label, carrier in self.alongside.items()
                )
            }
        objective = estimate.value.mean()
        evaluations = objective.new_full((), estimate.evaluations * x.shape[0])
        metrics = {"objective": objective, "evaluations": evaluations}
        if estimate.failed is not None:
            metrics["failed_rejections"] = after["failed"] = state["failed"] + estimate.failed
        return after, metrics

    def held(self, state: State, estimator: Estimator) -> dict[str, Any]:
        """What training has made of an estimator, if it is its own or one alongside: its tunables and memory."""
        members = [
            (self.own, state),
            *((c, state["alongside"][label]) for label, c in self.alongside.items()),
        ]
        for carrier, own in members:
            if carrier.estimator == estimator:
                return {"tunables": own["tunables"], "memory": own["memory"]}
        return {}

    def _estimate(self, carrier: Carrier, own: State, state: State, x: Tensor, noise: Noise) -> Estimate:
        """One estimate at the state's parameters, with the tunables and averages in `own`."""
        program, params = self.program(x), state["params"]
        if self.alongside:
            noise = part(noise, carrier.estimator.noise(describe(program, params)))
        return estimate_gradient(carrier.estimator, program, params, noise, own["tunables"], own["memory"])
