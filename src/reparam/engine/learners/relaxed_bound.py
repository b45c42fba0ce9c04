"""The relaxed objective of Maddison et al. 2017: a program of Concrete units, differentiated through their paths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from reparam import estimators
from reparam.engine.learners.base import read_options, register
from reparam.engine.learners.gradient import GradientLearner
from reparam.errors import ReparamError
from reparam.program import Program
from reparam.tasks import RelaxableTask, Task

DEFAULTS = {"temperature": None, "prior_temperature": None, "estimator": {"name": "pathwise"}}


@register("relaxed_bound")
class RelaxedBound(GradientLearner):
    """Climbs the bound of the task's relaxation, densities included, while measurements see the task as it is.

    Options: `temperature` (λ₁, of what is sampled), `prior_temperature` (λ₂, of p(z); left out: λ₁) and `estimator`,
    {name, …options}, by default `pathwise`; `iwae` makes it the bound of several samples.

    Raises ReparamError for a task without a relaxation and a temperature that is not positive.
    """

    def __init__(self, task: Task, options: Mapping[str, Any], training: Mapping[str, Any]) -> None:
        chosen = read_options("relaxed_bound", options, DEFAULTS)
        if not isinstance(task, RelaxableTask):
            raise ReparamError("relaxed_bound needs a task with a relaxation, such as discrete_vae")
        for name in ("temperature", "prior_temperature"):
            given = chosen[name]
            left_out = given is None and name == "prior_temperature"
            if not left_out and (not isinstance(given, int | float) or not 0 < given < float("inf")):
                raise ReparamError(f"relaxed_bound: {name} must be a positive number, got {given!r}")
        self.relaxable, self.temperature = task, chosen["temperature"]
        self.prior_temperature = chosen["prior_temperature"]
        own = dict(chosen["estimator"])
        super().__init__(task, estimators.make(own.pop("name"), own), training)

    def program(self, x: Tensor) -> Program:
        return self.relaxable.relaxed(x, self.temperature, self.prior_temperature)
