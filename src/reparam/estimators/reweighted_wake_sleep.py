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
    name_of,
    path_noise,
    register,
    restate,
    sample_bound,
    scored,
)
from reparam.estimators.card import ANY_LAW, PATH_AND_SCORE, Card, Part
from reparam.estimators.importance_weighted import Dreg, check_share
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


@register("rws_dreg")
@dataclass(frozen=True)
class RwsDreg(Dreg):
    """The doubly reparameterized gradient of the wake phases, or a mixture of it and `dreg` (Tucker et al. 2019).

    For programs and sites as in `dreg`. E[Σ_k w̃_k ∇ log q(z_k)], in which z_k is held constant, is the mean of the
    paths' derivatives weighed by ∂w̃_k/∂ log w_k = w̃_k − w̃_k².
    """

    share: float = 1.0
    """a, the share of the wake phase in q's gradient; the rest is that of the bound."""
    card = Card(
        title="Doubly reparameterized wake phase (RWS-DReG), DReG(a)",
        what="The wake phases of reweighted wake-sleep with the score of q written as a path: the model climbs the "
        "K-sample bound, q follows the paths weighed by w̃ − w̃². A share a < 1 mixes that with the bound's own "
        "gradient.",
        formula="Σ_k [a (w̃_k − w̃_k²) + (1 − a) w̃_k²] ∂f(z_k) ∇ z_k + Σ_k w̃_k ∇ [f(c_k) + log q(c_k)],  "
        "z_k = g(ε_k; φ), c_k the constant z_k,  w̃ = softmax f constant, f = log p − log q;  averaged over M groups "
        "of K",
        when="In the place of reweighted_wake_sleep where the samples have paths: less variance once q is near the "
        "posterior. Two evaluations of f per sample.",
        paper="Tucker et al. 2019 (arXiv:1810.04152)",
        unbiased=True,
        needs_derivative=True,
        requires=PATH_AND_SCORE,
        evaluations=lambda estimator, sites: 2 * estimator.samples * estimator.groups,
        objective="wake",
        parts=lambda estimator: (
            Part(estimator.share, "wake", estimator.samples),
            Part(1 - estimator.share, "bound", estimator.samples),
        ),
        settings=({}, {"samples": 3, "share": 0.9}, {"groups": 3}),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        check_samples(self.samples, 2, name_of(self))
        check_share(self.share, "share", name_of(self))
        restate(self, objective="wake" if self.share == 1 else "combination")

    def weights(self, values: Tensor) -> tuple[Tensor, Tensor]:
        weights = values.softmax(0)
        square = weights.square()
        return self.share * (weights - square) + (1 - self.share) * square, weights
