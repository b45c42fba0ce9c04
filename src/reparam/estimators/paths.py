"""What estimators share that are one differentiable sample and nothing else."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
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


def with_derivative_of(surrogate: Tensor, z: Tensor) -> Tensor:
    """The value of the sample `z`, with the derivative of `surrogate`."""
    return z.detach() + (surrogate - surrogate.detach())


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


@dataclass(frozen=True)
class Annealed(PathEstimator):
    """A path estimator with a schedule: where it is `annealed`, its memory counts the estimates made."""

    @property
    @abstractmethod
    def annealed(self) -> bool:
        """Whether anything changes with the count."""

    @staticmethod
    def estimates_in(memory: Any, every: int) -> Tensor:
        """Estimates made so far, rounded down to a multiple of `every`, as a floating-point tensor ()."""
        return (torch.div(memory["estimates"], every, rounding_mode="floor") * every).to(torch.float32)

    def init(self, sites: Sites, generator: torch.Generator) -> tuple[dict[str, Tensor], Any]:
        return {}, {"estimates": torch.zeros((), dtype=torch.int64)} if self.annealed else {}

    def estimate(
        self, run: Run, params: Params, noise: Noise, tunables: Mapping[str, Tensor], memory: Any
    ) -> Terms:
        terms = super().estimate(run, params, noise, tunables, memory)
        return terms._replace(memory={"estimates": memory["estimates"] + 1}) if self.annealed else terms
