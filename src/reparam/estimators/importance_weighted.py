"""Gradients of the importance-weighted bound through the samples' paths: total, path only, doubly reparameterized."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from reparam.errors import ReparamError
from reparam.estimators.base import (
    Estimator,
    Run,
    Sites,
    Terms,
    check_samples,
    name_of,
    over_samples,
    path_noise,
    register,
    restate,
    sample_bound,
)
from reparam.estimators.card import PATH, PATH_AND_SCORE, Card
from reparam.noise import Noise, NoiseSpec
from reparam.program import Params


@dataclass(frozen=True)
class PathOfBound(Estimator):
    """∇ of log 1/K Σ_k exp f_k for f = log p − log q, averaged over `groups` of K = `samples` samples."""

    samples: int = 2
    """K, the samples of the bound."""
    groups: int = 1
    """M, independent bounds of K samples, averaged (MIWAE of Rainforth et al. 2018)."""

    def __post_init__(self) -> None:
        check_samples(self.samples, 1, name_of(self))
        check_samples(self.groups, 1, name_of(self), "groups")

    def noise(self, sites: Sites) -> dict[str, dict[str, NoiseSpec]]:
        return path_noise(sites, self.samples * self.groups)

    @abstractmethod
    def one(self, run: Run, params: Params, noise: Noise) -> tuple[Tensor, ...]:
        """f at one sample, and what else the loss is made of; each in the plate's shape."""

    @abstractmethod
    def loss(self, bound: Tensor, weights: Tensor, values: Tensor, *others: Tensor) -> Tensor:
        """The loss [M, *plate] from the bound, the constant normalised weights and what `one` found [K, M, *plate]."""

    def estimate(
        self, run: Run, params: Params, noise: Noise, tunables: Mapping[str, Tensor], memory: Any
    ) -> Terms:
        found = over_samples(lambda draw: self.one(run, params, draw), noise)
        values, *others = (entry.unflatten(0, (self.samples, self.groups)) for entry in found)
        bound, weights = sample_bound(values), values.detach().softmax(0)
        loss = self.loss(bound, weights, values, *others).mean(0)
        return Terms(bound.mean(0), (loss,), (1.0,), self.card.evaluations(self, {}), memory)

    def log_q(self, sites: Sites, plate: Tensor) -> Tensor:
        """Σ_sites log q, in the shape of `plate`; ReparamError for a site that the plate shares."""
        total = torch.zeros_like(plate)
        for name, site in sites.items():
            entries = site.law.log_prob(site.z)
            if entries.shape != total.shape:
                raise ReparamError(
                    f"{name_of(self)} weighs the samples of one datum, but sample site {name!r} is shared by the "
                    "plate; estimators for shared sites of a bound: iwae, vimco"
                )
            total = total + entries
        return total


@register("iwae")
@dataclass(frozen=True)
class Iwae(PathOfBound):
    """∇ E[log 1/K Σ_k exp f_k] through the samples and through f's own parameters (Burda et al. 2016)."""

    card = Card(
        title="Importance-weighted bound (IWAE), total derivative",
        what="Differentiates the K-sample bound log 1/K Σ_k exp f_k, for f = log p − log q, through the samples: "
        "pathwise for the bound in place of E[f].",
        formula="Σ_k w̃_k ∇ f(z_k),  z_k = g(ε_k; φ),  w̃ = softmax f constant;  averaged over M groups of K",
        when="The plain choice for a tighter bound. The signal-to-noise ratio of q's gradient falls as K grows; with "
        "dreg it grows.",
        paper="Burda et al. 2016 (arXiv:1509.00519); Rainforth et al. 2018 (arXiv:1802.04537)",
        unbiased=True,
        needs_derivative=True,
        requires=PATH,
        evaluations=lambda estimator, sites: estimator.samples * estimator.groups,
        objective="bound",
        settings=({}, {"samples": 1}, {"groups": 3}),
    )

    def one(self, run: Run, params: Params, noise: Noise) -> tuple[Tensor, ...]:
        return (run(params, lambda name, law: law.path(noise[name])).value,)

    def loss(self, bound: Tensor, weights: Tensor, values: Tensor, *others: Tensor) -> Tensor:
        return bound


@register("stl")
@dataclass(frozen=True)
class Stl(PathOfBound):
    """The path derivative: `iwae` without the score of q (Roeder et al. 2017). Exact for the ELBO, K = 1.

    For a program whose value is f = log p − log q, with q the density of its sites; the score is added to cancel the
    one in f. The sites must have the value's plate.
    """

    card = Card(
        title="Sticking the landing (path derivative)",
        what="Drops the score of q from the derivative of f = log p − log q. With one sample that keeps the mean, and "
        "leaves no variance where q is the posterior; on the K-sample bound it is biased.",
        formula="Σ_k w̃_k [∇ f(z_k) + ∇ log q(c_k)],  z_k = g(ε_k; φ), c_k the constant z_k,  w̃ = softmax f "
        "constant, f = log p − log q;  averaged over M groups of K",
        when="For an ELBO without an analytic KL once q is near the posterior. For K > 1 use dreg.",
        paper="Roeder et al. 2017 (arXiv:1703.09194)",
        unbiased=False,
        needs_derivative=True,
        requires=PATH_AND_SCORE,
        evaluations=lambda estimator, sites: estimator.samples * estimator.groups,
        objective="bound",
        settings=({}, {"samples": 1}, {"groups": 3}),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        restate(self, unbiased=self.samples == 1)

    def one(self, run: Run, params: Params, noise: Noise) -> tuple[Tensor, ...]:
        trace = run(params, lambda name, law: law.path(noise[name]))
        sites = run.sites(params, lambda name, law: trace.sites[name].z.detach())
        return trace.value, self.log_q(sites, trace.value)

    def loss(self, bound: Tensor, weights: Tensor, values: Tensor, *others: Tensor) -> Tensor:
        (score,) = others
        return (weights * (values + score)).sum(0)


@register("dreg")
@dataclass(frozen=True)
class Dreg(PathOfBound):
    """The doubly reparameterized gradient of the K-sample bound (Tucker et al. 2019).

    For a program whose value is f = log p − log q, with q the density of its sites. The path carries the squared
    weights, at f with stopped parameters; the model's own parameters have the weights themselves, at constant samples.
    The sites must have the value's plate.
    """

    card = Card(
        title="Doubly reparameterized gradient (DReG)",
        what="The gradient of the K-sample bound with the score of q written as a second path: the samples' paths are "
        "weighed by w̃², the model's own parameters by w̃. Its signal-to-noise ratio grows with K.",
        formula="Σ_k w̃_k² ∂f(z_k) ∇ z_k + Σ_k w̃_k ∇ [f(c_k) + log q(c_k)],  z_k = g(ε_k; φ), c_k the constant z_k,  "
        "w̃ = softmax f constant, f = log p − log q;  averaged over M groups of K",
        when="For the inference network of a K-sample bound. Two evaluations of f per sample.",
        paper="Tucker et al. 2019 (arXiv:1810.04152)",
        unbiased=True,
        needs_derivative=True,
        requires=PATH_AND_SCORE,
        evaluations=lambda estimator, sites: 2 * estimator.samples * estimator.groups,
        objective="bound",
        settings=({}, {"samples": 1}, {"groups": 3}),
    )

    def one(self, run: Run, params: Params, noise: Noise) -> tuple[Tensor, ...]:
        live = run.sites(params, lambda name, law: law.path(noise[name]))
        stopped = {name: entry.detach() for name, entry in params.items()}
        path = run(stopped, lambda name, law: live[name].z).value
        constant = run(params, lambda name, law: live[name].z.detach())
        return path, constant.value + self.log_q(constant.latent, constant.value)

    def loss(self, bound: Tensor, weights: Tensor, values: Tensor, *others: Tensor) -> Tensor:
        (model,) = others
        return (weights.square() * values + weights * model).sum(0)
