"""Mean and variance of one gradient estimate, from as many draws as asked for."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from reparam.engine import paths
from reparam.engine.diagnosis import is_finite, lifted, not_finite
from reparam.engine.gradient import Estimate, estimate_gradient, prepare
from reparam.engine.inputs import as_estimator, as_params, check_count, common_dtype
from reparam.estimators import Estimator
from reparam.measure.layers import Layer, trusted_layers, whole, with_own_biases
from reparam.measure.running import Running, Sums, sums
from reparam.noise import Noise, NoiseSpecs, draw_block, generator
from reparam.program import Params, Program

BLOCK = 128
"""Draws whose noise comes from one stream; part of what makes a result what it is."""
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
TRACED_FROM = 8
"""Chunks from which tracing the estimate pays."""
VALUE = ""
"""The objective's reading, among the gradients by parameter: no parameter has this name."""

Estimates = dict[str, Tensor]


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
    compiled: bool = False,
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
    - `compiled`: whether to compile the estimate first, which takes up to half a minute and then halves the time.

    Chunks are merged about the running mean in double precision (Chan, Golub & LeVeque 1983): draws may be millions.

    Raises ReparamError, in one line, for whatever is wrong with the input (as `reparam.estimate` does), for fewer than
    2 draws, for an objective that cannot be computed for many draws at once, and for an estimate that is not finite,
    naming the draw, the plate entry and the first site that is not.
    """
    chosen, params = as_estimator(estimator), as_params(params)
    counts = {"draws": (draws, 2), "seed": (seed, 0), "settle": (settle, 0)} | (
        {} if chunk is None else {"chunk": (chunk, 1)}
    )
    for name, (count, least) in counts.items():
        check_count(name, count, least)
    sites = prepare(chosen, objective, params)
    device = next(iter(params.values())).device
    specs = chosen.noise(sites)
    noise = _Noise(specs, ("moments", seed), device, common_dtype(params))
    start = chosen.start(params, sites, generator("moments", seed, "init"))
    begun, remembered = tree_map(lambda leaf: leaf.to(device), start)
    subject = _Subject(chosen, begun if tunables is None else dict(tunables), memory, signals)
    if memory is None:
        subject = subject.settled(objective, params, remembered, noise.chunks("settle", settle, 1))
    random = any(specs.values())
    layers = _layers(subject, objective, params, noise) if factorised and random else ()
    program, free = with_own_biases(objective, params, layers)
    first = _pick(next(noise.chunks("draws", 1, 1)), 0)
    running = Running(_entries(subject.checked(program, free, first, 0)))
    if random:
        _accumulate(running, subject, program, free, noise, draws, chunk or _chunk(specs, free), compiled)
    mean, variance = whole(layers, running.mean, 1), whole(layers, running.variance, 2)
    return Moments(
        {name: mean[name] for name in params},
        {name: variance[name] for name in params},
        mean[VALUE],
        chosen.card.evaluations(chosen, sites),
        draws,
        subject.tunables,
        subject.memory,
    )


@dataclass(frozen=True)
class _Noise:
    """Blocks of noise by name, handed out in chunks of any size: the draws are the same for all sizes."""

    specs: NoiseSpecs
    axes: tuple[str | int, ...]
    device: torch.device
    dtype: torch.dtype

    def chunks(self, purpose: str, draws: int, size: int) -> Iterator[Noise]:
        """The noise of `draws` draws, leaves [≤ size, …]."""
        span = BLOCK * math.ceil(size / BLOCK)
        for start in range(0, draws, span):
            length = min(span, draws - start)
            numbers = range(start // BLOCK, (start + length - 1) // BLOCK + 1)
            blocks = [
                draw_block(self.specs, (*self.axes, purpose, number), BLOCK, self.device, self.dtype)
                for number in numbers
            ]
            drawn = tree_map(lambda *parts: torch.cat(parts), *blocks)
            for first in range(0, length, size):
                yield _pick(drawn, slice(first, min(first + size, length)))


def _pick(noise: Noise, draws: int | slice) -> Noise:
    picked: Noise = tree_map(lambda leaf: leaf[draws], noise)
    return picked


@dataclass(frozen=True)
class _Subject:
    """The estimator that is measured, with what it holds."""

    estimator: Estimator
    tunables: dict[str, Tensor]
    memory: Any
    signals: Mapping[str, Tensor] | None

    def one(self, program: Program, params: Params, noise: Noise) -> Estimate:
        """The estimate of one draw."""
        return estimate_gradient(
            self.estimator, program, params, noise, self.tunables, self.memory, self.signals, tune=False
        )

    def many(self, program: Program, params: Params, noise: Noise) -> Estimates:
        """Objective and gradient of every draw, [C, …]."""
        with lifted():
            return torch.vmap(lambda draw: _entries(self.one(program, params, draw)))(noise)

    def checked(self, program: Program, params: Params, noise: Noise, draw: int) -> Estimate:
        """The estimate of one draw, the `draw`-th; ReparamError if it is not finite."""
        with lifted():
            found = self.one(program, params, noise)
        if not is_finite(_entries(found)):
            arguments = (self.estimator, program, params, noise, self.tunables, self.memory, self.signals)
            raise not_finite(*arguments, draw)
        return found

    def settled(self, program: Program, params: Params, memory: Any, draws: Iterator[Noise]) -> _Subject:
        """With the memory that estimates one after another leave behind, if it keeps one."""
        subject = replace(self, memory=memory)
        for number, noise in enumerate(draws if tree_leaves(memory) else ()):
            found = subject.checked(program, params, _pick(noise, 0), number)
            subject = replace(subject, memory=found.memory)
        return subject


def _entries(found: Estimate) -> Estimates:
    return {VALUE: found.value, **found.gradient}


def _layers(subject: _Subject, program: Program, params: Params, noise: _Noise) -> tuple[Layer, ...]:
    draws, others = noise.chunks("probe", 2 * PROBE, PROBE)
    return trusted_layers(program, params, noise.specs, draws, others, subject.many)


def _chunk(specs: NoiseSpecs, params: Params) -> int:
    """How many draws are computed at once: a power of two."""
    gradient = sum(entry.numel() for entry in params.values())
    noise = sum(
        math.prod(spec.shape) * (spec.copies or 1) for roles in specs.values() for spec in roles.values()
    )
    room = max(CACHED, min(LEAST_CHUNK * gradient, LARGEST))
    most = min(room // gradient, 2 * room // (INTERMEDIATES * noise), LARGEST_CHUNK)
    return int(2 ** max(0, most.bit_length() - 1))


def _accumulate(
    running: Running,
    subject: _Subject,
    program: Program,
    params: Params,
    noise: _Noise,
    draws: int,
    size: int,
    compiled: bool,
) -> None:
    """Add all draws to the running moments, `size` at a time."""

    def step(now: Noise, pivot: Estimates) -> Sums:
        return sums(subject.many(program, params, now), pivot)

    ready = None
    with torch.no_grad():
        for now in noise.chunks("draws", draws, size):
            count = len(tree_leaves(now)[0])
            if ready is None and (compiled or draws // size >= TRACED_FROM):
                ready = paths.build(step, (now, running.pivot), "compiled" if compiled else "traced")
            found = (ready if ready and count == size else step)(now, running.pivot)
            if not _is_finite(found):
                found = _in_double(running, subject, program, params, now)
            running.add(found, count)


def _is_finite(chunk: Sums) -> bool:
    return all(bool(squares.sum().isfinite()) for _, squares in chunk.values())


def _in_double(running: Running, subject: _Subject, program: Program, params: Params, noise: Noise) -> Sums:
    """The sums of a chunk whose squares overflow; ReparamError if one of its estimates is not finite."""
    estimates = {name: entries.double() for name, entries in subject.many(program, params, noise).items()}
    for entries in estimates.values():
        bad = (~entries.isfinite()).flatten(1).any(1).nonzero()
        if len(bad):
            first = int(bad[0])
            subject.checked(program, params, _pick(noise, first), running.count + first)
    return sums(estimates, running.pivot)
