"""Objectives are programs with sample sites; running and replaying them.

A program is a function `program(params, sample) -> value`. It calls `sample(name, law)` wherever it
meets a stochastic node and returns log p, a bound or a cost. `value` carries the plate's shape: one
entry per datum (or () for a single one), never summed over data inside.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from inspect import signature
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor
from torch.distributions import Distribution

from reparam.errors import ReparamError
from reparam.noise import NoiseSpec

Params = Mapping[str, Tensor]


class LawLike(Protocol):
    """What a sample site must know of a law; `reparam.distributions.Law` is the real thing."""

    event_dims: int

    @property
    def shape(self) -> tuple[int, ...]: ...

    @property
    def plate(self) -> tuple[int, ...]: ...

    def noise(self) -> dict[str, NoiseSpec]: ...

    def path(self, noise: Mapping[str, Tensor]) -> Tensor: ...

    def log_prob(self, z: Tensor) -> Tensor: ...

    def validate(self) -> None: ...


class Sample(Protocol):
    """The `sample` that a program is given."""

    def __call__(
        self, name: str, law: Any, context: Any = None, observed: Tensor | None = None
    ) -> Tensor: ...


Program = Callable[[Params, Sample], Tensor]
Choose = Callable[[str, Any], Tensor]


class Site(NamedTuple):
    """A sample site as it was met: its law, its value, and what a baseline may look at."""

    law: Any
    z: Tensor
    context: Any = None
    observed: bool = False


class Trace(NamedTuple):
    """One run of a program: its value (the plate's shape) and its sites in order."""

    value: Tensor
    sites: dict[str, Site]
    signals: Mapping[str, Tensor] | None = None
    """Learning signals that are given and not found by running f, by site, each in its law's plate (after an axis of
    samples, under an estimator that draws several): the reward-to-go of a roll-out. Where given they take the place
    of `value` in the score term of the site."""

    @property
    def latent(self) -> dict[str, Site]:
        """The sites that were sampled, without the observed ones."""
        return {name: site for name, site in self.sites.items() if not site.observed}


def run(
    program: Program, params: Params, choose: Choose, signals: Mapping[str, Tensor] | None = None
) -> Trace:
    """Run `program`, letting `choose(name, law)` decide every unobserved sample.

    `signals` are handed on in the trace.

    Raises ReparamError when a site's name is missing or used twice or its law is none of ours or has nothing to sample,
    when what is observed is no tensor of the law's shape, when the value is no floating-point tensor, when a signal
    belongs to no site, or when a law's plate is not the plate of the value (a site shared by the plate says so by
    giving `event_dims`).
    """
    sites: dict[str, Site] = {}

    def sample(name: str, law: Any = None, context: Any = None, observed: Tensor | None = None) -> Tensor:
        _check_site(name, law)
        if name in sites:
            raise ReparamError(f"sample site {name!r} is used twice: give each site its own name")
        if observed is None and 0 in law.shape:
            raise ReparamError(
                f"sample site {name!r}: a {type(law).__name__} law of shape {tuple(law.shape)} has nothing to sample; "
                "give it parameters with entries, or leave the site out"
            )
        if observed is not None:
            _check_observed(name, law, observed)
        z = choose(name, law) if observed is None else observed
        sites[name] = Site(law, z, context, observed is not None)
        return z

    value = program(params, sample)
    if not isinstance(value, Tensor) or not value.is_floating_point():
        given = f"a tensor of {value.dtype}" if isinstance(value, Tensor) else type(value).__name__
        raise ReparamError(
            f"the program must return a floating-point tensor, one value per datum, not {given}"
        )
    trace = Trace(value, sites, signals)
    for name in signals or {}:
        if name not in trace.latent:
            raise ReparamError(
                f"a learning signal is given for {name!r}, but the sampled sites are {', '.join(trace.latent)}"
            )
    for name, site in trace.latent.items():
        _check_plate(name, site.law, tuple(value.shape))
    return trace


def _check_site(name: Any, law: Any) -> None:
    """ReparamError unless this is a name and a law."""
    if isinstance(law, str) or (law is None and not isinstance(name, str)):
        raise ReparamError(f"sample(name, law) was given {_kind(name)}, {_kind(law)}: the name comes first")
    if not isinstance(name, str) or not name:
        raise ReparamError(f"sample(name, law): the name must be a non-empty string, got {name!r}")
    if isinstance(law, type):
        raise ReparamError(
            f"sample site {name!r}: {law.__name__} is a class: give a law, {law.__name__}(…) with its parameters"
        )
    if isinstance(law, Distribution):
        raise ReparamError(
            f"sample site {name!r}: {_kind(law)} of torch.distributions is no law of reparam: give "
            "reparam.from_torch(law), or reparam's own law of that name"
        )
    if not hasattr(law, "path"):
        raise ReparamError(
            f"sample site {name!r}: {_kind(law)} is no law of reparam: give one, such as reparam.Normal(loc, scale)"
        )


def _check_observed(name: str, law: Any, observed: Any) -> None:
    """ReparamError unless a sample of the law could have this shape."""
    if not isinstance(observed, Tensor) or tuple(observed.shape) != tuple(law.shape):
        given = f"one of shape {tuple(observed.shape)}" if isinstance(observed, Tensor) else _kind(observed)
        raise ReparamError(
            f"sample site {name!r}: observed must be a tensor of the shape of the {_kind(law)} law's sample, "
            f"{tuple(law.shape)}, got {given}"
        )


def _kind(value: Any) -> str:
    return type(value).__name__


def _check_plate(name: str, law: Any, plate: tuple[int, ...]) -> None:
    if law.plate == plate:
        return
    shared = plate[: len(law.plate)] == law.plate
    if shared and not law.event_dims_inferred:
        return
    raise ReparamError(
        f"sample site {name!r}: the law's plate is {law.plate} but the program's value has shape {plate}; "
        "return one value per datum, or give the law event_dims, the number of trailing axes that form one event"
        + (f"; if the site is shared by the plate, say so by event_dims={law.event_dims}" if shared else "")
    )


def replay(trace: Trace) -> Choose:
    """A `choose` that repeats the samples of `trace`; run it with other (for example stopped) parameters.

    Raises ReparamError when the program meets a site that the trace does not have.
    """

    def choose(name: str, law: Any) -> Tensor:
        if name not in trace.sites:
            raise ReparamError(f"cannot replay: the trace has no sample site {name!r}")
        return trace.sites[name].z

    return choose


def follow(noise: Mapping[str, Mapping[str, Tensor]]) -> Choose:
    """A `choose` that sends each site's base noise along its law's path."""
    return lambda name, law: law.path(noise[name])


def describe(program: Program, params: Params) -> dict[str, Site]:
    """The latent sites of `program`, found by one run in the middle of the base noise."""
    return middle_run(program, params).latent


def middle_run(program: Program, params: Params) -> Trace:
    """One run in the middle of the base noise; ReparamError unless `program` is a function of (params, sample)."""
    if not callable(program):
        raise ReparamError(f"the program must be a function program(params, sample), got {_kind(program)}")
    with suppress(ValueError):  # of some callables Python does not know the signature
        try:
            signature(program).bind(params, None)
        except TypeError as error:
            named = getattr(program, "__name__", _kind(program))
            raise ReparamError(
                f"the program must take (params, sample), but {named}{signature(program)} does not: {error}"
            ) from None
    return run(program, params, _middle(params))


def depends_on(program: Program, params: Params) -> bool:
    """Whether the value, or the law of a latent site, depends on any parameter."""
    inputs = {name: entry.detach().clone().requires_grad_() for name, entry in params.items()}
    with torch.inference_mode(False), torch.enable_grad():
        trace = run(program, inputs, _middle(params))
        drawn = [part for site in trace.latent.values() for part in (site.z, site.law.log_prob(site.z))]
        outputs = [part.sum() for part in (trace.value, *drawn) if part.requires_grad]
        if not outputs:
            return False
        found = torch.autograd.grad(torch.stack(outputs).sum(), list(inputs.values()), allow_unused=True)
    return any(gradient is not None for gradient in found)


def reaches_value(program: Program, params: Params, names: Collection[str]) -> bool:
    """Whether the sample of at least one of these sites can be differentiated into the value, directly or through
    the law of a site that is not among them."""
    samples: dict[str, Tensor] = {}
    middle = _middle(params)

    def choose(name: str, law: Any) -> Tensor:
        z = middle(name, law).detach()
        samples[name] = z.requires_grad_() if z.is_floating_point() else z
        return samples[name]

    stopped = {name: entry.detach() for name, entry in params.items()}
    with torch.inference_mode(False), torch.enable_grad():
        trace = run(program, stopped, choose)
        others = [s.law.log_prob(s.z.detach()).sum() for n, s in trace.latent.items() if n not in names]
        value = torch.stack([trace.value.sum(), *others]).sum()
    inputs = [z for name, z in samples.items() if name in names and z.requires_grad]
    if not inputs or not value.requires_grad:
        return False
    return any(g is not None for g in torch.autograd.grad(value, inputs, allow_unused=True))


def _middle(params: Params) -> Choose:
    """A `choose` that takes every path at the middle of its base noise."""
    some = next(iter(params.values()))
    middle = {"normal": 0.0, "uniform": 0.5}
    return lambda name, law: law.path(
        {role: some.new_full(spec.shape, middle[spec.kind]) for role, spec in law.noise().items()}
    )
