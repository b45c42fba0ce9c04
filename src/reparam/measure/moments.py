"""Mean and variance of one gradient estimate, from as many draws as asked for."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from reparam.engine import paths
from reparam.engine.gradient import prepare
from reparam.engine.inputs import as_estimator, as_params, check_count, check_given, common_dtype
from reparam.estimators import Estimator
from reparam.measure.layers import Layer, trusted_layers, whole, with_own_biases
from reparam.measure.running import Running, Sums, sums
from reparam.measure.subject import FAILED, VALUE, Blocks, Estimates, Subject, entries, pick
from reparam.noise import Noise, NoiseSpecs, generator
from reparam.program import Params, Program

SETTLE = 200
"""Estimates that an estimator with running averages makes before it is measured."""
PROBE = 8
"""Draws on which a layer's factorisation is tried."""
CACHED, LARGEST = 2**20, 2**25
"""Entries of gradients in a chunk: what a processor's cache holds with their copies, and what may be exceeded for no
problem."""
LEAST_CHUNK, LARGEST_CHUNK = 8, 4096
INTERMEDIATES = 8
"""Numbers that f's evaluation keeps for each number of its noise, roughly."""
TRACED_FROM = 32
"""Chunks from which tracing the estimate pays: it takes as long as calling the functions some thirty times."""
COMPILED_FROM = 2**34
"""Numbers, over all draws, from which compiling the estimate pays: a minute or two of work."""

Step = Callable[[Noise, Estimates], Sums]


@dataclass(frozen=True)
class Moments:
    """Moments of one gradient estimate (of all its samples together), by parameter, in double precision."""

    mean: dict[str, Tensor]
    variance: dict[str, Tensor]
    """Of each entry: the unbiased sample variance over draws; for the weights and biases of a layer with fixed input,
    the sum of those that the independent data contribute."""
    value: Tensor
    """The mean of the objective's reading, per plate entry."""
    evaluations: int
    """Evaluations of the objective per estimate."""
    draws: int
    tunables: dict[str, Tensor]
    memory: Any
    """The estimator's own parameters and running averages at which it was measured."""
    failed: int | None = None
    """Plate entries of rejection samplers, over all draws, that found no candidate to accept; None without any."""

    @property
    def standard_error(self) -> dict[str, Tensor]:
        """Of each entry of the mean."""
        return {name: (entry / self.draws).sqrt() for name, entry in self.variance.items()}


def gradient_moments(
    objective: Program,
    params: Params,
    estimator: str | Estimator,
    draws: int = 100_000,
    seed: int = 0,
    *,
    tunables: Mapping[str, Tensor] | None = None,
    memory: Any = None,
    signals: Mapping[str, Tensor] | None = None,
    settle: int = SETTLE,
    chunk: int | None = None,
    factorised: bool = True,
    compiled: bool | None = None,
) -> Moments:
    """Mean and variance of the estimator's gradient of E[Σ_plate value], over `draws` draws of all its noise.

    - `estimator`: a name, or an object such as `Rebar(temperature=0.5)`. Without noise (`exact`) its variance is 0.
    - `seed`: names the noise; the result depends on nothing else. Estimators of one seed meet the same noise.
    - `tunables`: the estimator's own parameters, held; left out, those it starts with.
    - `memory`: its running averages, held; left out, it first makes `settle` estimates one after another, on draws of
      their own, and is held at what it then remembers.
    - `signals`: given learning signals by site, each in its law's plate.
    - `chunk`: draws computed at once; by default it follows from the size of the problem. It changes speed, memory and
      rounding, and no draw.
    - `factorised`: whether the variance of a layer with fixed input may be put together from the data's (see
      `reparam.measure.layers`) where that is found to apply.
    - `compiled`: whether to compile the estimate first, which takes up to half a minute and then halves the time; by
      default where it pays.

    Chunks are merged about the running mean in double precision (Chan, Golub & LeVeque 1983): draws may be millions.

    Raises ReparamError, in one line, for whatever is wrong with the input (as `reparam.estimate` does), for fewer than
    2 draws, for an objective that cannot be computed for many draws at once, and for an estimate that is not finite,
    naming the draw, the plate entry and the first site that is not.
    """
    chosen, params = as_estimator(estimator), as_params(params)
    for name, count, least in (("draws", draws, 2), ("seed", seed, 0), ("settle", settle, 0)):
        check_count(name, count, least)
    if chunk is not None:
        check_count("chunk", chunk, 1)
    sampler = begin(
        chosen, objective, params, ("moments", seed), tunables, memory, signals, settle, chunk, factorised
    )
    return sampler.take(draws, compiled)


def begin(
    estimator: Estimator,
    program: Program,
    params: Params,
    axes: tuple[str | int, ...],
    tunables: Mapping[str, Tensor] | None = None,
    memory: Any = None,
    signals: Mapping[str, Tensor] | None = None,
    settle: int = SETTLE,
    chunk: int | None = None,
    factorised: bool = True,
) -> Sampler:
    """All of `gradient_moments` that comes before its draws, with noise from streams named by `axes`."""
    sites = prepare(estimator, program, params)
    some = next(iter(params.values()))
    noise = Blocks(estimator.noise(sites), axes, some.device, common_dtype(params))
    start = estimator.start(params, sites, generator(*axes, "init"))
    begun, remembered = tree_map(lambda leaf: leaf.to(some.device), start)
    for what, given, first in (("tunables", tunables, begun), ("memory", memory, remembered)):
        if given is not None:
            check_given(what, given, first)
    held = begun if tunables is None else dict(tunables)
    subject = Subject(
        estimator, program, dict(params), held, remembered if memory is None else memory, signals
    )
    if memory is None:
        subject = subject.settled(noise.chunks("settle", settle, 1))
    layers = found_layers(subject, noise) if factorised and noise.any else ()
    tapped, free = with_own_biases(program, params, layers)
    size = chunk or _chunk(noise.specs, free)
    tapped_subject = replace(subject, program=tapped, params=free)
    evaluations = estimator.card.evaluations(estimator, sites)
    return Sampler(subject, tapped_subject, layers, noise, size, evaluations)


@dataclass(frozen=True)
class Sampler:
    """What is drawn from: a subject, and the same with a bias for each datum in its factorised layers."""

    subject: Subject
    tapped: Subject
    layers: tuple[Layer, ...]
    noise: Blocks
    size: int
    """Draws computed at once."""
    evaluations: int

    def take(self, draws: int, compiled: bool | None = None) -> Moments:
        """The moments over the first `draws` draws."""
        if compiled is None:
            compiled = (
                draws * _numbers(self.noise.specs, self.tapped.params) >= COMPILED_FROM
                and paths.has_compiler()
            )
        first = pick(next(self.noise.chunks("draws", 1, 1)), 0)
        running = Running(entries(self.tapped.checked(first, 0)))
        if self.noise.any:
            ready: Step = self.step
            if compiled or draws // self.size >= TRACED_FROM:
                ready = self.ready(running.pivot, "compiled" if compiled else "traced")
            self.add(running, draws, ready)
        mean, variance = whole(self.layers, running.mean, 1), whole(self.layers, running.variance, 2)
        subject = self.subject
        return Moments(
            {name: mean[name] for name in subject.params},
            {name: variance[name] for name in subject.params},
            mean[VALUE],
            self.evaluations,
            draws,
            subject.tunables,
            subject.memory,
            round(mean[FAILED].item() * draws) if FAILED in mean else None,
        )

    def step(self, noise: Noise, pivot: Estimates) -> Sums:
        """The sums of one chunk's estimates about a pivot."""
        return sums(self.tapped.many(noise), pivot)

    def ready(self, pivot: Estimates, path: paths.Path) -> Step:
        """`step` traced, or compiled, for whole chunks."""
        return paths.build(self.step, (next(self.noise.chunks("draws", self.size, self.size)), pivot), path)

    def add(self, running: Running, draws: int, ready: Step) -> None:
        """Add the first `draws` draws to running moments; whole chunks go through `ready`."""
        with torch.no_grad():
            for noise in self.noise.chunks("draws", draws, self.size):
                count = len(tree_leaves(noise)[0])
                found = (ready if count == self.size else self.step)(noise, running.pivot)
                if not all(bool(squares.sum().isfinite()) for _, squares in found.values()):
                    found = self._in_double(running, noise)
                running.add(found, count)

    def _in_double(self, running: Running, noise: Noise) -> Sums:
        """The sums of a chunk whose squares overflow; ReparamError if one of its estimates is not finite."""
        estimates = {name: found.double() for name, found in self.tapped.many(noise).items()}
        for found in estimates.values():
            bad = (~found.isfinite()).flatten(1).any(1).nonzero()
            if len(bad):
                draw = int(bad[0])
                self.subject.checked(pick(noise, draw), running.count + draw)
        return sums(estimates, running.pivot)


def found_layers(subject: Subject, noise: Blocks) -> tuple[Layer, ...]:
    """The layers to which the factorisation is found to apply."""

    def estimates(program: Program, params: Params, draws: Noise) -> Estimates:
        return replace(subject, program=program, params=dict(params)).many(draws)

    draws, others = noise.chunks("probe", 2 * PROBE, PROBE)
    return trusted_layers(subject.program, subject.params, noise.specs, draws, others, estimates)


def _chunk(specs: NoiseSpecs, params: Params) -> int:
    """How many draws are computed at once: a power of two."""
    gradient = sum(entry.numel() for entry in params.values())
    room = max(CACHED, min(LEAST_CHUNK * gradient, LARGEST))
    most = min(room // gradient, 2 * room // _numbers(specs, params), LARGEST_CHUNK)
    return int(2 ** max(0, most.bit_length() - 1))


def _numbers(specs: NoiseSpecs, params: Params) -> int:
    """How many numbers one estimate computes, roughly."""
    noise = sum(
        math.prod(spec.shape) * (spec.copies or 1) for roles in specs.values() for spec in roles.values()
    )
    return sum(entry.numel() for entry in params.values()) + INTERMEDIATES * noise
