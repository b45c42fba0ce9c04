"""The shape of a measurement: a function of a model at fixed parameters and of named noise streams."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from reparam.engine.learners.base import Learner
from reparam.registry import Registry
from reparam.tasks import Task


class Context(NamedTuple):
    """What a measurement may look at."""

    task: Task
    learner: Learner
    params: dict[str, Tensor]
    axes: tuple[str | int, ...]
    """Of the measurement's noise: (paper, experiment, seed, "measure", its name). Not the step and not
    the estimator: readings along a run, and of different estimators, share their noise."""
    device: torch.device
    state: Mapping[str, Any]
    """The learner's state: an estimator's tunables and memory are part of its gradient."""
    batch: int
    """Minibatch size of the training."""


class Measured(NamedTuple):
    """Readings by metric name, and arrays for pictures."""

    metrics: dict[str, float]
    arrays: dict[str, np.ndarray]


Measurement = Callable[[Context, Mapping[str, Any]], Measured]
registry: Registry[Measurement] = Registry("measurement", "reparam.measure")
register = registry.register
get = registry.get
names = registry.names
