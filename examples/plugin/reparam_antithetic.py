"""An estimator in a package of its own: antithetic pathwise gradients.

`pip install ./examples/plugin` is all it takes for `reparam list`, `reparam explain antithetic_pathwise`,
`reparam oracles antithetic_pathwise`, the contract tests and every experiment to know it by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from reparam.errors import ReparamError
from reparam.estimators.base import Estimator, Run, Sites, Terms, over_samples, path_noise
from reparam.estimators.card import GAUSSIAN, Card
from reparam.noise import Noise, NoiseSpec
from reparam.program import Params


@dataclass(frozen=True)
class AntitheticPathwise(Estimator):
    """The pathwise gradient at ε and at −ε, averaged over `pairs` such pairs."""

    pairs: int = 1
    """Independent pairs of samples, averaged."""

    card = Card(
        title="Antithetic pathwise",
        what="Differentiates f through two samples that mirror each other at the mean, z = μ ± σ ε, so that the part "
        "of the gradient that is odd in ε cancels.",
        formula="½ ∇ f(μ + σ ε) + ½ ∇ f(μ − σ ε),  ε ~ N(0, 1)",
        when="For Normal laws where two evaluations are affordable. With a quadratic f the gradient with respect to "
        "the mean has no variance at all; where a gradient is even in ε, the second evaluation is wasted.",
        paper="Hammersley & Morton 1956, antithetic variates",
        unbiased=True,
        needs_derivative=True,
        requires=GAUSSIAN,
        evaluations=lambda estimator, sites: 2 * estimator.pairs,
        settings=({}, {"pairs": 2}),
    )

    def __post_init__(self) -> None:
        if not isinstance(self.pairs, int) or self.pairs < 1:
            raise ReparamError(f"antithetic_pathwise: pairs must be an integer ≥ 1, got {self.pairs!r}")

    def noise(self, sites: Sites) -> dict[str, dict[str, NoiseSpec]]:
        return path_noise(sites, self.pairs)

    def estimate(
        self, run: Run, params: Params, noise: Noise, tunables: Mapping[str, Tensor], memory: Any
    ) -> Terms:
        def pair(draws: Noise) -> Tensor:
            def at(sign: float) -> Tensor:
                def mirrored(name: str, law: Any) -> Tensor:
                    return law.path({role: sign * draw for role, draw in draws[name].items()})

                return run(params, mirrored).value

            return (at(1.0) + at(-1.0)) / 2

        value = over_samples(pair, noise).mean(0)
        return Terms(value, (value,), (1.0,), 2 * self.pairs, memory)
