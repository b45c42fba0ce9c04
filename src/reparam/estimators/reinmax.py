"""ReinMax: a straight-through estimator that is exact to second order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from reparam.estimators.base import check_positive, name_of, register
from reparam.estimators.card import RELAXATION, Card
from reparam.estimators.paths import PathEstimator, with_derivative_of


@register("reinmax")
@dataclass(frozen=True)
class ReinMax(PathEstimator):
    """f'(z) [2 J((z + π_τ)/2) − ½ J(π)] with J(p) the derivative of the mean where it is p (arXiv:2304.08612).

    π is the mean and π_τ = softmax(θ/τ); J(p) = diag(p) − p pᵀ, and for a bit, as the first of two categories with
    logits (θ, 0), p (1 − p). Liu et al. 2023.
    """

    temperature: float = 1.0
    """τ > 0; the paper prefers 1 and more."""
    card = Card(
        title="ReinMax",
        what="Evaluates f at the hard sample and differentiates by Heun's method, which is of second order where "
        "straight-through (Euler's) is of first.",
        formula="∂f(z) [2 J((z + π)/2) − ½ J(μ)] ∇ θ,  μ = E[z],  π = softmax(θ/τ), J(p) = diag(p) − p pᵀ for "
        "one-hot vectors,  π = σ(θ/τ), J(p) = p (1 − p) for bits",
        when="In place of straight-through, at the same cost. At τ = 1 and with one layer, or for the last of several, "
        "it is exact for f that are quadratic in each variable; higher terms of f and later layers bias it. For bits "
        "at τ = 1 it is the ½ estimator.",
        paper="Liu et al. 2023 (arXiv:2304.08612)",
        unbiased=False,
        needs_derivative=True,
        requires=RELAXATION,
        evaluations=lambda estimator, sites: estimator.samples,
        settings=({}, {"temperature": 1.5, "samples": 2}),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self.temperature, "temperature", name_of(self))

    def draw(self, law: Any, noise: Mapping[str, Tensor], memory: Any) -> Tensor:
        z = law.path(noise)
        halfway = (z + law.soften(law.logits, self.temperature)) / 2
        return with_derivative_of(2 * law.tangent(halfway) - 0.5 * law.tangent(law.mean), z)
