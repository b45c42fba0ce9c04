"""RELAX and LAX: control variates with a network that learns to make the variance small."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Literal

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
    name_of,
    over_samples,
    path_noise,
    register,
    restate,
    sample_signals,
)
from reparam.estimators.card import PATH_AND_SCORE, RELAXATION, RELAXATION_OR_PATH, Card
from reparam.estimators.networks import apply_network, context_of, flat_event, init_network
from reparam.estimators.rebar import Rebar, Tunables, Tuned, moved, relaxable
from reparam.noise import Noise, NoiseSpec
from reparam.program import Params, Site, Trace

Surrogate = Literal["relaxation+network", "network"]
Activation = Literal["tanh", "relu"]
ACTIVATIONS: dict[Activation, Callable[[Tensor], Tensor]] = {"tanh": torch.tanh, "relu": torch.relu}


@register("relax")
@dataclass(frozen=True)
class Relax(Rebar):
    """REBAR with c = f + r or c = r in place of f on relaxed samples, r a network (Grathwohl et al. 2018).

    r looks at 2z − 1 for the site's own relaxed sample z, and at the site's `context`: layers of units, times a learned
    scalar that starts at zero. All of it descends on the squared norm of the estimate. Before the first step
    `relaxation+network` is REBAR, draw by draw, and `network` the score function.
    """

    tuned: Tuned = "site"
    """What descends on the squared norm of the estimate besides the network. `tensor`: one τ, and one η = 2σ(η̃) in
    (0, 2) per parameter tensor. `site`: one τ and one unconstrained η per site (Grathwohl et al. 2018)."""
    surrogate: Surrogate = "relaxation+network"
    """`relaxation+network`: c = f on relaxed samples + r. `network`: c = r, which asks f for its value at the discrete
    sample alone."""
    hidden: tuple[int, ...] = (10,)
    """The units of r, by layer."""
    activation: Activation = "tanh"
    """What the units of r do: `tanh` in the paper's toy, `relu` in its auto-encoders."""
    weight_decay: float = 0.0
    """λ of ½ λ ‖w‖² for r's weights and biases w, beside the mean squared entry of an estimate for the plate's mean
    (Grathwohl et al. 2018 take 1e-3 and 1e-4)."""
    card = Card(
        title="RELAX",
        what="REBAR whose control variate is a network, with or without the relaxed objective, that is trained while "
        "estimating to make the variance small.",
        formula="[f(z) − η c(s̃)] ∇ log q(z) + η ∇ c(s) − η ∇ c(s̃),  z = discretize(g), s = soften(g, τ),  "
        "s̃ = soften(g̃, τ), g̃ ~ p(g | z),  c = f + r or c = r, r a network",
        when="For bits and one-hot vectors when many steps are left to learn the network in. With surrogate=network f "
        "is a black box: discrete actions in reinforcement learning.",
        paper="Grathwohl et al. 2018 (arXiv:1711.00123)",
        unbiased=True,
        needs_derivative=True,
        requires=RELAXATION_OR_PATH,
        evaluations=Rebar.card.evaluations,
        tunables=frozenset({"eta", "log_temperature", "surrogate", "surrogate_scale"}),
        settings=(
            {},
            {"surrogate": "network", "coupled": False, "tuned": "none", "hidden": (4, 3)},
        ),
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_hidden(self)
        if not 0 <= self.weight_decay < inf:
            raise ReparamError(f"relax: weight_decay must be 0 or positive, got {self.weight_decay!r}")
        if self.surrogate == "network":
            restate(self, needs_derivative=False, given_signal=True, requires=RELAXATION)

    @property
    def reruns(self) -> int:
        return 0 if self.surrogate == "network" else super().reruns

    @property
    def kinds(self) -> set[str]:
        return super().kinds | {"surrogate", "surrogate_scale"}

    def init(self, sites: Sites, generator: torch.Generator) -> tuple[dict[str, Tensor], Any]:
        tunables, memory = super().init(sites, generator)
        return tunables | _init_surrogates(relaxable(sites), self.hidden, generator), memory

    def estimate(self, run: Run, params: Params, noise: Noise, tunables: Tunables, memory: Any) -> Terms:
        terms = super().estimate(run, params, noise, tunables, memory)
        if not self.weight_decay:
            return terms
        weights = [entry for name, entry in tunables.items() if name.startswith("surrogate.")]
        norm = torch.stack([entry.square().sum() for entry in weights]).sum()
        # The engine's objective is the sum over entries, for the plate's sum.
        scale = sum(entry.numel() for entry in params.values()) * terms.value.numel() ** 2
        return terms._replace(tunable_loss=0.5 * self.weight_decay * scale * norm)

    def variate(
        self, name: str, run: Run, trace: Trace, params: Params, noise: Noise, tunables: Tunables
    ) -> Callable[[Tensor], Tensor]:
        network = _surrogate(name, trace.sites[name], tunables, ACTIVATIONS[self.activation])
        if self.surrogate == "network":
            return lambda own: network(2 * own - 1)
        relaxed = super().variate(name, run, trace, params, noise, tunables)
        return lambda own: relaxed(own) + network(2 * own - 1)


@register("lax")
@dataclass(frozen=True)
class Lax(Estimator):
    """[f(z) − r(z)] ∇ log q(z) + ∇ r(z) per site, r a network of z and the site's `context` (Grathwohl et al. 2018).

    r is tanh layers times a learned scalar that starts at zero: it begins as the score function. All of it descends on
    the squared norm of the estimate. With r = f it would be the pathwise estimator.
    """

    hidden: tuple[int, ...] = (10,)
    """The tanh units of r, by layer."""
    samples: int = 1
    """Draws whose estimates are averaged."""
    card = Card(
        title="LAX",
        what="Takes from the score function what a network says of f, and adds that back as a pathwise gradient. "
        "The network is trained while estimating to make the variance small.",
        formula="[f(z) − r(z)] ∇ log q(z) + ∇ r(z),  z = g(ε; φ),  ε ~ p(ε),  r a network",
        when="For laws with a differentiable path when f is not differentiable or unknown: continuous actions in "
        "reinforcement learning. Where ∂f is at hand pathwise is simpler.",
        paper="Grathwohl et al. 2018 (arXiv:1711.00123)",
        unbiased=True,
        needs_derivative=False,
        requires=PATH_AND_SCORE,
        evaluations=lambda estimator, sites: estimator.samples,
        tunables=frozenset({"surrogate", "surrogate_scale"}),
        given_signal=True,
        settings=({}, {"hidden": (4, 3), "samples": 2}),
    )

    def __post_init__(self) -> None:
        check_samples(self.samples, 1, "lax")
        _check_hidden(self)

    def noise(self, sites: Sites) -> dict[str, dict[str, NoiseSpec]]:
        return path_noise(sites, self.samples)

    def init(self, sites: Sites, generator: torch.Generator) -> tuple[dict[str, Tensor], Any]:
        return _init_surrogates(sites, self.hidden, generator), {}

    def estimate(self, run: Run, params: Params, noise: Noise, tunables: Tunables, memory: Any) -> Terms:
        def one(draw: Noise) -> tuple[Tensor, dict[str, Tensor], dict[str, Tensor]]:
            trace = hard_run(run, params, draw)
            log_q, controls = {}, {}
            for name, site in trace.latent.items():
                log_q[name] = site.law.log_prob(site.z)
                value, pullback = torch.func.vjp(_surrogate(name, site, tunables), site.z)[:2]
                (slope,) = pullback(torch.ones_like(value))
                path = site.law.sum_event(slope * moved(site.law.path(draw[name])))
                controls[name] = path - value * moved(log_q[name])
            return trace.value, log_q, controls

        values, log_q, controls = over_samples(one, noise)
        signals = sample_signals(values, log_q, run.signals)
        losses = [values, *(signals[name] * log_q[name] + controls[name] for name in log_q)]
        return Terms(
            values.mean(0),
            tuple(loss.mean(0) for loss in losses),
            (1.0,) * len(losses),
            self.samples,
            memory,
            tune_variance=True,
        )


def _check_hidden(estimator: Relax | Lax) -> None:
    """ReparamError unless `hidden` is a sequence of counts; a list, as in a YAML file, becomes a tuple."""
    if isinstance(estimator.hidden, str) or not isinstance(estimator.hidden, Sequence):
        raise ReparamError(
            f"{name_of(estimator)}: hidden must be a list of layer sizes, got {estimator.hidden!r}"
        )
    for size in estimator.hidden:
        check_samples(size, 1, name_of(estimator), "every size in hidden")
    object.__setattr__(estimator, "hidden", tuple(estimator.hidden))


def _init_surrogates(sites: Sites, hidden: Sequence[int], generator: torch.Generator) -> dict[str, Tensor]:
    tunables: dict[str, Tensor] = {}
    for name, site in sites.items():
        context = context_of(site)
        inputs = flat_event(site.z, len(site.law.plate)).shape[-1]
        inputs += 0 if context is None else context.shape[-1]
        tunables |= init_network(f"surrogate.{name}", (inputs, *hidden, 1), generator, zero_last=False)
        tunables[f"surrogate_scale.{name}"] = site.z.new_zeros(())
    return tunables


def _surrogate(
    name: str,
    site: Site,
    tunables: Mapping[str, Tensor],
    activation: Callable[[Tensor], Tensor] = torch.tanh,
) -> Callable[[Tensor], Tensor]:
    """r on the site's plate, as a function of what stands for its sample."""
    context = context_of(site)

    def value(own: Tensor) -> Tensor:
        inputs = flat_event(own, len(site.law.plate))
        if context is not None:
            inputs = torch.cat([inputs, context], -1)
        output = apply_network(tunables, f"surrogate.{name}", inputs, activation).squeeze(-1)
        return tunables[f"surrogate_scale.{name}"] * output

    return value
