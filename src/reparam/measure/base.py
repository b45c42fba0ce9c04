"""The shape of a measurement: a function of a model at fixed parameters and of named noise streams."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from reparam.engine.learners.base import Learner
from reparam.errors import ReparamError
from reparam.registry import Registry, nearest
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
    last: bool = True
    """Whether this is the training's last reading: facts of the machine are of it alone."""


class Measured(NamedTuple):
    """Readings by metric name, arrays for pictures, and what depends on the machine."""

    metrics: dict[str, float]
    arrays: dict[str, np.ndarray]
    machine: Mapping[str, float] = MappingProxyType({})
    """Times and what follows from them: for the seed's status, since histories are bit-identical between runs."""


Measurement = Callable[[Context, Mapping[str, Any]], Measured]
registry: Registry[Measurement] = Registry("measurement", "reparam.measure")
get = registry.get
names = registry.names


_options: dict[str, tuple[frozenset[str], frozenset[str]]] = {}


def register(
    name: str, required: tuple[str, ...] = (), optional: tuple[str, ...] = ()
) -> Callable[[Measurement], Measurement]:
    """Decorator: make the function known as the measurement `name`, with these options."""
    _options[name] = frozenset(required), frozenset({"schedule", *required, *optional})
    return registry.register(name)


def check_options(name: str, given: Mapping[str, Any]) -> None:
    """Raise ReparamError for an option that the measurement does not know, or one that it lacks."""
    required, known = _options[name]
    for option in given:
        if option not in known:
            raise ReparamError(f"measurement {name!r} has no option {option!r}{nearest(option, known)}")
    for option in sorted(required - set(given)):
        raise ReparamError(f"measurement {name!r} lacks its option {option!r}: give it under measurements")


def groups(params: Mapping[str, Tensor]) -> dict[str, list[str]]:
    """The parameters' names by group, the part before the first dot."""
    found: dict[str, list[str]] = {}
    for name in params:
        found.setdefault(name.partition(".")[0], []).append(name)
    return found
