"""REBAR: a score function whose control variate is the relaxed objective, corrected to have mean zero."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from reparam.distributions import Relaxable
from reparam.errors import ReparamError
from reparam.estimators.base import (
    Coefficient,
    Estimator,
    Run,
    Sites,
    Terms,
    check_samples,
    name_of,
    on_plate,
    over_samples,
    path_noise,
    register,
    restate,
    sample_signals,
)
from reparam.estimators.card import RELAXATION_OR_PATH, Card
from reparam.estimators.networks import apply_network, context_of, init_network
from reparam.noise import Noise, NoiseSpec
from reparam.program import Params, Site, Trace, follow

Relaxation = Literal["concrete", "muprop"]
Tuned = Literal["none", "site", "tensor"]
Tunables = Mapping[str, Tensor]
CONDITIONAL = "conditional."
"""What the roles of the noise of s̃ begin with, where it has noise of its own."""


@register("rebar")
@dataclass(frozen=True)
class Rebar(Estimator):
    """[f(z) − η f(s̃)] ∇ log q(z) + η ∇ f(s) − η ∇ f(s̃) per discrete site (Tucker et al. 2017, arXiv:1703.07370).

    s is the relaxation of the perturbed logits g that z comes from, s̃ that of g drawn again given z. The control
    variate of a site relaxes all later sites, too, each by its own noise, and leaves the earlier ones hard; its
    parameters are stopped except in the site's own law, where they act through s and s̃. Sites with a differentiable
    path (a Normal code) follow it.
    """

    temperature: float = 0.5
    """τ, at first when it is tuned."""
    eta: float = 1.0
    """η, the weight of the control variate; at first when it is tuned."""
    relaxation: Relaxation = "concrete"
    """`concrete`: soften(g, τ). `muprop`: soften(g + θ τ²/(τ+1), τ) for logits θ, the mean-field value as τ → ∞ (Tucker
    et al. 2017)."""
    coupled: bool = True
    """Whether s̃ comes from the noise for which it equals s (in value, not in derivative), so that one evaluation serves
    both; else it has noise of its own, at a second evaluation."""
    tuned: Tuned = "none"
    """What descends on the squared norm of the estimate. `tensor`: one τ, and one η = 2σ(η̃) in (0, 2) per parameter
    tensor (Tucker et al. 2017). `site`: one τ and one unconstrained η per site (Grathwohl et al. 2018)."""
    adaptive: bool = True
    """Whether τ is among what is tuned; else η is tuned at a fixed τ (Tucker et al. 2017, REBAR (0.1))."""
    baseline_units: int = 0
    """The tanh units of a network on a site's context that is subtracted from f(z) and trained on the same objective
    (Tucker et al. 2017 take 100); 0 for none."""
    samples: int = 1
    """Draws whose estimates are averaged."""
    card = Card(
        title="REBAR",
        what="Subtracts from the score function what it would say of the relaxed objective, and adds that back by the "
        "pathwise gradient of the relaxation, once free and once given the discrete sample. Its coefficient η and "
        "temperature τ can be tuned while training to make the variance small.",
        formula="[f(z) − η f(s̃)] ∇ log q(z) + η ∇ f(s) − η ∇ f(s̃),  z = discretize(g), s = soften(g, τ),  "
        "s̃ = soften(g̃, τ), g̃ ~ p(g | z)",
        when="For bits and one-hot vectors where f is differentiable and its values between the corners say "
        "something of those at the corners; it can vary more than the score function where they do not. Costs one more "
        "evaluation per layer than the score function, and two with coupled=False.",
        paper="Tucker et al. 2017 (arXiv:1703.07370); Grathwohl et al. 2018 (arXiv:1711.00123) for tuning by site",
        unbiased=True,
        needs_derivative=True,
        requires=RELAXATION_OR_PATH,
        evaluations=lambda estimator, sites: (
            estimator.samples * (1 + estimator.reruns * len(relaxable(sites)))
        ),
        settings=(
            {},
            {"coupled": False, "relaxation": "muprop", "eta": 0.5},
            {"tuned": "tensor", "relaxation": "muprop", "baseline_units": 4},
            {"tuned": "site", "temperature": 0.3, "samples": 2},
        ),
    )

    def __post_init__(self) -> None:
        name = name_of(self)
        check_samples(self.samples, 1, name)
        if not 0 < self.temperature < math.inf:
            raise ReparamError(f"{name}: temperature must be positive and finite, got {self.temperature!r}")
        if self.tuned == "tensor" and not 0 < self.eta < 2:
            raise ReparamError(f"{name}: eta tuned by tensor starts in (0, 2), got {self.eta!r}")
        check_samples(self.baseline_units, 0, name, "baseline_units")
        restate(self, tunables=frozenset(self.kinds))

    @property
    def reruns(self) -> int:
        """Evaluations of f on relaxed samples, per site and draw."""
        return 1 if self.coupled else 2

    @property
    def tunes_temperature(self) -> bool:
        """Whether τ is a tunable."""
        return self.adaptive and self.tuned != "none"

    @property
    def kinds(self) -> set[str]:
        """The kinds of tunables under these options."""
        kinds = {"eta"} if self.tuned != "none" else set()
        kinds |= {"log_temperature"} if self.tunes_temperature else set()
        return kinds | {"baseline"} if self.baseline_units else kinds

    def noise(self, sites: Sites) -> dict[str, dict[str, NoiseSpec]]:
        wanted = path_noise(sites, self.samples)
        if not self.coupled:
            for name in relaxable(sites):
                wanted[name] |= {CONDITIONAL + role: spec for role, spec in wanted[name].items()}
        return wanted

    def start(
        self, params: Params, sites: Sites, generator: torch.Generator
    ) -> tuple[dict[str, Tensor], Any]:
        tunables, memory = self.init(sites, generator)
        if self.tuned == "tensor":
            first = math.log(self.eta / (2 - self.eta))
            tunables |= {f"eta.{name}": p.new_full((), first) for name, p in params.items()}
        return tunables, memory

    def init(self, sites: Sites, generator: torch.Generator) -> tuple[dict[str, Tensor], Any]:
        tunables: dict[str, Tensor] = {}
        for name, site in relaxable(sites).items():
            if self.tunes_temperature:
                tunables[self._temperature_key(name)] = site.z.new_full((), math.log(self.temperature))
            if self.tuned == "site":
                tunables[f"eta.{name}"] = site.z.new_full((), self.eta)
            context = context_of(site)
            if self.baseline_units and context is not None:
                sizes = (context.shape[-1], self.baseline_units, 1)
                tunables |= init_network(f"baseline.{name}", sizes, generator)
        return tunables, {}

    def estimate(self, run: Run, params: Params, noise: Noise, tunables: Tunables, memory: Any) -> Terms:
        def one(draw: Noise) -> tuple[Tensor, Tensor, dict[str, Tensor], Tensor]:
            trace = run(params, follow(draw))
            direct, log_q, controls = trace.value, {}, torch.zeros_like(trace.value)
            for name, site in relaxable(trace.latent).items():
                log_q[name] = site.law.log_prob(site.z)
                direct = direct - _spread(self._baseline(name, site, tunables) * log_q[name], trace.value)
                variate = self.variate(name, run, trace, params, draw, tunables)
                temperature = self.temperature_at(name, tunables)
                control = self._control(site, log_q[name], variate, draw[name], temperature)
                controls = controls + self.eta_at(name, tunables) * _spread(control, trace.value)
            return trace.value, direct, log_q, controls

        values, direct, log_q, controls = over_samples(one, noise)
        signals = sample_signals(values, log_q, run.signals)
        losses = [direct, *(signals[name] * log_q[name] for name in log_q), controls]
        last: Coefficient = 1.0
        if self.tuned == "tensor":
            last = {name: 2 * tunables[f"eta.{name}"].sigmoid() for name in params}
        return Terms(
            values.mean(0),
            tuple(loss.mean(0) for loss in losses),
            (*(1.0,) * (len(losses) - 1), last),
            self.samples * (1 + self.reruns * len(log_q)),
            memory,
            tune_variance=bool(tunables),
        )

    def variate(
        self, name: str, run: Run, trace: Trace, params: Params, noise: Noise, tunables: Tunables
    ) -> Callable[[Tensor], Tensor]:
        """c: f on the site's plate as a function of the site's relaxed sample, the sites after it relaxed."""
        stopped = {parameter: entry.detach() for parameter, entry in params.items()}
        before = set(list(trace.sites)[: list(trace.sites).index(name)])

        def value(own: Tensor) -> Tensor:
            def choose(other: str, law: Any) -> Tensor:
                if other == name:
                    return own
                if other in before:
                    return trace.sites[other].z
                if not isinstance(law, Relaxable):
                    return law.path(noise[other])
                g = law.perturb(noise[other])
                return self.relax(law, g, law.logits, self.temperature_at(other, tunables))

            return on_plate(run(stopped, choose).value, len(trace.sites[name].law.plate))

        return value

    def _control(
        self,
        site: Site,
        log_q: Tensor,
        variate: Callable[[Tensor], Tensor],
        noise: Mapping[str, Tensor],
        temperature: Tensor | float,
    ) -> Tensor:
        """A loss [law.plate] whose gradient is −c(s̃) ∇ log q(z) + ∇ c(s) − ∇ c(s̃).

        Each term is something of value zero times something that is not differentiated (in the parameters; the
        variance objective differentiates it in the tunables): c and its slope at values that are stopped.
        """
        law = site.law
        g = law.perturb(noise)
        if self.coupled:
            given = law.perturb_coupled(site.z, g)
        else:
            fresh = {role: noise[CONDITIONAL + role] for role in law.noise()}
            given = law.perturb_given(site.z, fresh)

        def relaxed(g: Tensor) -> Tensor:
            return self.relax(law, g, law.logits, temperature)

        def at(g: Tensor) -> tuple[Tensor, Tensor]:
            point = self.relax(law, g.detach(), law.logits.detach(), temperature)
            value, pullback = torch.func.vjp(variate, point)[:2]
            return value, pullback(torch.ones_like(value))[0]

        value, slope_given = at(given)
        slope = slope_given if self.coupled else at(g)[1]
        paths = slope * moved(relaxed(g)) - slope_given * moved(relaxed(given))
        return law.sum_event(paths) - value * moved(log_q)

    def _baseline(self, name: str, site: Site, tunables: Tunables) -> Tensor | float:
        context = context_of(site)
        if not self.baseline_units or context is None:
            return 0.0
        return apply_network(tunables, f"baseline.{name}", context).squeeze(-1)

    def relax(self, law: Any, g: Tensor, logits: Tensor, temperature: Tensor | float) -> Tensor:
        """The relaxed sample of perturbed logits g, in the law's shape."""
        if self.relaxation == "muprop":
            g = g + temperature * temperature / (temperature + 1) * logits
        return law.soften(g, temperature)

    def temperature_at(self, name: str, tunables: Tunables) -> Tensor | float:
        """τ of this site now."""
        return tunables[self._temperature_key(name)].exp() if self.tunes_temperature else self.temperature

    def _temperature_key(self, name: str) -> str:
        return "log_temperature" if self.tuned == "tensor" else f"log_temperature.{name}"

    def eta_at(self, name: str, tunables: Tunables) -> Tensor | float:
        """What the loss of this site's control variate is multiplied with now: η, but where it is tuned by tensor."""
        if self.tuned == "site":
            return tunables[f"eta.{name}"]
        return 1.0 if self.tuned == "tensor" else self.eta  # by tensor: η is the coefficient of the loss


def relaxable(sites: Sites) -> dict[str, Site]:
    """The sites that have a relaxation."""
    return {name: site for name, site in sites.items() if isinstance(site.law, Relaxable)}


def moved(tensor: Tensor) -> Tensor:
    """Zero, with the derivative of `tensor`."""
    return tensor - tensor.detach()


def _spread(entry: Tensor, value: Tensor) -> Tensor:
    """A loss on a site's plate on the plate of the value, with the same sum."""
    extra = value.ndim - entry.ndim
    return entry[(..., *(None,) * extra)] / math.prod(value.shape[entry.ndim :])
