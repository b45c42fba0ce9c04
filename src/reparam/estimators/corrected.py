"""What estimators share whose noise has a law that depends on the parameters: a path and a correction."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from reparam.distributions.rejection import Draw
from reparam.estimators.base import Estimator, Run, Terms, check_samples, name_of, on_plate, over_samples
from reparam.noise import Noise
from reparam.program import Params


@dataclass(frozen=True)
class CorrectedPath(Estimator):
    """∇ f(h(ε; φ)) + f ∇ log π(ε; φ), ε drawn from π( · ; φ), over `samples` draws."""

    samples: int = 1
    """Independent samples per estimate, averaged."""

    def __post_init__(self) -> None:
        check_samples(self.samples, 1, name_of(self))

    @abstractmethod
    def draw(self, law: Any, noise: Mapping[str, Tensor]) -> Draw:
        """The sample of one site from its noise, by role, and log π of that noise."""

    def estimate(
        self, run: Run, params: Params, noise: Noise, tunables: Mapping[str, Tensor], memory: Any
    ) -> Terms:
        def one(noise: Noise) -> tuple[Tensor, list[Tensor], Tensor]:
            draws: dict[str, Draw] = {}

            def choose(name: str, law: Any) -> Tensor:
                draws[name] = self.draw(law, noise[name])
                return draws[name].z

            value = run(params, choose).value
            signal = value.detach()
            corrections = [on_plate(signal, d.log_density.ndim) * d.log_density for d in draws.values()]
            return value, corrections, torch.stack([d.failed.sum() for d in draws.values()]).sum()

        value, corrections, failed = over_samples(one, noise)
        losses = [value.mean(0), *(correction.mean(0) for correction in corrections)]
        return Terms(
            losses[0], tuple(losses), (1.0,) * len(losses), self.samples, memory, failed=failed.sum()
        )
