"""Estimators through the Gumbel-Softmax (Concrete) relaxation of a choice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from reparam.distributions.base import with_slope
from reparam.errors import ReparamError
from reparam.estimators.base import Sites, check_positive, check_samples, name_of, path_noise, register
from reparam.estimators.card import RELAXATION, Card
from reparam.estimators.paths import Annealed, PathEstimator, with_derivative_of
from reparam.noise import NoiseSpec


@register("concrete")
@dataclass(frozen=True)
class Concrete(PathEstimator):
    """∇ f(soften(g, τ)), g the perturbed logits, at a fixed temperature (Maddison et al. 2017, arXiv:1611.00712)."""

    temperature: float = 2 / 3
    """τ > 0 of the relaxation: low is nearly discrete, with less bias and more variance. 2/3 is the paper's choice for
    bits."""
    card = Card(
        title="Concrete",
        what="Replaces every discrete sample with its Concrete relaxation at a fixed temperature and differentiates f "
        "through it; f and all later sites see values between the corners. It is the estimator of gumbel_softmax "
        "without annealing. What the two papers do differently is in the objective, which the program writes: a log "
        "mass of Bernoulli or OneHotCategorical in f is here the discrete one, extended to the relaxed sample (as Jang "
        "et al. do). For Maddison's bound, which has the densities of the relaxed variables, write the program with "
        "relaxed laws (law.relax(τ), LogitRelaxedBernoulli, ExpRelaxedCategorical) and use pathwise.",
        formula="∇ f(s),  s = σ((θ + L)/τ) for bits, softmax((θ + G)/τ) for one-hot vectors,  L logistic, G Gumbel",
        when="When f is smooth between the corners and some bias is acceptable: one evaluation and little variance. "
        "Evaluate the model on discrete samples.",
        paper="Maddison et al. 2017 (arXiv:1611.00712)",
        unbiased=False,
        needs_derivative=True,
        requires=RELAXATION,
        evaluations=lambda estimator, sites: estimator.samples,
        settings=({}, {"temperature": 0.3, "samples": 2}),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self.temperature, "temperature", name_of(self))

    def draw(self, law: Any, noise: Mapping[str, Tensor], memory: Any) -> Tensor:
        return law.soften(law.perturb(noise), self.temperature)


@register("gumbel_softmax")
@dataclass(frozen=True)
class GumbelSoftmax(Annealed):
    """∇ f(soften(g, τ)), g the perturbed logits, with a temperature that can be annealed.

    After t estimates τ = max(minimum, temperature · exp(−rate · t)), renewed every `every` estimates (Jang et al. 2017,
    arXiv:1611.01144); constant where `rate` is 0.
    """

    temperature: float = 1.0
    """τ > 0 of the relaxation, or where it starts: low is nearly discrete, with less bias and more variance."""
    rate: float = 0.0
    """Annealing rate per estimate; 0 keeps the temperature."""
    every: int = 1000
    """Estimates between two changes of an annealed temperature."""
    minimum: float = 0.5
    """The temperature that annealing ends at."""
    card = Card(
        title="Gumbel-Softmax",
        what="Replaces every discrete sample with its softened version and differentiates f through it; f and all "
        "later sites see values between the corners. The temperature is fixed or annealed. A log mass of "
        "Bernoulli or OneHotCategorical in f is the discrete one, extended to the relaxed sample, so a bound written "
        "with it is no bound; for relaxed densities see concrete.",
        formula="∇ f(s),  s = σ((θ + L)/τ) for bits, softmax((θ + G)/τ) for one-hot vectors,  L logistic, G Gumbel",
        when="When f is smooth between the corners and some bias is acceptable: one evaluation and little variance. "
        "Evaluate the model on discrete samples.",
        paper="Jang et al. 2017 (arXiv:1611.01144)",
        unbiased=False,
        needs_derivative=True,
        requires=RELAXATION,
        evaluations=lambda estimator, sites: estimator.samples,
        settings=({}, {"temperature": 0.3, "samples": 2}, {"rate": 1e-2, "every": 10}),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        name = name_of(self)
        check_positive(self.temperature, "temperature", name)
        check_positive(self.minimum, "minimum", name)
        check_samples(self.every, 1, name, "every")
        if not 0 <= self.rate < float("inf"):
            raise ReparamError(f"{name}: rate must be 0 or positive, got {self.rate!r}")
        if self.rate and self.minimum > self.temperature:
            raise ReparamError(
                f"{name}: annealing starts at temperature {self.temperature!r}, below its minimum {self.minimum!r}"
            )

    @property
    def annealed(self) -> bool:
        return self.rate > 0

    def temperature_now(self, memory: Any) -> Tensor | float:
        """The temperature of this estimate."""
        if not self.annealed:
            return self.temperature
        decayed = self.temperature * torch.exp(-self.rate * self.estimates_in(memory, self.every))
        return decayed.clamp_min(self.minimum)

    def draw(self, law: Any, noise: Mapping[str, Tensor], memory: Any) -> Tensor:
        return law.soften(law.perturb(noise), self.temperature_now(memory))


@register("st_gumbel_softmax")
@dataclass(frozen=True)
class STGumbelSoftmax(GumbelSoftmax):
    """f at the hard sample, differentiated as if it were the softened one of the same noise (Jang et al. 2017)."""

    card = Card(
        title="Straight-through Gumbel-Softmax",
        what="Evaluates f at the hard sample and differentiates as if the sample were the softened one of the same "
        "noise. f and later sites see discrete values only; the temperature is fixed or annealed.",
        formula="∂f(z) ∇ s,  s = soften(g, τ), z = discretize(g),  g = θ + noise",
        when="When f must see discrete values and some bias is acceptable. gumbel_rao has the same mean and no more "
        "variance at the same number of evaluations; reinmax is exact for quadratics, with one layer.",
        paper="Jang et al. 2017 (arXiv:1611.01144)",
        unbiased=False,
        needs_derivative=True,
        requires=RELAXATION,
        evaluations=lambda estimator, sites: estimator.samples,
        settings=({}, {"temperature": 0.3, "samples": 2}, {"rate": 1e-2, "every": 10}),
    )

    def draw(self, law: Any, noise: Mapping[str, Tensor], memory: Any) -> Tensor:
        g = law.perturb(noise)
        return with_derivative_of(law.soften(g, self.temperature_now(memory)), law.discretize(g))


@register("gumbel_rao")
@dataclass(frozen=True)
class GumbelRao(PathEstimator):
    """Straight-through Gumbel-Softmax, averaged over the noise that gives the same hard sample (GR-MC).

    The derivative of the sample is the mean over `inner` draws g_k of the perturbed logits given z of the derivative of
    soften(θ + G_k, τ) with the noise G_k = g_k − θ held constant (Paulus et al. 2021, arXiv:2010.04838).
    """

    temperature: float = 1.0
    """τ > 0 of the relaxation."""
    inner: int = 10
    """Conditional draws per sample: they cost no evaluation of f."""
    card = Card(
        title="Gumbel-Rao (Rao-Blackwellised straight-through Gumbel-Softmax)",
        what="Straight-through Gumbel-Softmax whose derivative is averaged over draws of the noise given the hard "
        "sample: the same mean, no larger variance, and no further evaluation of f.",
        formula="∂f(z) 1/M Σ_m ∇ soften(g_m, τ),  z ~ q,  g_m ~ p(g | z),  g = θ + noise, the noise constant",
        when="In place of st_gumbel_softmax, most of all at low temperatures, where that one is noisy.",
        paper="Paulus et al. 2021 (arXiv:2010.04838)",
        unbiased=False,
        needs_derivative=True,
        requires=RELAXATION,
        evaluations=lambda estimator, sites: estimator.samples,
        settings=({}, {"temperature": 0.3, "inner": 3, "samples": 2}),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(self.temperature, "temperature", name_of(self))
        check_samples(self.inner, 1, name_of(self), "inner")

    def noise(self, sites: Sites) -> dict[str, dict[str, NoiseSpec]]:
        """The conditional draws are the last axis of their noise: the plate stays in front."""
        wanted = path_noise(sites, self.samples)
        for name, site in sites.items():
            for role, spec in site.law.noise().items():
                shape = (*spec.shape, self.inner)
                wanted[name][f"conditional_{role}"] = NoiseSpec(spec.kind, shape, copies=self.samples)
        return wanted

    def draw(self, law: Any, noise: Mapping[str, Tensor], memory: Any) -> Tensor:
        z = law.path(noise)
        given = {role: noise[f"conditional_{role}"].movedim(-1, 0) for role in law.noise()}
        g = law.perturb_given(z, given)
        moved = with_slope(g, torch.ones_like(g), law.logits)
        return with_derivative_of(law.soften(moved, self.temperature).mean(0), z)
