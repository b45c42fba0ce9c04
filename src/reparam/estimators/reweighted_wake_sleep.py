"""Reweighted wake-sleep, wake phases: importance-weighted updates of a model and of what it samples from."""

from __future__ import annotations

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
    path_noise,
    register,
    sample_bound,
    scored,
)
from reparam.estimators.card import ANY_LAW, Card
from reparam.noise import Noise, NoiseSpec
from reparam.program import Params


@register("reweighted_wake_sleep")
@dataclass(frozen=True)
class ReweightedWakeSleep(Estimator):
    """Σ_k w̃_k ∇ log p(z_k) for the model, Σ_k w̃_k ∇ log q(z_k) for the sites' laws (Bornschein & Bengio 2015).

    For a program whose value is f = log p − log q, with K = `samples` ≥ 2 samples of q per datum and their normalised
    weights w̃ = softmax f, constant. The wake phases of both; no sleep phase. It follows from f alone, because
    log p + log q = f + 2 log q. The sites must have the value's plate: a weight belongs to one datum.
    """

    samples: int = 2
    """K, the samples that share the weights."""
    card = Card(
        title="Reweighted wake-sleep (wake phases)",
        what="Draws K samples from q, weighs them by p/q, normalised, and raises both log p and log q at them: the "
        "model climbs the K-sample bound, q approaches the posterior in KL(p ‖ q) as K grows.",
        formula="Σ_k w̃_k ∇ [f(z_k) + 2 log q(z_k)],  w̃ = softmax f constant,  f = log p − log q",
        when="For models with discrete sites; no baseline, and q's gradient does not weaken as K grows. Not the "
        "gradient of one objective; for finite K the weights are biased towards q.",
        paper="Bornschein & Bengio 2015 (arXiv:1406.2751)",
        unbiased=True,
        needs_derivative=False,
        requires=ANY_LAW,
        evaluations=lambda estimator, sites: estimator.samples,
        objective="wake",
        settings=({}, {"samples": 3}),
    )

    def __post_init__(self) -> None:
        check_samples(self.samples, 2, "reweighted_wake_sleep")

    def noise(self, sites: Sites) -> dict[str, dict[str, NoiseSpec]]:
        return path_noise(sites, self.samples)

    def estimate(
        self, run: Run, params: Params, noise: Noise, tunables: Mapping[str, Tensor], memory: Any
    ) -> Terms:
        values, log_q = scored(run, params, noise)
        for name, entries in log_q.items():
            if entries.shape != values.shape:
                raise ReparamError(
                    f"reweighted_wake_sleep weighs the samples of one datum, but sample site {name!r} is shared by the "
                    "plate; estimators for shared sites of a bound: vimco"
                )
        weights = values.detach().softmax(0)
        total = torch.stack(list(log_q.values())).sum(0)
        bound = sample_bound(values)
        return Terms(bound, ((weights * (values + 2 * total)).sum(0),), (1.0,), self.samples, memory)
