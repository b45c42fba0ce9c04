"""NVIL: the score function with a learned baseline, centred and normalised signals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    hard_run,
    over_samples,
    path_noise,
    register,
    restate,
    sample_bound,
    sample_signals,
)
from reparam.estimators.card import ANY_LAW, Card
from reparam.estimators.networks import apply_network, context_of, init_network
from reparam.estimators.running import deviation, nothing_yet, remember
from reparam.noise import Noise, NoiseSpec
from reparam.program import Params, Site


@register("nvil")
@dataclass(frozen=True)
class Nvil(Estimator):
    """∇ f + (f − C(x) − c) / max(1, s) · ∇ log q, with three switches (Mnih & Gregor 2014):

    - `input_dependent`: C is a network with `hidden` tanh units on the site's `context` x, trained by
      the squared error of f − c; C = 0 for a site without a context;
    - `centre`: c is a running mean of f − C(x), per site;
    - `normalise`: s is its running standard deviation, per site.

    Mean and deviation are exponential averages of *earlier* estimates, corrected for their start; averages that hold
    the present signal already would shrink the gradient. The deviation counts the movement of the mean, too, and so
    is defined for a single datum.

    Normalising divides the score term by a number that does not depend on the present sample: in the mean, a parameter
    of one site's q alone has its exact gradient over that site's max(1, s). ∇ f is not divided. Without normalising
    the estimate is unbiased.

    With `samples` = K > 1 the estimate is that of the K-sample bound, and the bound is the signal of all samples: what
    Mnih & Rezende (2016) compare VIMCO with. Signals can be given for K = 1.
    """

    input_dependent: bool = True
    """Whether a network on the site's context is subtracted from the signal."""
    hidden: int | tuple[int, ...] = 100
    """The tanh units of that network; a list for several layers."""
    centre: bool = True
    """Whether the signal's running mean is subtracted."""
    normalise: bool = True
    """Whether the signal is divided by its running standard deviation, where that exceeds 1."""
    decay: float = 0.8
    """How much of the running mean and variance is kept at each estimate."""
    samples: int = 1
    """K, the samples of the bound; with 1 it is E[f]."""
    card = Card(
        title="NVIL (learned baseline, centred and normalised signals)",
        what="The score function with f less a network's prediction from the datum and less a running mean, over the "
        "running standard deviation where that exceeds 1.",
        formula="(f(z) − C(x) − c) / max(1, s) · ∇ log q(z),  z ~ q,  C a network,  c and s the mean and standard "
        "deviation of f − C(x) over earlier estimates",
        when="For one sample per datum and signals that differ much between data. Normalising shrinks the gradient "
        "of q where the signal is wide, which tames plain SGD; with normalise=False the estimate is unbiased.",
        paper="Mnih & Gregor 2014 (arXiv:1402.0030)",
        unbiased=False,
        needs_derivative=False,
        requires=ANY_LAW,
        evaluations=lambda estimator, sites: estimator.samples,
        tunables=frozenset({"baseline"}),
        given_signal=True,
        settings=(
            {},
            {"normalise": False},
            {"normalise": False, "centre": False, "hidden": 5},
            {"normalise": False, "input_dependent": False},
            {"samples": 2},
            {"samples": 2, "normalise": False},
        ),
    )

    def __post_init__(self) -> None:
        check_samples(self.samples, 1, "nvil")
        if isinstance(self.hidden, Sequence) and not isinstance(self.hidden, str):
            object.__setattr__(self, "hidden", tuple(self.hidden))
            for size in self.layers:
                check_samples(size, 1, "nvil", "every size in hidden")
        else:
            check_samples(self.hidden, 1, "nvil", "hidden")
        if not 0 <= self.decay < 1:
            raise ReparamError(f"nvil: decay must lie in [0, 1), got {self.decay!r}")
        restate(self, unbiased=not self.normalise)
        if not self.input_dependent:
            restate(self, tunables=frozenset())
        if self.samples > 1:
            restate(self, objective="bound", given_signal=False)

    @property
    def layers(self) -> tuple[int, ...]:
        """The units of the baseline's hidden layers."""
        return (self.hidden,) if isinstance(self.hidden, int) else self.hidden

    def noise(self, sites: Sites) -> dict[str, dict[str, NoiseSpec]]:
        return path_noise(sites, self.samples)

    def init(self, sites: Sites, generator: torch.Generator) -> tuple[dict[str, Tensor], Any]:
        tunables: dict[str, Tensor] = {}
        for name, site in sites.items():
            context = context_of(site)
            if self.input_dependent and context is not None:
                tunables |= init_network(f"baseline.{name}", (context.shape[-1], *self.layers, 1), generator)
        if not (self.centre or self.normalise):
            return tunables, {}
        return tunables, nothing_yet(sites)

    def estimate(
        self, run: Run, params: Params, noise: Noise, tunables: Mapping[str, Tensor], memory: Any
    ) -> Terms:
        def one(draw: Noise) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
            trace = hard_run(run, params, draw)
            log_q = {name: site.law.log_prob(site.z) for name, site in trace.latent.items()}
            return (
                trace.value,
                log_q,
                {name: predict(name, trace.latent[name], log_q[name]) for name in log_q},
            )

        def predict(name: str, site: Site, like: Tensor) -> Tensor:
            context = context_of(site)
            if context is None or not self.input_dependent:
                return torch.zeros_like(like)
            return apply_network(tunables, f"baseline.{name}", context).squeeze(-1)

        values, log_q, predicted = over_samples(one, noise)
        bound = sample_bound(values)
        signals = sample_signals(bound.expand_as(values), log_q, run.signals)
        losses, errors, residuals, used = [bound], [], {}, {}
        for name, signal in signals.items():
            mean = memory["mean"][name] if self.centre else 0.0
            scale = deviation(name, memory) if self.normalise else 1.0
            residuals[name] = signal - predicted[name].detach()
            used[name] = residuals[name] - mean
            losses.append((used[name] / scale * log_q[name]).sum(0))
            errors.append(0.5 * (signal - mean - predicted[name]).square().sum() / scale)
        return Terms(
            bound,
            tuple(losses),
            (1.0,) * len(losses),
            self.samples,
            remember(residuals, memory, self.decay) if self.centre or self.normalise else memory,
            tunable_loss=torch.stack(errors).sum() if tunables else None,
            learning_signals=used,
        )
