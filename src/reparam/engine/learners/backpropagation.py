"""Training without an estimator: of networks without noise, or with noise that no parameter shapes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from reparam.engine.learners.base import Params, read_options, register
from reparam.engine.learners.gradient import GradientLearner
from reparam.estimators import make
from reparam.noise import NoiseSpec
from reparam.program import describe
from reparam.tasks import Task


@register("backpropagation")
class Backpropagation(GradientLearner):
    """Moves along the derivative of the value at drawn noise, for programs that no estimator takes: those without a
    site, and those whose noise enters through jumps but has a law without parameters (binary dropout), so that the
    derivative is unbiased. Raises ReparamError for laws without a differentiable path."""

    def __init__(self, task: Task, options: Mapping[str, Any], training: Mapping[str, Any]) -> None:
        read_options("backpropagation", options, {})
        super().__init__(task, make("pathwise"), training)

    def noise(self, params: Params, x: Tensor) -> dict[str, dict[str, NoiseSpec]]:
        sites = describe(self.program(x), params)
        self.estimator.check(sites)
        return self.estimator.noise(sites)
