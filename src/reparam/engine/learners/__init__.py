"""Learners: what one training step does to a state.

Most methods are gradient estimators and share one learner. What is no gradient of E_q[f] (wake-sleep,
Monte Carlo EM) is a learner of its own, found by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reparam import estimators
from reparam.engine.learners.base import Learner, register, registry
from reparam.engine.learners.gradient import GradientLearner
from reparam.errors import ReparamError
from reparam.registry import nearest
from reparam.tasks import Task

__all__ = ["Learner", "make", "names", "register"]


def names() -> list[str]:
    """Every name that an experiment may give as its method."""
    return sorted([*registry.names(), *estimators.names()])


def make(task: Task, method: Mapping[str, Any], training: Mapping[str, Any]) -> Learner:
    """The learner for {name, options} of an estimator or a learner.

    Raises ReparamError for an unknown name or option.
    """
    name, options = method["name"], method.get("options", {})
    if name in registry.names():
        learner = registry.get(name)
        for option in ("alongside", "gradient", "moments", "tune_first"):
            followed = option == "gradient" and issubclass(learner, GradientLearner)
            if option in training and not followed:
                raise ReparamError(
                    f"training: {option} is for gradient estimators, and {name} is none: leave it out"
                )
        return learner(task, options, training)
    if name in estimators.names():
        return GradientLearner(task, estimators.make(name, options), training)
    raise ReparamError(f"unknown estimator {name!r}{nearest(name, names())}")
