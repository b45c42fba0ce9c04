"""The pathwise (reparameterization) estimator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from reparam.errors import ReparamError
from reparam.estimators.base import (
    Estimator,
    Run,
    Sites,
    Terms,
    check_samples,
    over_samples,
    path_noise,
    register,
)
from reparam.noise import Noise, NoiseSpec
from reparam.program import Params, follow


@register("pathwise")
@dataclass(frozen=True)
class Pathwise(Estimator):
    """∇ E_q[f(z)] = E_ε[∇ f(g(ε; φ))], averaged over `samples` draws (Kingma & Welling 2014, Eq. 5–7).

    Needs laws whose path is differentiable; raises ReparamError at any other.
    """

    samples: int = 1
    unbiased = True
    needs_derivative = True

    def __post_init__(self) -> None:
        check_samples(self.samples, 1, "pathwise")

    def noise(self, sites: Sites) -> dict[str, dict[str, NoiseSpec]]:
        for name, site in sites.items():
            if not site.law.reparameterized:
                law = type(site.law).__name__
                raise ReparamError(
                    f"pathwise: sample site {name!r} has a {law} law, whose path has no derivative; "
                    "use score_function or exact for this program"
                )
        return path_noise(sites, self.samples)

    def estimate(
        self, run: Run, params: Params, noise: Noise, tunables: Mapping[str, Tensor], memory: Any
    ) -> Terms:
        values = over_samples(lambda one: run(params, follow(one)).value, noise)
        value = values.mean(0)
        return Terms(value, (value,), (1.0,), self.samples, memory)
