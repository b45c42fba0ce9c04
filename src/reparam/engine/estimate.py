"""One gradient estimate at a time, for people with a training loop of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from reparam.engine.diagnosis import is_finite, lifted, not_finite
from reparam.engine.gradient import Estimate, estimate_gradient, prepare
from reparam.engine.inputs import (
    as_estimator,
    as_params,
    check_count,
    check_given,
    check_noise,
    common_dtype,
)
from reparam.errors import ReparamError
from reparam.estimators import Estimator
from reparam.estimators.base import Sites, name_of
from reparam.noise import Noise, NoiseSpecs, draw, draw_block, generator
from reparam.program import Params, Program


def estimate(
    program: Program,
    params: Params,
    estimator: str | Estimator,
    noise: Noise | int | torch.Generator,
    tunables: Mapping[str, Tensor] | None = None,
    memory: Any = None,
    signals: Mapping[str, Tensor] | None = None,
    check: bool = True,
) -> Estimate:
    """One estimate of ∇ E[Σ_plate value] with respect to every tensor of `params`.

    - `params`: a flat dict of floating-point tensors; theirs is the shape of `gradient`'s, which is a new dict
      without autograd history.
    - `estimator`: a name, or an object such as `Rebar(temperature=0.5)`.
    - `noise`: what `draw_noise` gave, or an integer (the seed of this one estimate: give each step its own), or a
      torch.Generator on the device of `params` (each estimate moves it on).
    - `tunables`, `memory`: the estimator's own parameters and running averages, for those that have any: begin with
      what `init_estimator` gives, hand the returned `memory` to the next estimate, and follow `tunable_gradient`
      downhill.
    - `signals`: given learning signals by site, each in its law's plate: rewards, where f is not to be run for them.
    - `check`: whether to look at sites, laws, shapes and results, which costs about three evaluations of f and a
      backward pass more. Without checks and with drawn noise, tunables and memory given, this is a pure function that
      may be vmapped and compiled.

    Returns Estimate(gradient, value, memory, evaluations, tunable_gradient, failed); `value` has the plate's shape, and
    `failed` counts the plate entries in which a rejection sampler accepted no candidate (None without such a sampler;
    of `mixed` those of its outermost group).

    Raises ReparamError, in one line, for whatever is wrong with program, parameters, estimator or noise, and for an
    estimate that is not finite, naming the plate entry and the first site that is not.
    """
    chosen, params = as_estimator(estimator), as_params(params)
    if not isinstance(noise, Mapping) or check or tunables is None or memory is None:
        sites = prepare(chosen, program, params)
        specs = chosen.noise(sites)
        if not isinstance(noise, Mapping):
            noise = _drawn(specs, params, noise)
        if check:
            check_noise(noise, specs)
        _check_own(chosen, tunables, memory, _start(chosen, params, sites, seed=0))
    with lifted():
        found = estimate_gradient(chosen, program, params, noise, tunables, memory, signals)
    if check and not is_finite({**found.gradient, "value": found.value}):
        raise not_finite(chosen, program, params, noise, tunables or {}, memory, signals)
    return found


def draw_noise(
    program: Program, params: Params, estimator: str | Estimator, seed: int = 0, step: int = 0
) -> dict[str, dict[str, Tensor]]:
    """The noise of one estimate, {site: {role: tensor}}, from streams named by seed, step, site and role.

    The estimator is not among the names: two estimators at the same seed and step meet the same noise wherever they use
    the same, so that comparisons are paired. Raises ReparamError as `estimate` does.
    """
    chosen, params = as_estimator(estimator), as_params(params)
    check_count("seed", seed, 0)
    check_count("step", step, 0)
    return _named(chosen.noise(prepare(chosen, program, params)), params, seed, step)


def init_estimator(
    program: Program, params: Params, estimator: str | Estimator, seed: int = 0
) -> tuple[dict[str, Tensor], Any]:
    """(tunables, memory) of the estimator before its first estimate; most have neither and give ({}, {}).

    Raises ReparamError as `estimate` does.
    """
    chosen, params = as_estimator(estimator), as_params(params)
    check_count("seed", seed, 0)
    return _start(chosen, params, prepare(chosen, program, params), seed)


def _check_own(
    estimator: Estimator, tunables: Mapping[str, Tensor] | None, memory: Any, begun: tuple[Any, Any]
) -> None:
    """ReparamError unless what the estimator keeps from one estimate to the next is given, and fits."""
    for what, of, given, first in (
        ("tunables", "parameters of its own", tunables, begun[0]),
        ("memory", "running averages", memory, begun[1]),
    ):
        if given is None and tree_leaves(first):
            raise ReparamError(
                f"{name_of(estimator)} with these options learns {of}, and would start afresh at each estimate: call "
                "tunables, memory = init_estimator(program, params, estimator) once, give both to every estimate, and "
                "then memory = found.memory and tunables moved against found.tunable_gradient"
            )
        check_given(what, {} if given is None else given, first)


def _start(estimator: Estimator, params: Params, sites: Sites, seed: int) -> tuple[dict[str, Tensor], Any]:
    device = next(iter(params.values())).device
    started = estimator.start(params, sites, generator("estimate", seed, "init"))
    return tree_map(lambda leaf: leaf.to(device), started)  # type: ignore[no-any-return]


def _named(
    specs: NoiseSpecs, params: Mapping[str, Tensor], seed: int, step: int
) -> dict[str, dict[str, Tensor]]:
    device = next(iter(params.values())).device
    block = draw_block(specs, ("estimate", seed, step), 1, device, common_dtype(params))
    return {site: {role: draws[0] for role, draws in roles.items()} for site, roles in block.items()}


def _drawn(
    specs: NoiseSpecs, params: Mapping[str, Tensor], source: int | torch.Generator
) -> dict[str, dict[str, Tensor]]:
    if isinstance(source, int) and not isinstance(source, bool) and source >= 0:
        return _named(specs, params, source, 0)
    if not isinstance(source, torch.Generator):
        raise ReparamError(
            "noise must be an integer ≥ 0 (the seed of this one estimate), a torch.Generator, or what "
            f"draw_noise(program, params, estimator, …) gave, got {source!r}"
        )
    device = next(iter(params.values())).device
    if source.device != device:
        raise ReparamError(
            f"noise: the generator lives on {source.device} but params on {device}: make it there"
        )
    return {
        site: {
            role: draw(
                spec.kind,
                spec.shape if spec.copies is None else (spec.copies, *spec.shape),
                source,
                common_dtype(params),
            )
            for role, spec in roles.items()
        }
        for site, roles in specs.items()
    }
