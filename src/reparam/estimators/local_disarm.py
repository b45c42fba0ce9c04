"""Local DisARM: antithetic signals for every sample of a multi-sample bound."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

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
    sample_bound,
)
from reparam.estimators.card import BITS, Card
from reparam.noise import Noise, NoiseSpec
from reparam.program import Params


@register("local_disarm")
@dataclass(frozen=True)
class LocalDisarm(Estimator):
    """∇ E[log 1/K Σ_k exp f_k], K = `samples`, for a value f that is a log weight (Dong et al. 2020).

    DisARM for one sample at a time, the others being held: ½ Σ_k (L − L_k) (z_k − z̃_k) σ(|θ|) for the logits θ, with
    z̃_k the antithetic twin of z_k and L_k the bound in which it stands for z_k. The derivative of the bound at
    constant samples is added. With several sites each has a twin of its own, the sites after it drawn again with
    the sample's noise. One sample is `disarm`, but for the direct ∇ f, which is that of z alone.

    Raises ReparamError unless `samples` is at least 1.
    """

    samples: int = 2
    """K, the samples of the bound, each with a twin."""
    card = Card(
        title="Local DisARM (multi-sample bound with antithetic signals)",
        what="Climbs the K-sample bound log 1/K Σ_k exp f_k of bits, for f = log p − log q, and weighs each sample's "
        "bits with what the bound loses when the sample is replaced by its antithetic twin.",
        formula="½ Σ_k (L − L_k) (z_k − z̃_k) σ(|θ|) ∇ θ + Σ_k w̃_k ∇ f(z_k),  z = 1[u > σ(−θ)],  z̃ = 1[u < σ(θ)],  "
        "L = log 1/K Σ_j exp f(z_j),  w̃ = softmax f,  L_k = L with z̃_k in the place of z_k",
        when="For training models of bits on a tighter bound than the ELBO, beside vimco: nothing to tune and less "
        "variance for the same bound, at 2K runs of f with one site and K more with every further one.",
        paper="Dong et al. 2020 (arXiv:2006.10680)",
        unbiased=True,
        needs_derivative=False,
        requires=BITS,
        evaluations=lambda estimator, sites: estimator.samples * (1 + len(sites)),
        objective="bound",
        settings=({}, {"samples": 3}),
    )

    def __post_init__(self) -> None:
        check_samples(self.samples, 1, "local_disarm")

    def noise(self, sites: Sites) -> dict[str, dict[str, NoiseSpec]]:
        return path_noise(sites, self.samples)

    def estimate(
        self, run: Run, params: Params, noise: Noise, tunables: Mapping[str, Tensor], memory: Any
    ) -> Terms:
        def one(draw: Noise) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
            base = hard_run(run, params, draw)
            twins, contrasts = {}, {}
            for name, site in base.latent.items():
                twin = site.law.path({"uniform": 1 - draw[name]["uniform"]})
                value = rerun(run, params, base, name, twin, lambda later, law: law.path(draw[later]))
                twins[name] = value.detach()
                p = site.law.mean.detach()
                weight = 0.5 * (site.z - twin) * torch.maximum(p, 1 - p)
                contrasts[name] = site.law.sum_event(weight * site.law.logits)
            return base.value, twins, contrasts

        values, twins, contrasts = over_samples(one, noise)
        bound, losses = sample_bound(values), []
        for name, contrast in contrasts.items():
            signal = _lost(values.detach(), twins[name])
            losses.append((on_plate(signal, contrast.ndim) * contrast).sum(0))
        evaluations = self.samples * (1 + len(losses))
        return Terms(bound, (bound, *losses), (1.0,) * (1 + len(losses)), evaluations, memory)


def _lost(values: Tensor, twins: Tensor) -> Tensor:
    """L − L_k for each sample [K, *plate]. A constant added to all cancels, so the largest value is made 0."""
    top = values.amax(0)
    values, twins = values - top, twins - top
    own = torch.eye(len(values), dtype=torch.bool, device=values.device)
    own = own.reshape(*own.shape, *(1,) * (values.ndim - 1))
    return sample_bound(values) - sample_bound(torch.where(own, twins.unsqueeze(0), values.unsqueeze(1)))
