"""Reparameterization through acceptance–rejection sampling (RSVI)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from reparam.distributions.rejection import Draw
from reparam.errors import NumericalError
from reparam.estimators.base import Sites, check_samples, path_noise, register
from reparam.estimators.card import REJECTION, Card
from reparam.estimators.corrected import CorrectedPath
from reparam.noise import NoiseSpec


@register("rsvi")
@dataclass(frozen=True)
class Rsvi(CorrectedPath):
    """∇ f(h(ε; φ)) + f ∇ log[q(h)/r(h)] at the accepted ε (Naesseth et al. 2017).

    q is the law, r the density of the proposals h(ε; φ), and the gradient is total: through h, too. Candidates are
    drawn before any parameter is known; draws in which all are refused are counted in the estimate's `failed`.

    Raises ReparamError for `samples` below 1, `boost` below 0, and a boost of 0 where gamma variables have shapes below
    1.
    """

    boost: int = 4
    """B: gamma variables are drawn at a shape that is B higher and brought down by B uniforms, which tames small
    shapes; with 0, shapes must be at least 1. Laws that are not made of gamma variables have no use for it."""
    card = Card(
        title="RSVI (reparameterization through rejection sampling)",
        what="Differentiates f through the proposal that a rejection sampler accepts, and adds the score of the "
        "accepted noise, whose law depends on the parameters.",
        formula="∇ f(z) + f(z) ∇ log[q(z)/r(z)],  z = h(ε; φ),  ε the accepted noise, constant,  r the density of the "
        "proposals",
        when="For von Mises–Fisher laws outside three dimensions, and for von Mises laws and laws made of gamma "
        "variables where implicit derivatives are not wanted. A constant added to f changes its variance. Without the "
        "boost shapes near 1 have a large variance.",
        paper="Naesseth et al. 2017 (arXiv:1610.05683); Davidson et al. 2018 (arXiv:1804.00891), von Mises–Fisher",
        unbiased=True,
        needs_derivative=True,
        requires=REJECTION,
        evaluations=lambda estimator, sites: estimator.samples,
        settings=({}, {"boost": 1}, {"boost": 10, "samples": 2}),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_samples(self.boost, 0, "rsvi", "boost")

    def check(self, sites: Sites) -> None:
        super().check(sites)
        for name, site in sites.items():
            shapes = getattr(site.law, "gamma_shapes", None)
            if not self.boost and shapes is not None and bool((shapes < 1).any()):
                raise NumericalError(
                    f"rsvi: with boost=0 gamma variables need shapes of at least 1, and sample site {name!r} has one "
                    f"of {shapes.min().item():g}; give boost=1 or more"
                )

    def noise(self, sites: Sites) -> dict[str, dict[str, NoiseSpec]]:
        """That of the rejection sampler, beside that of the law's own path, by which `mixed` looks at a site."""
        wanted = path_noise(sites, self.samples)
        for name, site in sites.items():
            for role, spec in site.law.rejection_noise(self.boost).items():
                wanted[name][role] = NoiseSpec(spec.kind, spec.shape, copies=self.samples)
        return wanted

    def draw(self, law: Any, noise: Mapping[str, Tensor]) -> Draw:
        return law.accept(noise)
