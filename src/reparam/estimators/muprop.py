"""MuProp: a score function whose control variate is f's first-order expansion about the mean field."""

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
    hard_run,
    on_plate,
    over_samples,
    path_noise,
    register,
    restate,
    sample_signals,
)
from reparam.estimators.card import MEAN, Card
from reparam.estimators.networks import apply_network, context_of, init_network
from reparam.estimators.running import deviation, nothing_yet, remember
from reparam.noise import Noise, NoiseSpec
from reparam.program import Params


@register("muprop")
@dataclass(frozen=True)
class MuProp(Estimator):
    """[f(z) − f(z̄) − d·(z − z̄)] ∇ log q(z) + d·∇ μ per site (Gu et al. 2016, arXiv:1511.05176).

    One pass sets every site to its mean, given the means of the sites before it: z̄. d is the derivative of f(z̄) with
    respect to the site's z̄, through the means of all later sites, too. μ, the mean of the site's law, is taken at the
    *samples* of the sites before it: that is the mean of what is subtracted, and with μ at their means several layers
    would be biased. z̄, f(z̄) and d are constants: the mean-field pass has stopped parameters.
    """

    simple: bool = False
    """Whether the derivative is left out: [f(z) − f(z̄)] ∇ log q(z) (Tucker et al. 2017, SimpleMuProp)."""
    centre: bool = False
    """Whether a running mean of what is left of the signal is subtracted, per site."""
    normalise: bool = False
    """Whether what is left is divided by its running standard deviation, where that exceeds 1: d·∇ μ is not, so that
    this biases (MuProp-C-VN of the paper)."""
    decay: float = 0.9
    """How much of the running mean and variance is kept at each estimate."""
    scaled: bool = False
    """Whether f(z̄) and d·(z − z̄) have coefficients η = 2σ(η̃), first 1, per site, that descend on the squared signal
    (Tucker et al. 2017)."""
    baseline_units: int = 0
    """The tanh units of a network on a site's context that is subtracted and descends on the squared signal; 0 for
    none."""
    samples: int = 1
    """Draws whose estimates are averaged; the mean-field pass serves all of them."""
    card = Card(
        title="MuProp",
        what="Subtracts from f its first-order expansion about the mean-field pass, in which every sample is replaced "
        "by its mean, and adds the expansion's gradient back in closed form.",
        formula="[f(z) − f(z̄) − d·(z − z̄)] ∇ log q(z) + d·∇ μ,  μ = E[z] at the samples of the sites before, "
        "z̄ = E[z] at their z̄,  d = ∂f(z̄),  z̄ and d constant",
        when="For laws with a mean, bits and one-hot vectors above all, where f is nearly linear: it has no variance "
        "for a linear f of one layer. One more evaluation of f for any number of layers, where rebar takes one per "
        "layer.",
        paper="Gu et al. 2016 (arXiv:1511.05176); Tucker et al. 2017 (arXiv:1703.07370) for simple and scaled",
        unbiased=True,
        needs_derivative=True,
        requires=MEAN,
        evaluations=lambda estimator, sites: estimator.samples + 1,
        settings=(
            {},
            {"simple": True, "centre": True, "samples": 2},
            {"scaled": True, "baseline_units": 4},
            {"centre": True, "normalise": True},
        ),
    )

    def __post_init__(self) -> None:
        check_samples(self.samples, 1, "muprop")
        check_samples(self.baseline_units, 0, "muprop", "baseline_units")
        if not 0 <= self.decay < 1:
            raise ReparamError(f"muprop: decay must lie in [0, 1), got {self.decay!r}")
        kinds = {"eta"} if self.scaled else set()
        kinds |= {"baseline"} if self.baseline_units else set()
        restate(
            self, unbiased=not self.normalise, needs_derivative=not self.simple, tunables=frozenset(kinds)
        )

    def noise(self, sites: Sites) -> dict[str, dict[str, NoiseSpec]]:
        return path_noise(sites, self.samples)

    def init(self, sites: Sites, generator: torch.Generator) -> tuple[dict[str, Tensor], Any]:
        tunables: dict[str, Tensor] = {}
        for name, site in sites.items():
            context = context_of(site)
            if self.scaled:
                for term in ("value", "slope")[: 1 if self.simple else 2]:
                    tunables[f"eta.{name}.{term}"] = site.z.new_zeros(())
            if self.baseline_units and context is not None:
                sizes = (context.shape[-1], self.baseline_units, 1)
                tunables |= init_network(f"baseline.{name}", sizes, generator)
        return tunables, nothing_yet(sites) if self.centre or self.normalise else {}

    def estimate(
        self, run: Run, params: Params, noise: Noise, tunables: Mapping[str, Tensor], memory: Any
    ) -> Terms:
        centre, value, slopes = _mean_field(run, params)
        if self.simple:
            slopes = {name: torch.zeros_like(slope) for name, slope in slopes.items()}

        def one(draw: Noise) -> Any:
            """f, and by site log q, d·(z − z̄), d·μ and the baseline, each on the site's plate."""
            trace = hard_run(run, params, draw)
            log_q, linear, means, baselines = {}, {}, {}, {}
            for name, site in trace.latent.items():
                law = site.law
                log_q[name] = law.log_prob(site.z)
                linear[name] = law.sum_event(slopes[name] * (site.z - centre[name]))
                means[name] = law.sum_event(slopes[name] * law.mean)
                context = context_of(site)
                baselines[name] = torch.zeros_like(log_q[name])
                if self.baseline_units and context is not None:
                    baselines[name] = apply_network(tunables, f"baseline.{name}", context).squeeze(-1)
            return trace.value, log_q, linear, means, baselines

        values, log_q, linear, means, baselines = over_samples(one, noise)
        losses, errors, left, used = [values], [], {}, {}
        for name, signal in sample_signals(values, log_q, None).items():
            by_value, by_slope = self._scales(name, tunables)
            left[name] = signal - by_value * on_plate(value, signal.ndim - 1)
            left[name] = left[name] - by_slope * linear[name] - baselines[name]
            rest = left[name] - memory["mean"][name] if self.centre else left[name]
            scale = deviation(name, memory) if self.normalise else 1.0
            errors.append(0.5 * rest.square().sum() / scale)
            used[name] = rest.detach()
            losses.append(used[name] / scale * log_q[name] + _constant(by_slope) * means[name])
        return Terms(
            values.mean(0),
            tuple(loss.mean(0) for loss in losses),
            (1.0,) * len(losses),
            self.samples + 1,
            remember(left, memory, self.decay) if self.centre or self.normalise else memory,
            tunable_loss=torch.stack(errors).sum() if tunables else None,
            learning_signals=used,
        )

    def _scales(self, name: str, tunables: Mapping[str, Tensor]) -> tuple[Tensor | float, Tensor | float]:
        """The coefficients of f(z̄) and of d·(z − z̄)."""
        if not self.scaled:
            return 1.0, 1.0
        by_value = 2 * tunables[f"eta.{name}.value"].sigmoid()
        return by_value, 1.0 if self.simple else 2 * tunables[f"eta.{name}.slope"].sigmoid()


def _mean_field(run: Run, params: Params) -> tuple[dict[str, Tensor], Tensor, dict[str, Tensor]]:
    """z̄ by site, f(z̄), and the derivative of Σ_plate f(z̄) with respect to each z̄, a constant."""
    sites = run.sites(params, lambda name, law: law.mean)

    def shifted(shifts: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        trace = run(params, lambda name, law: law.mean + shifts[name])
        return trace.value, {name: site.z for name, site in trace.latent.items()}

    at = {name: torch.zeros_like(site.z) for name, site in sites.items()}
    value, pullback, means = torch.func.vjp(shifted, at, has_aux=True)  # type: ignore[misc]
    (slopes,) = pullback(torch.ones_like(value))
    return means, value, {name: slope.detach() for name, slope in slopes.items()}


def _constant(coefficient: Tensor | float) -> Tensor | float:
    return coefficient.detach() if isinstance(coefficient, Tensor) else coefficient
