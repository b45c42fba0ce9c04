"""Antithetic estimators for bits: ARM, and DisARM with its K-sample form."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from reparam.errors import ReparamError
from reparam.estimators.base import (
    Estimator,
    Run,
    Sites,
    Terms,
    check_samples,
    hard_run,
    on_plate,
    over_samples,
    path_noise,
    register,
    rerun,
)
from reparam.estimators.card import BITS, Card
from reparam.noise import Noise, NoiseSpec
from reparam.program import Params


@register("arm")
@dataclass(frozen=True)
class Arm(Estimator):
    """(f(z) − f(z̃)) (u − ½) for the logits, z and z̃ being made of the uniforms u and 1 − u.

    A bit is 1[u > σ(−θ)], its antithetic twin 1[u < σ(θ)] (Yin & Zhou 2019). All bits of a site are twinned at once.
    With several sites, the base run is compared with one more run per site: the sites before it at the base
    run's samples, its own bits twinned, the sites after it drawn again with the base run's noise. `samples` = K is
    even: the mean over K/2 independent twins. ∂f is not needed; the direct ∇f is averaged over all runs.

    Raises ReparamError unless `samples` is even and at least 2.
    """

    samples: int = 2
    """K, even: the samples of K/2 antithetic pairs, whose estimates are averaged."""
    card = Card(
        title="ARM (augment-REINFORCE-merge)",
        what="Runs f at bits made of uniforms u and at their antithetic twins made of 1 − u, and weighs the difference "
        "with u − ½.",
        formula="[f(1[u > σ(−θ)]) − f(1[u < σ(θ)])] (u − ½) ∇ θ,  u uniform",
        when="For bits, as a reference: disarm with two samples costs the same and its variance is never larger.",
        paper="Yin & Zhou 2019 (arXiv:1807.11143)",
        unbiased=True,
        needs_derivative=False,
        requires=BITS,
        evaluations=lambda estimator, sites: estimator.samples // 2 * (1 + len(sites)),
        settings=({}, {"samples": 4}),
    )

    def __post_init__(self) -> None:
        check_samples(self.samples, 2, "arm")
        if self.samples % 2:
            raise ReparamError(f"arm: samples must be even (they come in pairs), got {self.samples}")

    def noise(self, sites: Sites) -> dict[str, dict[str, NoiseSpec]]:
        return path_noise(sites, self.samples // 2)

    def estimate(
        self, run: Run, params: Params, noise: Noise, tunables: Mapping[str, Tensor], memory: Any
    ) -> Terms:
        def one(draw: Noise) -> tuple[Tensor, dict[str, Tensor]]:
            base = hard_run(run, params, draw)
            values, losses = [base.value], {}
            for name, site in base.latent.items():
                u = draw[name]["uniform"]
                twin = site.law.path({"uniform": 1 - u})
                value = rerun(run, params, base, name, twin, lambda later, law: law.path(draw[later]))
                values.append(value)
                change = on_plate((base.value - value).detach(), len(site.law.plate))
                losses[name] = change * site.law.sum_event((u - 0.5) * site.law.logits)
            return torch.stack(values).mean(0), losses

        values, losses = over_samples(one, noise)
        value = values.mean(0)
        terms = (value, *(loss.mean(0) for loss in losses.values()))
        evaluations = self.samples // 2 * (1 + len(losses))
        return Terms(value, terms, (1.0,) * len(terms), evaluations, memory)


@register("disarm")
@dataclass(frozen=True)
class Disarm(Estimator):
    """ARM with u averaged out given the twins; for K > 2 its K-sample form, ARMS.

    K = 2: ½ (f(z) − f(z̃)) (z − z̃) σ(|θ|) for the logits θ (Dong et al. 2020). In general K bits made of negatively
    dependent uniforms, in leave-one-out form and divided by 1 − ρ with ρ the correlation of two of them:
    1/(K − 1) Σ_k f_k (z_k − z̄) / (1 − ρ) (Dimitriev & Zhou 2021, ARMS with the Dirichlet copula), which for K = 2 is
    DisARM. Several sites as in `Arm`, with K − 1 more runs per site.

    On one bit its variance is below that of K-sample leave-one-out for every K and every probability; the mean
    over K/2 pairs is not (at probability .9 and K = 4 it is 3 % larger, this form 23 % smaller). With several bits
    of unequal probabilities it can be larger for a coordinate: antithetic samples differ most in even bits, and
    that is noise for a nearly certain one.

    Raises ReparamError unless `samples` is at least 2.
    """

    samples: int = 2
    """K ≥ 2, the antithetic samples."""
    card = Card(
        title="DisARM (U2G), K-sample form ARMS",
        what="Runs f at antithetic bits and weighs the differences with the bits alone, the uniforms that made them "
        "averaged out.",
        formula="1/(K−1) Σ_k f(z_k) (z_k − z̄) / (1 − ρ) ∇ θ,  z̄ the mean of the K samples, ρ the correlation of two;  "
        "K = 2: ½ [f(z₁) − f(z₂)] (z₁ − z₂) σ(|θ|) ∇ θ",
        when="The first choice for bits when only values of f are wanted: nothing to tune, K runs of f with one site "
        "and K − 1 more with every further one. A bit that is nearly certain, beside even ones, can vary more than "
        "under leave-one-out.",
        paper="Dong et al. 2020 (arXiv:2006.10680); Dimitriev & Zhou 2021 (arXiv:2105.14141) for K > 2",
        unbiased=True,
        needs_derivative=False,
        requires=BITS,
        evaluations=lambda estimator, sites: 1 + len(sites) * (estimator.samples - 1),
        settings=({}, {"samples": 3}, {"samples": 4}),
    )

    def __post_init__(self) -> None:
        check_samples(self.samples, 2, "disarm")

    def noise(self, sites: Sites) -> dict[str, dict[str, NoiseSpec]]:
        return path_noise(sites, 1 if self.samples == 2 else self.samples)

    def estimate(
        self, run: Run, params: Params, noise: Noise, tunables: Mapping[str, Tensor], memory: Any
    ) -> Terms:
        def bits(name: str, law: Any) -> Tensor:
            """The site's K antithetic samples, on a new first axis."""
            return law.path({"uniform": antithetic(noise[name]["uniform"], law.logits)})

        def first(name: str, law: Any) -> Tensor:
            return bits(name, law)[0]

        base = run(params, first)
        values, losses = [base.value.unsqueeze(0)], []
        for name, site in base.latent.items():
            law, z = site.law, bits(name, site.law)

            def again(z: Tensor, name: str = name) -> Tensor:
                return rerun(run, params, base, name, z, first)

            others = torch.vmap(again)(z[1:])
            values.append(others)
            signal = on_plate(torch.cat([values[0], others]).detach(), 1 + len(law.plate))
            change = (signal - signal[0])[(..., *(None,) * law.event_dims)]
            contrast = (change * (z - z.mean(0))).sum(0) / (self.samples - 1)
            losses.append(law.sum_event(contrast * debias(law.logits, self.samples) * law.logits))
        runs = torch.cat(values)
        value = runs.mean(0)
        return Terms(value, (value, *losses), (1.0,) * (1 + len(losses)), len(runs), memory)


def antithetic(u: Tensor, logits: Tensor) -> Tensor:
    """Negatively dependent uniforms [K, …], each increasing in its own entry of u [K, …]; [1, …] gives u and 1 − u.

    The Dirichlet copula: (1 − d_k)^(K−1) with d uniform on the simplex, d_k ∝ −log u_k. Its lower tail repels
    most, so it serves the rarer of a bit's two values.
    """
    if len(u) == 1:
        return torch.cat([u, 1 - u])
    frequent = logits > 0
    logarithm = torch.where(frequent, u, 1 - u).log()
    simplex = logarithm / logarithm.sum(0)
    copula = (1 - simplex) ** (len(u) - 1)
    return torch.where(frequent, copula, 1 - copula)


def debias(logits: Tensor, samples: int) -> Tensor:
    """1 / (1 − ρ), constant: ρ is the correlation of two bits made of `antithetic` uniforms.

    With p = σ(−|θ|) the probability of the rarer value, both are rare with probability
    max(0, 2 p^(1/(K−1)) − 1)^(K−1); written so that no logit, however large, divides 0 by 0.
    """
    size = logits.detach().abs()
    root = (-logsigmoid(-size) / (samples - 1)).exp()
    both_given_one = (2 - root).clamp(min=0) ** (samples - 1)
    return torch.sigmoid(size) / (1 - both_given_one)
