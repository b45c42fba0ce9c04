"""The pathwise (reparameterization) estimator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from reparam.estimators.base import register
from reparam.estimators.card import PATH, Card
from reparam.estimators.paths import PathEstimator


@register("pathwise")
@dataclass(frozen=True)
class Pathwise(PathEstimator):
    """∇ E_q[f(z)] = E_ε[∇ f(g(ε; φ))], averaged over `samples` draws (Kingma & Welling 2014, Eq. 5–7)."""

    card = Card(
        title="Pathwise (reparameterization)",
        what="Writes the sample as a function of noise without parameters, z = g(ε; φ), and differentiates f "
        "through it.",
        formula="∇ f(z),  z = g(ε; φ),  ε ~ p(ε)",
        when="The first choice for laws with a differentiable path and an f that is smooth in z. It loses to the score "
        "function where f changes quickly on the scale of q, and is wrong where f has jumps.",
        paper="Kingma & Welling 2014 (arXiv:1312.6114), Eq. 5–7; Rezende et al. 2014 (arXiv:1401.4082)",
        unbiased=True,
        needs_derivative=True,
        requires=PATH,
        evaluations=lambda estimator, sites: estimator.samples,
        settings=({}, {"samples": 3}),
    )

    def draw(self, law: Any, noise: Mapping[str, Tensor], memory: Any) -> Tensor:
        return law.path(noise)
