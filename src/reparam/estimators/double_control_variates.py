"""Leave-one-out with control variates that are linear in the sample, their slopes found at the other samples."""

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
    path_noise,
    register,
)
from reparam.estimators.card import RELAXATION, Card
from reparam.estimators.leave_one_out import hard_samples, others, with_controls
from reparam.noise import Noise, NoiseSpec
from reparam.program import Params


@register("double_control_variates")
@dataclass(frozen=True)
class DoubleControlVariates(Estimator):
    """Leave-one-out of h_k = f_k + α c_k, with c_k = ḡ_₋k · (z_k − μ) and ḡ_₋k the mean slope at the other samples.

    Σ_k/K [(h_k − mean of the other h_j) ∇ log q(z_k) − α ∇(ḡ_₋k · μ)], μ the mean of q (Titsias & Shi 2022): c_k
    as a control variate of f_k has a mean, given exactly by the second term, and as one of the baseline's f_j it
    has none. The slope is that of f with respect to the sample, as if f took other than hard samples.

    With several sites the signal of each has the control variates of all (those of other sites have mean zero given
    its own), and each site its own slope and its own α; a site shared by the plate adds nothing to the signals of
    sites inside the plate. `α` starts at 0, which is leave-one-out, and is trained on the variance; Taylor's
    would be −1.

    Raises ReparamError unless `samples` is at least 2.
    """

    samples: int = 2
    """K ≥ 2, the samples that are each other's baseline."""
    card = Card(
        title="Double control variates",
        what="Leave-one-out REINFORCE in which every value of f, that of the sample and those of its baseline, is "
        "corrected by a linear function whose slope is ∂f at the other samples.",
        formula="1/K Σ_k [(h_k − 1/(K−1) Σ_{j≠k} h_j) ∇ log q(z_k) − α g_k·∇ μ],  "
        "h_k = f(z_k) + α g_k·(z_k − μ),  g_k = 1/(K−1) Σ_{j≠k} ∂f(z_j),  μ = E[z]",
        when="For discrete samples and an f with useful derivatives between them: K values and K gradients of f, one "
        "number to train per site.",
        paper="Titsias & Shi 2022 (arXiv:2111.05300)",
        unbiased=True,
        needs_derivative=True,
        requires=RELAXATION,
        evaluations=lambda estimator, sites: estimator.samples,
        tunables=frozenset({"alpha"}),
        settings=({}, {"samples": 3}),
    )

    def __post_init__(self) -> None:
        check_samples(self.samples, 2, "double_control_variates")

    def noise(self, sites: Sites) -> dict[str, dict[str, NoiseSpec]]:
        return path_noise(sites, self.samples)

    def init(self, sites: Sites, generator: torch.Generator) -> tuple[dict[str, Tensor], Any]:
        return {f"alpha.{name}": site.z.new_zeros(()) for name, site in sites.items()}, {}

    def estimate(
        self, run: Run, params: Params, noise: Noise, tunables: Mapping[str, Tensor], memory: Any
    ) -> Terms:
        values, sites = hard_samples(run, params, noise, lambda law: law.mean)
        slopes = {name: tunables[f"alpha.{name}"] * others(site.slope) for name, site in sites.items()}
        controls = {
            name: (slopes[name] * (site.z - site.statistic.detach())).sum(-1) for name, site in sites.items()
        }
        losses = [values.mean(0)]
        for name, site in sites.items():
            signal = with_controls(values.detach(), controls, site.log_q.ndim)
            mean = (slopes[name] * site.statistic).sum(-1)
            losses.append(((signal - others(signal)) * site.log_q - mean).mean(0))
        return Terms(losses[0], tuple(losses), (1.0,) * len(losses), self.samples, memory, tune_variance=True)
