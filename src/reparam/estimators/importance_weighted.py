"""Gradients of importance-weighted bounds through the samples' paths: total, path only, doubly reparameterized."""

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
from reparam.estimators.card import PATH, PATH_AND_SCORE, Card, Part
from reparam.noise import Noise, NoiseSpec
from reparam.program import Params


def check_share(given: float, option: str, estimator: str) -> None:
    """ReparamError unless the option is between 0 and 1."""
    if not 0 <= given <= 1:
        raise ReparamError(f"{estimator}: {option} must be between 0 and 1, got {given!r}")


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

    def bound(self, values: Tensor) -> Tensor:
        """The objective's reading, in the plate's shape, from f [K, M, *plate]."""
        return sample_bound(values).mean(0)

    @abstractmethod
    def loss(self, values: Tensor, *others: Tensor) -> Tensor:
        """The loss, in the plate's shape, from what `one` found, [K, M, *plate] each."""

    def estimate(
        self, run: Run, params: Params, noise: Noise, tunables: Mapping[str, Tensor], memory: Any
    ) -> Terms:
        found = over_samples(lambda draw: self.one(run, params, draw), noise)
        values, *others = (entry.unflatten(0, (self.samples, self.groups)) for entry in found)
        loss = self.loss(values, *others)
        return Terms(self.bound(values), (loss,), (1.0,), self.card.evaluations(self, {}), memory)

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

    def loss(self, values: Tensor, *others: Tensor) -> Tensor:
        return self.bound(values)


@register("ciwae")
@dataclass(frozen=True)
class Ciwae(Iwae):
    """∇ of β E[f] + (1 − β) E[log 1/K Σ_k exp f_k] (Rainforth et al. 2018), total derivative."""

    beta: float = 0.5
    """β, the share of the ELBO."""
    card = Card(
        title="Combination of the ELBO and the importance-weighted bound (CIWAE)",
        what="Differentiates β times the mean of f over the samples plus 1 − β times their K-sample bound, through the "
        "samples. The ELBO's gradient of q does not weaken as K grows.",
        formula="Σ_k [β/K + (1 − β) w̃_k] ∇ f(z_k),  z_k = g(ε_k; φ),  w̃ = softmax f constant;  averaged over M "
        "groups of K",
        when="For a bound between the ELBO and that of K samples, at the cost of the latter.",
        paper="Rainforth et al. 2018 (arXiv:1802.04537)",
        unbiased=True,
        needs_derivative=True,
        requires=PATH,
        evaluations=lambda estimator, sites: estimator.samples * estimator.groups,
        objective="combination",
        parts=lambda estimator: (
            Part(estimator.beta, "expectation", 1),
            Part(1 - estimator.beta, "bound", estimator.samples),
        ),
        settings=({}, {"samples": 3, "beta": 0.05}, {"groups": 3}),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_share(self.beta, "beta", name_of(self))

    def bound(self, values: Tensor) -> Tensor:
        return self.beta * values.mean((0, 1)) + (1 - self.beta) * sample_bound(values).mean(0)


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

    def loss(self, values: Tensor, *others: Tensor) -> Tensor:
        (score,) = others
        return (values.detach().softmax(0) * (values + score)).sum(0).mean(0)


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

    def weights(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """What the paths and what the model's own parameters are weighed by, from constant f; each [K, M, *plate]."""
        weights = values.softmax(0)
        return weights.square(), weights

    def loss(self, values: Tensor, *others: Tensor) -> Tensor:
        (model,) = others
        path_weights, model_weights = self.weights(values.detach())
        return (path_weights * values + model_weights * model).sum(0).mean(0)


@register("piwae")
@dataclass(frozen=True)
class Piwae(PathOfBound):
    """The model climbs the bound of all M K samples, q the mean of M bounds of K (Rainforth et al. 2018).

    For a program whose value is f = log p − log q, with q the density of its sites: the model's own gradient is that of
    f + log q at constant samples. The sites must have the value's plate.
    """

    samples: int = 2
    """K, the samples of a bound that q climbs (L in the paper)."""
    groups: int = 2
    """M, such bounds; the model climbs the one bound of all M K samples."""
    card = Card(
        title="Partially importance-weighted (PIWAE)",
        what="Follows two bounds with one set of samples: the model's own parameters the tightest, of all M K samples, "
        "and q the mean of M bounds of K samples, whose gradient has more signal.",
        formula="1/M Σ_m Σ_k w̃_mk [∇ f(z_mk) − ∇ ℓ(c_mk)] + Σ_m Σ_k W̃_mk ∇ ℓ(c_mk),  ℓ = f + log q = log p,  "
        "z = g(ε; φ), c the constant z,  w̃ = softmax f over k, W̃ over all, constant",
        when="When both the model and q matter. Two evaluations of f per sample; dreg gives q a signal that grows with "
        "K without other bounds.",
        paper="Rainforth et al. 2018 (arXiv:1802.04537)",
        unbiased=True,
        needs_derivative=True,
        requires=PATH_AND_SCORE,
        evaluations=lambda estimator, sites: 2 * estimator.samples * estimator.groups,
        objective="combination",
        parts=lambda estimator: (
            Part(1.0, "bound", estimator.samples),
            Part(-1.0, "model", estimator.samples),
            Part(1.0, "model", estimator.samples * estimator.groups),
        ),
        settings=({}, {"samples": 1, "groups": 3}, {"groups": 1}),
    )

    def one(self, run: Run, params: Params, noise: Noise) -> tuple[Tensor, ...]:
        trace = run(params, lambda name, law: law.path(noise[name]))
        constant = run(params, lambda name, law: trace.sites[name].z.detach())
        return trace.value, constant.value + self.log_q(constant.latent, constant.value)

    def bound(self, values: Tensor) -> Tensor:
        return sample_bound(values.flatten(0, 1))

    def loss(self, values: Tensor, *others: Tensor) -> Tensor:
        (model,) = others
        constant = values.detach()
        own, joint = constant.softmax(0), constant.flatten(0, 1).softmax(0).view_as(constant)
        guide = (own * (values - model)).sum(0).mean(0)
        return guide + (joint * model).sum((0, 1))
