"""What an estimator is: noise wanted, memory kept, and `Terms` returned."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from itertools import takewhile
from typing import Any, ClassVar, NamedTuple, Protocol, Self

import torch
from torch import Tensor

from reparam.errors import ReparamError
from reparam.estimators.card import Card
from reparam.estimators.options import check_options
from reparam.noise import Noise, NoiseSpec
from reparam.program import Choose, Params, Site, Trace
from reparam.registry import Registry

Sites = Mapping[str, Site]
Coefficient = float | Tensor | Mapping[str, Tensor]


class Run(Protocol):
    """A program waiting for parameters and for someone to choose its samples."""

    @property
    def signals(self) -> Mapping[str, Tensor] | None:
        """Given learning signals by site (see `Trace`)."""
        ...

    def __call__(self, params: Params, choose: Choose) -> Trace:
        """One evaluation of f."""
        ...

    def sites(self, params: Params, choose: Choose) -> Sites:
        """The latent sites met with these samples; f's value is not looked at, so this is no evaluation."""
        ...


class Terms(NamedTuple):
    """What an estimator hands to the engine.

    The gradient estimate is Σ_i coefficients[i] · ∇_params Σ_plate losses[i]. A coefficient is a
    number, or a mapping from parameter name to a tensor that scales this parameter's gradient.
    """

    value: Tensor
    """An unbiased reading of the objective per plate entry, where the estimator has one."""
    losses: tuple[Tensor, ...]
    coefficients: tuple[Coefficient, ...]
    evaluations: int
    """Evaluations of the program's value per estimate."""
    memory: Any
    """The estimator's running averages after this estimate (same structure as `init` gave)."""
    tunable_loss: Tensor | None = None
    """A scalar that some of the estimator's own parameters minimise. The estimate must not be differentiable
    in those parameters (a baseline enters it as a constant)."""
    tune_variance: bool = False
    """Whether the others minimise the squared norm of the gradient estimate, and so its variance."""
    failed: Tensor | None = None
    """Rejection samplers count here, as (), the plate entries in which they refused every candidate."""
    learning_signals: Mapping[str, Tensor] | None = None
    """Where score terms are weighed: by site, what is left of f or of the bound after all baselines, before any
    normalising, [samples, *plate]."""


class Estimator(ABC):
    """An estimator of the gradient of E[value]. Subclasses are frozen dataclasses; their fields are its options."""

    card: ClassVar[Card]

    def __new__(cls, *given: Any, **options: Any) -> Self:
        """Raises ReparamError for an option that it does not have, or of another type than its field says: before
        `__post_init__`, which may compare it."""
        names = getattr(cls, "__dataclass_fields__", {})
        check_options(name_of(cls), cls, {**dict(zip(names, given, strict=False)), **options})
        return super().__new__(cls)

    @abstractmethod
    def noise(self, sites: Sites) -> dict[str, dict[str, NoiseSpec]]:
        """The base noise of one estimate, by site and role. The role of a law's own path keeps the law's name
        for it, so that estimators share this noise."""

    def init(self, sites: Sites, generator: torch.Generator) -> tuple[dict[str, Tensor], Any]:
        """(tunables, memory) before the first estimate; most estimators have neither.

        Tunables are a flat dict of tensors named "<kind>" or "<kind>.<site>…"; networks draw their first weights
        from `generator` (a CPU generator).
        """
        return {}, {}

    def start(
        self, params: Params, sites: Sites, generator: torch.Generator
    ) -> tuple[dict[str, Tensor], Any]:
        """What callers use for `init`: an estimator with a tunable "<kind>.<parameter>" per parameter overrides it."""
        return self.init(sites, generator)

    @abstractmethod
    def estimate(
        self, run: Run, params: Params, noise: Noise, tunables: Mapping[str, Tensor], memory: Any
    ) -> Terms:
        """The terms of one estimate at `params`, from this noise."""

    def differentiates(self, sites: Sites) -> list[tuple[Estimator, tuple[str, ...]]]:
        """Who differentiates f with respect to which samples: of each group, one at least must lead to f."""
        return [(self, tuple(sites))] if self.card.needs_derivative else []

    def check(self, sites: Sites) -> None:
        """Raise ReparamError, naming the site and who could, when a law is not one that it can handle."""
        for name, site in sites.items():
            if not self.card.requires.holds(site.law):
                raise ReparamError(
                    f"{name_of(self)} needs {self.card.requires.words}, and sample site {name!r} has a "
                    f"{type(site.law).__name__} law; estimators for it: {', '.join(able(site.law))}"
                )

    def check_signals(self) -> None:
        """Raise ReparamError, naming who could, when learning signals cannot be given to this estimator."""
        if not self.card.given_signal:
            takers = [name for name in registry.names() if registry.get(name).card.given_signal]
            raise ReparamError(
                f"{name_of(self)} with these options needs f at samples of its own choice, so learning signals cannot "
                f"be given to it; estimators that take them: {', '.join(takers)}"
            )


def restate(estimator: Estimator, **promises: Any) -> None:
    """Change promises of this instance's card, whose options differ from those that the class's card speaks of."""
    object.__setattr__(estimator, "card", replace(estimator.card, **promises))


def _require_card(name: str, kind: type[Estimator]) -> None:
    """ReparamError unless `kind` is an estimator with a card."""
    if not (isinstance(kind, type) and issubclass(kind, Estimator)):
        raise ReparamError(f"estimator {name!r} must be a subclass of reparam.Estimator, not {kind!r}")
    if not isinstance(getattr(kind, "card", None), Card):
        raise ReparamError(f"estimator {name!r} has no card: give {kind.__name__} `card = Card(...)`")


registry: Registry[type[Estimator]] = Registry(
    "estimator", "reparam.estimators", group="reparam.estimators", check=_require_card
)
register = registry.register


def name_of(estimator: Estimator | type[Estimator]) -> str:
    """The name it is registered under, or its class's name."""
    kind = estimator if isinstance(estimator, type) else type(estimator)
    known = {registry.get(name): name for name in registry.names()}
    return known.get(kind, kind.__name__)


def able(law: Any) -> list[str]:
    """The names of the estimators that can handle this law."""
    return [name for name in registry.names() if registry.get(name).card.requires.holds(law)]


def path_noise(sites: Sites, samples: int) -> dict[str, dict[str, NoiseSpec]]:
    """The noise of every site's path, with a leading axis of `samples` draws."""
    return {
        name: {
            role: NoiseSpec(spec.kind, spec.shape, copies=samples) for role, spec in site.law.noise().items()
        }
        for name, site in sites.items()
    }


def over_samples(function: Any, noise: Noise) -> Any:
    """Map `function(noise of one sample)` over the leading sample axis of `noise`; without any noise, over one."""
    samples = next((entry.shape[0] for roles in noise.values() for entry in roles.values()), 1)
    if samples == 1:
        single = {site: {role: draw[0] for role, draw in roles.items()} for site, roles in noise.items()}
        return torch.utils._pytree.tree_map(lambda leaf: leaf.unsqueeze(0), function(single))
    return torch.vmap(function)(dict(noise))


def check_samples(samples: int, least: int, estimator: str, option: str = "samples") -> None:
    """ReparamError unless `samples`, or another count, is an integer of at least `least`."""
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < least:
        raise ReparamError(f"{estimator}: {option} must be an integer ≥ {least}, got {samples!r}")


def check_positive(given: float, option: str, estimator: str) -> None:
    """ReparamError unless the option is positive and finite."""
    if not 0 < given < math.inf:
        raise ReparamError(f"{estimator}: {option} must be a positive number, got {given!r}")


def hard_run(run: Run, params: Params, noise: Noise) -> Trace:
    """The program with every site at its sample, as a constant: what score terms are made of."""
    return run(params, lambda name, law: law.path(noise[name]).detach())


def rerun(run: Run, params: Params, base: Trace, name: str, z: Tensor, later: Choose) -> Tensor:
    """f with site `name` at the sample z: the sites before it keep those of `base`, `later` draws those after it."""
    earlier = takewhile(lambda site: site != name, base.latent)
    kept = {site: base.latent[site].z for site in earlier} | {name: z}
    return run(params, lambda site, law: kept[site] if site in kept else later(site, law)).value


def scored(run: Run, params: Params, noise: Noise) -> tuple[Tensor, dict[str, Tensor]]:
    """Hard runs over the leading sample axis of `noise`: (values [K, *plate], log q by site [K, *law's plate])."""

    def one(draw: Noise) -> tuple[Tensor, dict[str, Tensor]]:
        trace = hard_run(run, params, draw)
        return trace.value, {name: site.law.log_prob(site.z) for name, site in trace.latent.items()}

    return over_samples(one, noise)


def signal_of(trace: Trace, name: str) -> Tensor:
    """The learning signal of a site, constant, in the shape of its law's plate.

    The given one where there is one; else the program's value, summed over the trailing plate axes that the site's
    law does not have (a site shared by the plate is signalled by all of it).
    """
    plate = trace.sites[name].law.plate
    if trace.signals is not None and name in trace.signals:
        return _given(name, trace.signals[name], plate)
    return on_plate(trace.value.detach(), len(plate))


def sample_signals(
    values: Tensor, log_q: Mapping[str, Tensor], given: Mapping[str, Tensor] | None
) -> dict[str, Tensor]:
    """`signal_of` every site over samples: values [K, *plate], log q by site [K, *law's plate] as the signals.

    Given signals have the sample axis only where K > 1.
    """
    signals = {}
    for name, entries in log_q.items():
        if given is not None and name in given:
            shape = entries.shape if len(entries) > 1 else entries.shape[1:]
            signals[name] = _given(name, given[name], shape).reshape(entries.shape)
        else:
            signals[name] = on_plate(values.detach(), entries.ndim)
    return signals


def _given(name: str, signal: Tensor, shape: tuple[int, ...]) -> Tensor:
    if signal.shape != shape:
        raise ReparamError(
            f"the learning signal given for sample site {name!r} has shape {tuple(signal.shape)}, but its law (and its "
            f"samples, where there are several) make {tuple(shape)}"
        )
    return signal.detach()


def on_plate(values: Tensor, plate_dims: int) -> Tensor:
    """`values` [plate] summed over its trailing axes until `plate_dims` axes are left."""
    extra = values.ndim - plate_dims
    return values.sum(dim=tuple(range(-extra, 0))) if extra else values


def sample_bound(values: Tensor) -> Tensor:
    """log 1/K Σ_k exp f_k of values [K, *plate]. The largest is taken out first, so that its derivatives, the
    normalised weights, sum to 1 in single precision for large values, too."""
    top = values.detach().amax(0)
    return top + (values - top).logsumexp(0) - math.log(len(values))


def log_q(trace: Trace) -> Tensor:
    """Σ_sites log q on the value's plate; a shared site's log q is spread over the plate that it lacks."""
    total = torch.zeros_like(trace.value)
    for site in trace.latent.values():
        entry = site.law.log_prob(site.z)
        total = total + entry[(..., *(None,) * (total.ndim - entry.ndim))]
    return total
