"""Jackknife variational inference: the bound of K samples less its leading bias, and its gradient's variants."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from reparam.estimators.base import check_samples, name_of, register, sample_bound
from reparam.estimators.card import PATH, PATH_AND_SCORE, Card, Part
from reparam.estimators.importance_weighted import Dreg, Iwae, PathOfBound


def parts(estimator: PathOfBound) -> tuple[Part, ...]:
    """K times the bound of K samples less K − 1 times that of K − 1."""
    samples = estimator.samples
    return Part(float(samples), "bound", samples), Part(1.0 - samples, "bound", samples - 1)


def without_each(values: Tensor) -> Tensor:
    """Each sample left out in turn, as −∞: values [K, *plate] → [K, K, *plate], the second axis counting who is out."""
    own = torch.eye(len(values), dtype=torch.bool, device=values.device)
    return values.unsqueeze(1).masked_fill(own[(..., *(None,) * (values.ndim - 1))], -torch.inf)


def jackknife(values: Tensor) -> Tensor:
    """K L − (K − 1) 1/K Σ_i L₋ᵢ of f [K, *plate], L the bound of all, L₋ᵢ that of all but the i-th: [*plate]."""
    samples = len(values)
    others = sample_bound(without_each(values)) + math.log(samples / (samples - 1))
    return samples * sample_bound(values) - (samples - 1) * others.mean(0)


@register("jvi")
@dataclass(frozen=True)
class Jvi(Iwae):
    """∇ of the jackknife's bound of order 1 (Nowozin 2018), total derivative."""

    card = Card(
        title="Jackknife variational inference (JVI), order 1, total derivative",
        what="Differentiates the bound of K samples with the jackknife's correction of its bias, K times it less K − 1 "
        "times the mean of the bounds without one of the samples, through the samples. What is climbed is nearer to "
        "log p(x), from which it is off by O(1/K²) in place of O(1/K), and no bound any more.",
        formula="K Σ_k w̃_k ∇ f(z_k) − (K − 1)/K Σ_i Σ_{k≠i} w̃_k⁻ⁱ ∇ f(z_k),  z_k = g(ε_k; φ),  w̃ = softmax f, "
        "w̃⁻ⁱ the same without sample i, constant;  averaged over M groups of K",
        when="For a tighter objective at the price of one of K samples. Near the posterior jvi_dreg varies far less.",
        paper="Nowozin 2018; Tucker et al. 2019 (arXiv:1810.04152)",
        unbiased=True,
        needs_derivative=True,
        requires=PATH,
        evaluations=lambda estimator, sites: estimator.samples * estimator.groups,
        objective="combination",
        parts=parts,
        settings=({}, {"samples": 3}, {"groups": 3}),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_samples(self.samples, 2, name_of(self))

    def bound(self, values: Tensor) -> Tensor:
        return jackknife(values).mean(0)


@register("jvi_dreg")
@dataclass(frozen=True)
class JviDreg(Dreg):
    """The doubly reparameterized gradient of the jackknife's bound (Tucker et al. 2019): K times `dreg` less K − 1
    times the mean of `dreg` without one of the samples, for programs and sites as there."""

    card = Card(
        title="Doubly reparameterized jackknife (JVI-DReG)",
        what="The gradient of the jackknife's bound (jvi) with the score of q written as a second path, in each of the "
        "bounds that it is made of.",
        formula="Σ_k c_k ∂f(z_k) ∇ z_k + Σ_k v_k ∇ [f(c_k) + log q(c_k)],  c_k = K w̃_k² − (K − 1)/K Σ_{i≠k} (w̃_k⁻ⁱ)²,  "
        "v_k = K w̃_k − (K − 1)/K Σ_{i≠k} w̃_k⁻ⁱ,  z, w̃ as in jvi, c_k within f the constant z_k;  averaged over M "
        "groups of K",
        when="In the place of jvi where q's gradient is noisy. Two evaluations of f per sample.",
        paper="Tucker et al. 2019 (arXiv:1810.04152)",
        unbiased=True,
        needs_derivative=True,
        requires=PATH_AND_SCORE,
        evaluations=lambda estimator, sites: 2 * estimator.samples * estimator.groups,
        objective="combination",
        parts=parts,
        settings=({}, {"samples": 3}, {"groups": 3}),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_samples(self.samples, 2, name_of(self))

    def bound(self, values: Tensor) -> Tensor:
        return jackknife(values).mean(0)

    def weights(self, values: Tensor) -> tuple[Tensor, Tensor]:
        weights, others = values.softmax(0), without_each(values).softmax(0)
        corrections = (others.square().mean(1), others.mean(1))
        full = (weights.square(), weights)
        path, model = (
            self.samples * entry - (self.samples - 1) * correction
            for entry, correction in zip(full, corrections, strict=True)
        )
        return path, model
