"""Implicit reparameterization: the derivative of a sample from the CDF that it must keep satisfying."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from reparam.distributions.implicit import differentiable_root
from reparam.estimators.base import register
from reparam.estimators.card import CDF, Card
from reparam.estimators.paths import PathEstimator


@register("implicit")
@dataclass(frozen=True)
class Implicit(PathEstimator):
    """∇ f(z) with dz/dφ = −(∂F/∂φ) / q(z), F the CDF of each entry (Figurnov et al. 2018, arXiv:1805.08498, Eq. 5).

    The sample may come from anywhere: only its value is used. Where a law has a differentiable path along its inverse
    CDF, or a location–scale one, this is the derivative of `pathwise`.
    """

    card = Card(
        title="Implicit reparameterization",
        what="Takes the sample as it comes and differentiates it through the law's CDF, whose value at the sample must "
        "not change when the parameters do; then differentiates f through it.",
        formula="∂f(z) ∇ z,  ∇ z = −∇ F(z) / q(z) at constant z, for each entry,  F its CDF, q its density",
        when="For laws with a CDF whose sampler has no derivative, such as one by rejection, or of one's own. Where "
        "pathwise applies it gives the same estimate: there it is simpler, and reaches further into the tails.",
        paper="Figurnov et al. 2018 (arXiv:1805.08498)",
        unbiased=True,
        needs_derivative=True,
        requires=CDF,
        evaluations=lambda estimator, sites: estimator.samples,
        settings=({}, {"samples": 3}),
    )

    def draw(self, law: Any, noise: Mapping[str, Tensor], memory: Any) -> Tensor:
        return differentiable_root(law.cdf, law.path(noise))
