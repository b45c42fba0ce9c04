"""What estimators share that are one differentiable sample and nothing else."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from reparam.estimators.base import (
    Estimator,
    Run,
    Sites,
    Terms,
    check_samples,
    name_of,
    over_samples,
    path_noise,
)
from reparam.noise import Noise, NoiseSpec
from reparam.program import Params


@dataclass(frozen=True)
class PathEstimator(Estimator):
    """∇ of the mean of f over `samples` draws, differentiated through the samples that `draw` returns."""

    samples: int = 1
    """Independent samples per estimate, averaged."""

    def __post_init__(self) -> None:
        check_samples(self.samples, 1, name_of(self))

    @abstractmethod
    def draw(self, law: Any, noise: Mapping[str, Tensor], memory: Any) -> Tensor:
        """The sample of one site from its noise, by role, with the derivative that the estimator gives it."""

    def noise(self, sites: Sites) -> dict[str, dict[str, NoiseSpec]]:
        return path_noise(sites, self.samples)

    def estimate(
        self, run: Run, params: Params, noise: Noise, tunables: Mapping[str, Tensor], memory: Any
    ) -> Terms:
        def one(draws: Noise) -> Tensor:
            return run(params, lambda name, law: self.draw(law, draws[name], memory)).value

        value = over_samples(one, noise).mean(0)
        return Terms(value, (value,), (1.0,), self.samples, memory)
