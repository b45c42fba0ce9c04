"""A policy, the program that an estimator differentiates on its roll-outs, and a critic."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from reparam.distributions import Normal, OneHotCategorical
from reparam.engine.gradient import Estimate, estimate_gradient, prepare
from reparam.engine.optimisers import Adam
from reparam.errors import ReparamError
from reparam.estimators import Estimator, make
from reparam.estimators.base import name_of
from reparam.models import dense
from reparam.noise import Noise, NoiseSpecs, generator
from reparam.papers.grathwohl2018 import environments
from reparam.papers.grathwohl2018.environments import Act, Axes, Environment
from reparam.program import Params, Program, Sample, Site

SITE = "action"
SQUASH: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "relu": lambda x: np.maximum(x, 0.0),
    "tanh": np.tanh,
}


class Start(NamedTuple):
    """What an agent begins with."""

    params: dict[str, Tensor]
    tunables: dict[str, Tensor]
    memory: Any


@dataclass(frozen=True)
class Agent:
    """A policy network in an environment, and the estimator of its gradient.

    The program meets one site, the actions at the states of a roll-out: states are the plate, the returns are signals
    given to the site, and its value is the bonus `entropy` · H(π(· | s)) per state.
    """

    environment: Environment
    estimator: Estimator
    hidden: tuple[int, ...]
    activation: str
    entropy: float

    @classmethod
    def of(cls, spec: Mapping[str, Any]) -> Agent:
        """The agent of a cell. Raises ReparamError for an estimator that takes no signals, or several samples."""
        task, method = spec["task"], spec["method"]
        estimator = make(method["name"], method["options"])
        estimator.check_signals()
        environment = environments.make(task["environment"])
        return cls(environment, estimator, tuple(task["hidden"]), task["activation"], float(task["entropy"]))

    def law(self, params: Params, states: Tensor) -> OneHotCategorical | Normal:
        """π(· | s) at states [T, S]."""
        head = dense.apply(params, "policy", states, len(self.hidden), self.activation)
        if self.environment.discrete:
            return OneHotCategorical(logits=head, event_dims=1)
        return Normal(head, params["policy.log_scale"].exp().expand_as(head), event_dims=1)

    def program(self, states: Tensor, alive: Tensor | None = None) -> Program:
        """What is differentiated at states [T, S]. Where `alive` [T] is False the law is a constant one, so that
        padding has no gradient."""

        def program(params: Params, sample: Sample) -> Tensor:
            law = self.law(params, states)
            if alive is not None:
                law = _constant_unless(law, alive)
            sample(SITE, law, context=states)
            return self.entropy * law.entropy()

        return program

    def start(self, axes: Axes) -> Start:
        """First weights by Glorot's rule (log σ = 0), and what the estimator begins with."""
        env, source = self.environment, generator(*axes, "init")
        sizes = dense.sizes("policy", env.observations, self.hidden, env.actions)
        params = {name: entry.double() for name, entry in dense.init(sizes, source, "glorot").items()}
        if not env.discrete:
            params["policy.log_scale"] = torch.zeros(env.actions, dtype=torch.float64)
        program = self.program(torch.zeros(env.limit, env.observations, dtype=torch.float64))
        begun = self.estimator.start(
            params, prepare(self.estimator, program, params), generator(*axes, "tunables")
        )
        tunables, memory = tree_map(lambda leaf: leaf.double(), begun)
        return Start(params, tunables, memory)

    def noise(self) -> NoiseSpecs:
        """The noise of one episode of full length; ReparamError for an estimator of several samples."""
        env = self.environment
        law = self.law(self.start(("noise",)).params, torch.zeros(env.limit, env.observations).double())
        specs = self.estimator.noise({SITE: Site(law, law.mean)})
        if any(spec.copies not in (None, 1) for roles in specs.values() for spec in roles.values()):
            raise ReparamError(
                f"{name_of(self.estimator)}: a roll-out has one action per state, so give the estimator samples=1"
            )
        return specs

    def perturbations(self, noise: Noise) -> np.ndarray:
        """What the policy's head is perturbed with, from the noise of the path: [..., T, A]."""
        if self.environment.discrete:
            return (-(-noise[SITE]["uniform"].log()).log()).numpy()
        return noise[SITE]["normal"].numpy()

    def acting(self, params: Params, batched: bool) -> Act:
        """The policy outside torch, for one state at a time or B."""
        layers = []
        for i in range(len(self.hidden) + 1):
            weight, bias = params[f"policy.{i}.weight"].numpy(), params[f"policy.{i}.bias"].numpy()
            layers.append((weight, bias[:, None] if batched else bias))
        squash, (last, offset) = SQUASH[self.activation], layers.pop()

        def head(state: np.ndarray) -> np.ndarray:
            for weight, bias in layers:
                state = squash(weight @ state + bias)
            return last @ state + offset  # type: ignore[no-any-return]

        if self.environment.discrete:
            return lambda state, perturbation: (head(state) + perturbation).argmax(0)
        scale = params["policy.log_scale"].exp().numpy()
        scale = scale[:, None] if batched else scale
        return lambda state, perturbation: head(state) + scale * perturbation

    def gradient(
        self,
        start: Start,
        states: Tensor,
        noise: Noise,
        signals: Tensor,
        alive: Tensor | None = None,
        tune: bool = True,
        estimator: Estimator | None = None,
    ) -> Estimate:
        """One estimate of the policy's gradient, from the states [T, S], noise and signals [T] of a roll-out."""
        return estimate_gradient(
            estimator or self.estimator,
            self.program(states, alive),
            start.params,
            noise,
            start.tunables,
            start.memory,
            {SITE: signals},
            tune=tune,
        )


def _constant_unless(law: OneHotCategorical | Normal, alive: Tensor) -> OneHotCategorical | Normal:
    keep = alive.unsqueeze(-1)
    if isinstance(law, OneHotCategorical):
        return OneHotCategorical(logits=torch.where(keep, law.logits, 0.0), event_dims=1)
    return Normal(torch.where(keep, law.loc, 0.0), torch.where(keep, law.scale, 1.0), event_dims=1)


class Critic:
    """V(s), a tanh network fitted to returns by `fits` steps of Adam per update."""

    def __init__(self, hidden: tuple[int, ...], fits: int, rate: float, inputs: int, axes: Axes) -> None:
        self.depth, self.fits, self.optimiser = len(hidden), fits, Adam(rate)
        drawn = dense.init(dense.sizes("critic", inputs, hidden, 1), generator(*axes, "critic"), "glorot")
        self.params = {name: entry.double() for name, entry in drawn.items()}
        self.state = self.optimiser.init(self.params)

    def values(self, states: Tensor) -> Tensor:
        """V at states [..., S]."""
        return dense.apply(self.params, "critic", states, self.depth, "tanh").squeeze(-1)

    def fit(self, states: Tensor, returns: Tensor) -> None:
        """Move V towards these returns."""

        def loss(params: Params) -> Tensor:
            found = dense.apply(params, "critic", states, self.depth, "tanh").squeeze(-1)
            return (found - returns).square().mean()

        slope = torch.func.grad(loss)
        for _ in range(self.fits):
            self.params, self.state = self.optimiser.update(slope(self.params), self.state, self.params)
