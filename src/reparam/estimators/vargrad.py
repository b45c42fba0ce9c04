"""VarGrad: the score function with leave-one-out baselines as the gradient of a variance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from reparam.estimators.base import (
    Estimator,
    Run,
    Sites,
    Terms,
    check_samples,
    path_noise,
    register,
    sample_signals,
    scored,
)
from reparam.estimators.card import ANY_LAW, Card
from reparam.noise import Noise, NoiseSpec
from reparam.program import Params


@register("vargrad")
@dataclass(frozen=True)
class VarGrad(Estimator):
    """∇ of −½ the sample variance of f − log q over `samples` ≥ 2 detached samples (Richter et al. 2020).

    Here f is a constant and log q has its derivative but the value 0: for f = log p − log q these are the values and
    derivatives of the paper's log-ratios. There is one variance per site, and it divides by samples − 1. The mean of
    ∇ f, f's own dependence on the parameters, is added: draw by draw this is the score function with the leave-one-out
    baseline. For an ELBO, ∇ f holds −∇ log q, of mean zero, which the paper leaves out; so does a program that
    computes this log q from stopped parameters.
    """

    samples: int = 2
    """Draws over which the variance is taken."""
    card = Card(
        title="VarGrad (log-variance loss)",
        what="Differentiates half the sample variance of the log-ratios between q and the target over a few "
        "samples. It is the leave-one-out score function, written as one loss and without anything to tune.",
        formula="−½ ∇ Var_k[f(z_k) − ℓ_k],  Var_k the sample variance over K − 1,  z_k ~ q and f(z_k) constant,  "
        "ℓ_k = log q(z_k) less its value",
        when="Where leave_one_out is meant: the same estimate, from a single variance.",
        paper="Richter et al. 2020 (arXiv:2010.10436)",
        unbiased=True,
        needs_derivative=False,
        requires=ANY_LAW,
        evaluations=lambda estimator, sites: estimator.samples,
        given_signal=True,
        settings=({}, {"samples": 4}),
    )

    def __post_init__(self) -> None:
        check_samples(self.samples, 2, "vargrad")

    def noise(self, sites: Sites) -> dict[str, dict[str, NoiseSpec]]:
        return path_noise(sites, self.samples)

    def estimate(
        self, run: Run, params: Params, noise: Noise, tunables: Mapping[str, Tensor], memory: Any
    ) -> Terms:
        values, log_q = scored(run, params, noise)
        losses = [values.mean(0)]
        for name, signal in sample_signals(values, log_q, run.signals).items():
            ratios = signal - (log_q[name] - log_q[name].detach())
            losses.append(-0.5 * ratios.var(0))
        return Terms(losses[0], tuple(losses), (1.0,) * len(losses), self.samples, memory)
