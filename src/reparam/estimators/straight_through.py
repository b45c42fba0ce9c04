"""Straight-through estimators: f at the hard sample, with a derivative that the sample does not have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from reparam.errors import ReparamError
from reparam.estimators.base import check_positive, check_samples, name_of, register
from reparam.estimators.card import RELAXATION, Card
from reparam.estimators.paths import Annealed, PathEstimator, with_derivative_of


@register("straight_through")
@dataclass(frozen=True)
class StraightThrough(PathEstimator):
    """f'(z) ∇ E[z]: the hard sample has the derivative of its mean (Bengio et al. 2013, arXiv:1308.3432).

    The mean is σ(θ) or softmax(θ), whose derivative is included (as in Gu et al. 2016, arXiv:1511.05176).
    """

    card = Card(
        title="Straight-through",
        what="Evaluates f at the hard sample and differentiates as if the sample were its mean.",
        formula="∂f(z) ∇ μ,  z ~ q,  μ = E[z]",
        when="As a simple baseline, or where f is close to linear: with one layer, or for the last of several, it is "
        "exact for f that are linear in each variable, else biased. reinmax costs the same and is exact for "
        "quadratics, too.",
        paper="Bengio et al. 2013 (arXiv:1308.3432); Gu et al. 2016 (arXiv:1511.05176)",
        unbiased=False,
        needs_derivative=True,
        requires=RELAXATION,
        evaluations=lambda estimator, sites: estimator.samples,
        settings=({}, {"samples": 3}),
    )

    def draw(self, law: Any, noise: Mapping[str, Tensor], memory: Any) -> Tensor:
        return with_derivative_of(law.mean, law.path(noise))


@register("annealed_straight_through")
@dataclass(frozen=True)
class AnnealedStraightThrough(Annealed):
    """Straight-through with the derivative of σ(aθ) or softmax(aθ), whose slope a grows with the estimates made.

    a = min(maximum, slope + rate · n), n the times that `every` estimates have been made. Chung et al. 2017
    (arXiv:1609.01704) add 0.04 an epoch to the slope 1 of a hard sigmoid; the sigmoid and softmax are those of Jang et
    al. 2017 and Paulus et al. 2021, Eq. 5, for τ = 1/a.
    """

    slope: float = 1.0
    """a of the first estimates."""
    rate: float = 0.04
    """What a grows by every `every` estimates; 0 keeps it."""
    every: int = 1000
    """Estimates between two changes of the slope: those of an epoch, say."""
    maximum: float = 5.0
    """The slope that annealing ends at."""
    card = Card(
        title="Slope-annealed straight-through",
        what="Straight-through that differentiates a steeper and steeper sigmoid (softmax) in place of the mean, so "
        "that the function differentiated approaches the hard threshold while training.",
        formula="∂f(z) ∇ σ(aθ) for bits, ∂f(z) ∇ softmax(aθ) for one-hot vectors,  z ~ q,  "
        "a = min(maximum, slope + rate · n) after n changes",
        when="As a baseline of the Gumbel-Softmax papers. With a ≠ 1 it is biased for linear f, too.",
        paper="Chung et al. 2017 (arXiv:1609.01704); Jang et al. 2017 (arXiv:1611.01144)",
        unbiased=False,
        needs_derivative=True,
        requires=RELAXATION,
        evaluations=lambda estimator, sites: estimator.samples,
        settings=({}, {"rate": 0.5, "every": 10}, {"slope": 2.0, "rate": 0.0, "samples": 2}),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        name = name_of(self)
        check_positive(self.slope, "slope", name)
        check_positive(self.maximum, "maximum", name)
        check_samples(self.every, 1, name, "every")
        if not 0 <= self.rate < float("inf"):
            raise ReparamError(f"{name}: rate must be 0 or positive, got {self.rate!r}")
        if self.rate and self.slope > self.maximum:
            raise ReparamError(
                f"{name}: annealing starts at slope {self.slope!r}, above its maximum {self.maximum!r}"
            )

    @property
    def annealed(self) -> bool:
        return self.rate > 0

    def slope_now(self, memory: Any) -> Tensor | float:
        """The slope of this estimate."""
        if not self.annealed:
            return self.slope
        grown = self.slope + self.rate * (self.estimates_in(memory, self.every) / self.every)
        return grown.clamp_max(self.maximum)

    def draw(self, law: Any, noise: Mapping[str, Tensor], memory: Any) -> Tensor:
        return with_derivative_of(law.soften(law.logits, 1 / self.slope_now(memory)), law.path(noise))


@register("half")
@dataclass(frozen=True)
class Half(PathEstimator):
    """Σ_i f'_i(z) (z_i − c) ∇ log q(z_i): the ½ estimator of DARN (Gregor et al. 2014, arXiv:1310.8499).

    A score function whose baseline is f at the centre of the corners, c = ½ for bits and 1/K for one-hot vectors, by
    first-order Taylor expansion at z; the correction for this baseline's dependence on z is dropped. For one bit its
    mean is p(1 − p) (f'(0) + f'(1))/2, the trapezoidal rule for p(1 − p) (f(1) − f(0)).
    """

    card = Card(
        title="½ (DARN)",
        what="A score function whose learning signal is a first-order Taylor expansion of f between the sample and the "
        "centre of the corners; the term that would correct for it is dropped.",
        formula="Σ_i ∂_i f(z)·(z_i − c) ∇ log q(z_i),  z ~ q,  i over bits or one-hot vectors,  "
        "c = ½ for a bit, 1/C in every entry for one of C categories",
        when="As a baseline, for bits: with one layer, or for the last of several, it is exact where f is quadratic in "
        "each bit. For one-hot vectors of three and more categories it is biased for quadratics, too; reinmax is not, "
        "and equals it for bits.",
        paper="Gregor et al. 2014 (arXiv:1310.8499); Gu et al. 2016 (arXiv:1511.05176)",
        unbiased=False,
        needs_derivative=True,
        requires=RELAXATION,
        evaluations=lambda estimator, sites: estimator.samples,
        settings=({}, {"samples": 3}),
    )

    def draw(self, law: Any, noise: Mapping[str, Tensor], memory: Any) -> Tensor:
        z = law.path(noise)
        centre = law.soften(torch.zeros_like(z), 1.0)
        return with_derivative_of((z - centre) * law.log_mass(z), z)
