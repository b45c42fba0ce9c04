"""The score-function estimator (REINFORCE) and its simplest baselines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from reparam.errors import ReparamError
from reparam.estimators.base import (
    Coefficient,
    Estimator,
    Run,
    Sites,
    Terms,
    check_samples,
    hard_run,
    over_samples,
    path_noise,
    register,
    restate,
    sample_signals,
    scored,
    signal_of,
)
from reparam.estimators.card import ANY_LAW, Card
from reparam.noise import Noise, NoiseSpec
from reparam.program import Params

Baseline = Literal["none", "moving_average", "mean", "optimal", "leave_one_out"]
FRESH = "fresh."
"""What the roles of the fresh samples' noise begin with."""
LEAST_FRESH = {"mean": 1, "optimal": 5}
"""By baseline; the slope of fewer points may have no finite variance."""


@register("score_function")
@dataclass(frozen=True)
class ScoreFunction(Estimator):
    """∇ E_q[f] = E_q[(f − b) ∇ log q + ∇ f], averaged over `samples` draws (Williams 1992).

    The baseline b never looks at the sample it is subtracted from, so every choice is unbiased:

    - `none`: b = 0.
    - `moving_average`: an exponential average, decay `decay`, of the signals of *earlier* estimates,
      corrected for its start at zero; one number per site.
    - `mean`: an estimate of E[f] for the same datum, from `fresh` samples of their own.
    - `optimal`: for every scalar parameter the number that minimises the variance, the covariance of the whole estimate
      with the site's score over the variance of that score (Mohamed et al. 2020, §7.4.1, Eq. 65); from `fresh` samples
      of their own, at least 5.
    - `leave_one_out`: the mean of the other samples' signals for the same datum; needs samples ≥ 2
      (Mnih & Rezende 2016; Kool et al. 2019).

    A site shared by the plate (a global weight) is signalled by the value summed over that plate. Given signals take
    the place of f's values, except for `mean` and `optimal`, which need f at their fresh samples.
    """

    baseline: Baseline = "none"
    """What is subtracted from f."""
    samples: int = 1
    """Draws whose estimates are averaged."""
    decay: float = 0.9
    """How much of the moving average is kept at each estimate; for moving_average only."""
    fresh: int = 25
    """Samples that the baseline is found at; for mean and optimal only."""
    card = Card(
        title="Score function (REINFORCE, likelihood ratio)",
        what="Weighs the score ∇ log q(z) with the value of f at the sample, less a baseline that does not look at the "
        "sample. Uses only values of f.",
        formula="(f(z) − b) ∇ log q(z),  z ~ q,  b a baseline that does not look at z",
        when="For any law with a density and any f, differentiable or not. Always with a baseline: "
        "leave_one_out with a few samples is simple and strong; optimal shows the best that a constant can do, at the "
        "cost of its fresh samples; mean can be worse than none.",
        paper="Williams 1992; Mnih & Rezende 2016 (arXiv:1602.06725) for leave_one_out; Mohamed et al. 2020 "
        "(arXiv:1906.10652), Eq. 65 for optimal",
        unbiased=True,
        needs_derivative=False,
        requires=ANY_LAW,
        evaluations=lambda estimator, sites: estimator.samples + estimator.fresh * estimator.needs_fresh,
        given_signal=True,
        settings=(
            {},
            {"samples": 2},
            {"baseline": "moving_average"},
            {"baseline": "mean", "fresh": 1},
            {"baseline": "mean", "fresh": 3, "samples": 2},
            {"baseline": "optimal", "fresh": 10},
            {"baseline": "leave_one_out", "samples": 3},
        ),
    )

    def __post_init__(self) -> None:
        check_samples(self.samples, 1, "score_function")
        if self.baseline == "leave_one_out" and self.samples < 2:
            raise ReparamError(
                f"score_function: baseline leave_one_out needs the others of samples ≥ 2, got samples={self.samples}"
            )
        if not 0 <= self.decay < 1:
            raise ReparamError(f"score_function: decay must lie in [0, 1), got {self.decay!r}")
        least = LEAST_FRESH.get(self.baseline, 1)
        if self.fresh < least:
            raise ReparamError(
                f"score_function: fresh must be an integer ≥ {least} with baseline {self.baseline}, "
                f"got {self.fresh!r}"
            )
        if self.needs_fresh:
            restate(self, given_signal=False)

    @property
    def needs_fresh(self) -> bool:
        """Whether the baseline is found at samples of its own."""
        return self.baseline in LEAST_FRESH

    def noise(self, sites: Sites) -> dict[str, dict[str, NoiseSpec]]:
        wanted = path_noise(sites, self.samples)
        if self.needs_fresh:
            for name, roles in path_noise(sites, self.fresh).items():
                wanted[name] |= {FRESH + role: spec for role, spec in roles.items()}
        return wanted

    def init(self, sites: Sites, generator: torch.Generator) -> tuple[dict[str, Tensor], Any]:
        if self.baseline != "moving_average":
            return {}, {}
        zeros = {name: site.law.log_prob(site.z).new_zeros(()) for name, site in sites.items()}
        return {}, {"total": zeros, "weight": next(iter(zeros.values())).clone()}

    def estimate(
        self, run: Run, params: Params, noise: Noise, tunables: Mapping[str, Tensor], memory: Any
    ) -> Terms:
        own, fresh = _split(noise)
        values, log_q = scored(run, params, own)
        signals = sample_signals(values, log_q, run.signals)
        baselines = self._baselines(run, params, fresh, signals, memory)
        losses = [values.mean(0)]
        coefficients: list[Coefficient] = [1.0]
        used = {name: signal - baselines[name] for name, signal in signals.items()}
        for name, signal in used.items():
            losses.append((signal * log_q[name]).mean(0))
            coefficients.append(1.0)
        if self.baseline == "optimal":
            for name, slopes in _slopes(run, params, fresh).items():
                losses.append(log_q[name].mean(0))
                coefficients.append({parameter: -slope for parameter, slope in slopes.items()})
        return Terms(
            losses[0],
            tuple(losses),
            tuple(coefficients),
            self.samples + self.fresh * self.needs_fresh,
            self._remember(signals, memory),
            learning_signals=used,
        )

    def _baselines(
        self, run: Run, params: Params, fresh: Noise, signals: Mapping[str, Tensor], memory: Any
    ) -> dict[str, Tensor]:
        """By site, what is subtracted from its signals, apart from the optimal slopes."""
        if self.baseline == "leave_one_out":
            return {name: (s.sum(0) - s) / (self.samples - 1) for name, s in signals.items()}
        if self.baseline == "moving_average":
            weight = torch.where(memory["weight"] > 0, memory["weight"], 1.0)
            return {name: memory["total"][name] / weight for name in signals}
        if self.baseline == "mean":
            others = sample_signals(*scored(run, params, fresh), None)
            return {name: signal.mean(0) for name, signal in others.items()}
        return {name: torch.zeros_like(signal) for name, signal in signals.items()}

    def _remember(self, signals: Mapping[str, Tensor], memory: Any) -> Any:
        if self.baseline != "moving_average":
            return memory
        total = {name: self.decay * memory["total"][name] + signal.mean() for name, signal in signals.items()}
        return {"total": total, "weight": self.decay * memory["weight"] + 1}


def _split(noise: Noise) -> tuple[Noise, Noise]:
    """The noise of the estimate's own samples and that of the fresh ones, under the roles of the laws."""
    own = {
        name: {role: draw for role, draw in roles.items() if not role.startswith(FRESH)}
        for name, roles in noise.items()
    }
    fresh = {
        name: {role.removeprefix(FRESH): draw for role, draw in roles.items() if role.startswith(FRESH)}
        for name, roles in noise.items()
    }
    return own, fresh


def _slopes(run: Run, params: Params, fresh: Noise) -> dict[str, dict[str, Tensor]]:
    """By site and parameter, the least-squares slopes of the whole estimate's entries on those of the site's score.

    Scores of different sites are uncorrelated, so one regression per site finds the best slopes of all.
    """
    stopped = {name: parameter.detach() for name, parameter in params.items()}

    def gradients(draw: Noise) -> tuple[dict[str, Tensor], dict[str, dict[str, Tensor]]]:
        """Of one sample: the estimate without a baseline, and the score of each site, summed over their plates."""

        def totals(params: Params) -> tuple[Tensor, dict[str, Tensor]]:
            trace = hard_run(run, params, draw)
            log_q = {name: site.law.log_prob(site.z) for name, site in trace.latent.items()}
            weighted = [(signal_of(trace, name) * entry).sum() for name, entry in log_q.items()]
            whole = trace.value.sum() + torch.stack(weighted).sum()
            return whole, {name: entry.sum() for name, entry in log_q.items()}

        outputs, pullback = torch.func.vjp(totals, stopped)  # type: ignore[misc]
        one, (nothing, none) = torch.ones_like(outputs[0]), tree_map(torch.zeros_like, outputs)
        (whole,) = pullback((one, none))
        return whole, {name: pullback((nothing, {**none, name: one}))[0] for name in none}

    whole, scores = over_samples(gradients, fresh)
    return {
        name: {parameter: _slope(whole[parameter], x) for parameter, x in entries.items()}
        for name, entries in scores.items()
    }


def _slope(y: Tensor, x: Tensor) -> Tensor:
    """The least-squares slope of y on x over their first axis; 0 where x does not vary."""
    x = x - x.mean(0)
    spread = x.square().sum(0)
    return torch.where(spread > 0, (x * y).sum(0) / spread, 0.0)
