"""Generalized reparameterization (G-REP)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from reparam.distributions.rejection import Draw
from reparam.estimators.base import Sites, path_noise, register
from reparam.estimators.card import STANDARDIZATION, Card
from reparam.estimators.corrected import CorrectedPath
from reparam.noise import NoiseSpec


@register("grep")
@dataclass(frozen=True)
class Grep(CorrectedPath):
    """∇ f(T(ε; φ)) + f ∇ log π(ε; φ), ε = T⁻¹(z; φ) the standardised sample (Ruiz et al. 2016).

    For gamma variables, those that a Dirichlet sample is made of included, ε = (log z − E[log z]) / sd[log z], for Beta
    laws the same of the logit: its first two moments do not depend on the shapes, the others weakly. The sample is that
    of the law's own path.
    """

    card = Card(
        title="G-REP (generalized reparameterization)",
        what="Standardises the sample so that its law depends on the parameters only weakly, differentiates f through "
        "the inverse of that map, and adds the score of the standardised sample.",
        formula="∇ f(z) + f(z) ∇ log π(ε; φ),  z = T(ε; φ),  ε = T⁻¹(z) constant,  π its density;  "
        "log z = E[log z] + ε sd[log z] for gamma variables, logit z in its place for Beta",
        when="For Gamma, Beta and Dirichlet laws drawn by any exact sampler. A constant added to f changes its "
        "variance.",
        paper="Ruiz et al. 2016 (arXiv:1610.02287)",
        unbiased=True,
        needs_derivative=True,
        requires=STANDARDIZATION,
        evaluations=lambda estimator, sites: estimator.samples,
        settings=({}, {"samples": 2}),
    )

    def noise(self, sites: Sites) -> dict[str, dict[str, NoiseSpec]]:
        return path_noise(sites, self.samples)

    def draw(self, law: Any, noise: Mapping[str, Tensor]) -> Draw:
        return law.standardize(noise)
