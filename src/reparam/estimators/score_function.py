"""The score-function estimator (REINFORCE) and its simplest baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from reparam.errors import ReparamError
from reparam.estimators.base import (
    Estimator,
    Run,
    Sites,
    Terms,
    check_samples,
    hard_run,
    over_samples,
    path_noise,
    register,
    signal_of,
)
from reparam.estimators.card import ANY_LAW, Card
from reparam.noise import Noise, NoiseSpec
from reparam.program import Params
from reparam.registry import nearest

Baseline = Literal["none", "moving_average", "leave_one_out"]


@register("score_function")
@dataclass(frozen=True)
class ScoreFunction(Estimator):
    """∇ E_q[f] = E_q[(f − b) ∇ log q + ∇ f], averaged over `samples` draws (Williams 1992).

    The baseline b never looks at the sample it is subtracted from, so every choice is unbiased:

    - `none`: b = 0.
    - `moving_average`: an exponential average, decay `decay`, of the signals of *earlier* estimates,
      corrected for its start at zero; one number per site.
    - `leave_one_out`: the mean of the other samples' signals for the same datum; needs samples ≥ 2
      (Mnih & Rezende 2016; Kool et al. 2019).

    A site shared by the plate (a global weight) is signalled by the value summed over that plate.
    """

    baseline: Baseline = "none"
    samples: int = 1
    decay: float = 0.9
    card = Card(
        title="Score function (REINFORCE, likelihood ratio)",
        what="Weighs the score ∇ log q(z) with the value of f at the sample, less a baseline that does not look at the "
        "sample. Uses only values of f.",
        formula="(f(z) − b) ∇ log q(z) + ∇ f(z),  z ~ q",
        when="For any law with a density and any f, differentiable or not. Always with a baseline: "
        "leave_one_out with a few samples is simple and strong.",
        paper="Williams 1992; Mnih & Rezende 2016 (arXiv:1602.06725) for leave_one_out",
        unbiased=True,
        needs_derivative=False,
        requires=ANY_LAW,
        evaluations=lambda estimator, sites: estimator.samples,
        settings=(
            {},
            {"samples": 2},
            {"baseline": "moving_average"},
            {"baseline": "leave_one_out", "samples": 3},
        ),
    )

    def __post_init__(self) -> None:
        if self.baseline not in get_args(Baseline):
            raise ReparamError(
                f"score_function: unknown baseline {self.baseline!r}"
                + nearest(str(self.baseline), get_args(Baseline))
            )
        check_samples(self.samples, 2 if self.baseline == "leave_one_out" else 1, "score_function")
        if not 0 <= self.decay < 1:
            raise ReparamError(f"score_function: decay must lie in [0, 1), got {self.decay!r}")

    def noise(self, sites: Sites) -> dict[str, dict[str, NoiseSpec]]:
        return path_noise(sites, self.samples)

    def init(self, sites: Sites, generator: torch.Generator) -> tuple[dict[str, Tensor], Any]:
        if self.baseline != "moving_average":
            return {}, {}
        zeros = {name: site.z.new_zeros(()) for name, site in sites.items()}
        return {}, {"average": zeros, "weight": next(iter(zeros.values())).clone()}

    def estimate(
        self, run: Run, params: Params, noise: Noise, tunables: Mapping[str, Tensor], memory: Any
    ) -> Terms:
        def one(draw: Noise) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
            trace = hard_run(run, params, draw)
            densities = {name: site.law.log_prob(site.z) for name, site in trace.latent.items()}
            return trace.value, densities, {name: signal_of(trace, name) for name in trace.latent}

        values, log_q, signals = over_samples(one, noise)
        losses = [values.mean(0)]
        for name, signal in signals.items():
            advantage = signal - self._baseline(name, signal, memory)
            losses.append((advantage * log_q[name]).mean(0))
        value = values.detach().mean(0)
        return Terms(
            value, tuple(losses), (1.0,) * len(losses), self.samples, self._remember(signals, memory)
        )

    def _baseline(self, name: str, signal: Tensor, memory: Any) -> Tensor | float:
        if self.baseline == "leave_one_out":
            return (signal.sum(0) - signal) / (self.samples - 1)
        if self.baseline == "moving_average":
            weight = torch.where(memory["weight"] > 0, memory["weight"], 1.0)
            return memory["average"][name] / weight
        return 0.0

    def _remember(self, signals: Mapping[str, Tensor], memory: Any) -> Any:
        if self.baseline != "moving_average":
            return memory
        keep, add = self.decay, 1 - self.decay
        average = {
            name: keep * memory["average"][name] + add * signal.mean() for name, signal in signals.items()
        }
        return {"average": average, "weight": keep * memory["weight"] + add}
