"""The shape of a learner: a pure step on a state of tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import torch
from torch import Tensor

from reparam.errors import ReparamError
from reparam.noise import Noise, NoiseSpec
from reparam.registry import Registry, nearest
from reparam.tasks import Task

Params = dict[str, Tensor]
State = dict[str, Any]
Metrics = dict[str, Tensor]


class Learner(Protocol):
    """Made from (task, method options, training options); everything below is pure."""

    def __init__(self, task: Task, options: Mapping[str, Any], training: Mapping[str, Any]) -> None: ...

    def noise(self, params: Params, x: Tensor) -> dict[str, dict[str, NoiseSpec]]:
        """The base noise of one step on a minibatch like `x` [B, D]."""
        ...

    def init(self, params: Params, x: Tensor, generator: torch.Generator) -> State:
        """The state before the first step: nested dicts of tensors, with the parameters under "params".

        `generator`, on the CPU, is for what the method itself draws at random: the first weights of its networks.
        """
        ...

    def step(self, state: State, x: Tensor, index: Tensor, noise: Noise) -> tuple[State, Metrics]:
        """One step on the minibatch `x` [B, D], rows `index` [B] of the training set.

        Metrics are scalars. "objective" is the task's value per datum, in nats (for Monte Carlo EM, which has no
        bound, log p(x, z)); "evaluations" counts the data whose log density was evaluated and differentiated.
        """
        ...


registry: Registry[type[Learner]] = Registry("learner", "reparam.engine.learners")
register = registry.register


def read_options(learner: str, given: Mapping[str, Any], defaults: Mapping[str, Any]) -> dict[str, Any]:
    """The options of a learner over their defaults; ReparamError for an unknown one."""
    for option in given:
        if option not in defaults:
            hint = nearest(option, defaults) if defaults else "; it has none"
            raise ReparamError(f"{learner} has no option {option!r}{hint}")
    return {**defaults, **given}
