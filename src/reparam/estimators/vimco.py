"""VIMCO: the score function of a K-sample bound, each sample with a learning signal of its own."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from reparam.estimators.base import (
    Estimator,
    Run,
    Sites,
    Terms,
    check_samples,
    on_plate,
    path_noise,
    register,
    sample_bound,
    scored,
)
from reparam.estimators.card import ANY_LAW, Card
from reparam.noise import Noise, NoiseSpec
from reparam.program import Params

Baseline = Literal["geometric", "arithmetic"]


@register("vimco")
@dataclass(frozen=True)
class Vimco(Estimator):
    """∇ E[log 1/K Σ_k exp f_k], K = `samples` ≥ 2, for a value f that is a log weight (Mnih & Rezende 2016).

    The learning signal of sample k is the bound less a baseline that does not look at sample k: the same bound with
    exp f_k replaced by the others' geometric mean (the paper's choice) or their arithmetic mean. With two samples both
    are the other's weight. The derivative of the bound at constant samples is added.
    """

    samples: int = 2
    """K, the samples of the bound."""
    baseline: Baseline = "geometric"
    """The mean of the other samples' weights that stands in for a sample's own."""
    card = Card(
        title="VIMCO (multi-sample bound with leave-one-out signals)",
        what="Climbs the K-sample bound log 1/K Σ_k exp f_k, for f = log p − log q, with the score of each sample "
        "weighed by what that sample adds to the bound over a mean of the others.",
        formula="Σ_k (L − L₋ₖ) ∇ log q(z_k) + Σ_k w̃_k ∇ f(z_k),  L = log 1/K Σ_j exp f_j,  w̃ = softmax f,  "
        "L₋ₖ = L with exp f_k replaced by the others' geometric (or arithmetic) mean",
        when="For training models with discrete sites on a tighter bound than the ELBO: no baseline to learn, nothing "
        "to tune. The signal of q weakens as K grows.",
        paper="Mnih & Rezende 2016 (arXiv:1602.06725)",
        unbiased=True,
        needs_derivative=False,
        requires=ANY_LAW,
        evaluations=lambda estimator, sites: estimator.samples,
        objective="bound",
        settings=({}, {"samples": 3}, {"samples": 3, "baseline": "arithmetic"}),
    )

    def __post_init__(self) -> None:
        check_samples(self.samples, 2, "vimco")

    def noise(self, sites: Sites) -> dict[str, dict[str, NoiseSpec]]:
        return path_noise(sites, self.samples)

    def estimate(
        self, run: Run, params: Params, noise: Noise, tunables: Mapping[str, Tensor], memory: Any
    ) -> Terms:
        values, log_q = scored(run, params, noise)
        bound = sample_bound(values)
        signals = self._signals(values.detach())
        used = {name: on_plate(signals, entries.ndim) for name, entries in log_q.items()}
        losses = [bound, *((used[name] * entries).sum(0) for name, entries in log_q.items())]
        coefficients = (1.0,) * len(losses)
        return Terms(bound, tuple(losses), coefficients, self.samples, memory, learning_signals=used)

    def _signals(self, values: Tensor) -> Tensor:
        """L − L₋ₖ for each sample [K, *plate]. A constant added to all values cancels, so the largest is made 0."""
        values = values - values.amax(0)
        own = torch.eye(len(values), dtype=torch.bool, device=values.device)
        own = own.reshape(*own.shape, *(1,) * (values.ndim - 1))
        if self.baseline == "arithmetic":
            others = torch.where(own, -torch.inf, values).logsumexp(1) - math.log(len(values) - 1)
        else:
            others = torch.where(own, 0.0, values).sum(1) / (len(values) - 1)
        without = torch.where(own, others.unsqueeze(1), values).logsumexp(1)
        return values.logsumexp(0) - without
