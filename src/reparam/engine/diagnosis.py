"""Why an estimate is not finite, in one line: which draw, which plate entry, which site."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from textwrap import shorten
from typing import Any, NamedTuple

from torch import Tensor
from torch.func import debug_unwrap

from reparam.engine.gradient import Runner, estimate_gradient
from reparam.errors import NumericalError, ReparamError
from reparam.estimators.base import Estimator, name_of
from reparam.noise import Noise
from reparam.program import Choose, Params, Program, Trace

SHOWN = 8
"""Entries of a sample that are shown."""


UNLIFTED = ("vmap", "data pointer", "numpy()")
"""Words by which torch says that a function cannot be lifted to many draws."""
LONGEST = 100
"""Characters of torch's own words that are shown."""


@contextmanager
def lifted() -> Iterator[None]:
    """Says in one line, as a ReparamError, that the program within is not made of tensor operations alone."""
    try:
        yield
    except RuntimeError as error:
        words = unlifted(error)
        if words is None:
            raise
        raise ReparamError(f"the program {words}") from error


def unlifted(error: Exception) -> str | None:
    """What a function must be that torch.vmap raises this error for; None for an error of another kind."""
    if not isinstance(error, RuntimeError) or not any(word in str(error) for word in UNLIFTED):
        return None
    return (
        "must be made of tensor operations alone, without .item(), numpy, an `if` or a mask on a sample, and without "
        "random numbers of its own "
        f"(torch says: {shorten(str(error).splitlines()[0], LONGEST, placeholder=' …')})"
    )


def is_finite(tensors: Mapping[str, Tensor]) -> bool:
    """Whether every entry of every tensor is. Reads values."""
    return all(bool(entry.isfinite().all()) for entry in tensors.values())


def not_finite(
    estimator: Estimator,
    program: Program,
    params: Params,
    noise: Noise,
    tunables: Mapping[str, Tensor],
    memory: Any,
    signals: Mapping[str, Tensor] | None = None,
    draw: int | None = None,
) -> NumericalError:
    """The error to raise for the estimate that this noise (of one draw) gives."""
    where = "" if draw is None else f"draw {draw}: "
    watched = _Watched(program, signals)
    estimator.estimate(watched, dict(params), noise, tunables, memory)
    if watched.found:
        return NumericalError(where + watched.found[0])
    gradient = estimate_gradient(estimator, program, params, noise, tunables, memory, signals).gradient
    bad = [name for name, entry in gradient.items() if not is_finite({name: entry})]
    return NumericalError(
        f"{where}f and all samples are finite, but {name_of(estimator)}'s gradient with respect to "
        f"{', '.join(map(repr, bad))} is not: look for a derivative that is infinite, such as that of sqrt at 0"
    )


@dataclass(frozen=True)
class _Watched(Runner):
    """A `Run` that notes the first thing that is not finite in each evaluation of f."""

    found: list[str] = field(default_factory=list)

    def __call__(self, params: Params, choose: Choose) -> Trace:
        trace = super().__call__(params, choose)
        trouble = _trouble(trace)
        if trouble is not None:
            self.found.append(trouble)
        return trace


def _trouble(trace: Trace) -> str | None:
    """The first site whose law, sample or density is not finite, else the value with the samples that gave it."""
    value = _Reading.of(trace.value)
    at = f"f is {value.worst} at {value.place(trace.value.ndim)}" if value.bad else "f is finite"
    for name, site in trace.latent.items():
        first = f"{at}; the first thing that is not finite is"
        for parameter, entry in vars(site.law).items():
            if (
                isinstance(entry, Tensor)
                and not parameter.startswith("_")
                and bool(_plain(entry).isnan().any())
            ):
                return f"{first} the law of sample site {name!r}: its {parameter} holds nan"
        plate = len(site.law.plate)
        z = _Reading.of(site.z)
        if z.bad:
            return f"{first} the sample of site {name!r}: it holds {z.worst} at {z.place(plate)}"
        log_q = _Reading.of(site.law.log_prob(site.z))
        if log_q.bad:
            return (
                f"{first} the density of sample site {name!r}: log q is {log_q.worst} at {log_q.place(plate)}, "
                f"where the sample is {z.show(*log_q.bad, plate)}"
            )
    if not value.bad:
        return None
    samples = ", ".join(
        f"{name} = {_Reading.of(site.z).show(*value.bad, len(site.law.plate))}"
        for name, site in trace.latent.items()
    )
    return f"{at}, and all samples are finite: {samples}"


class _Reading(NamedTuple):
    """A tensor met in a run, and where it is first not finite."""

    entries: Tensor
    """Behind the wrappers of vmap and grad; what was mapped over (an estimator's samples) are its first axes."""
    mapped: int
    """How many first axes these are."""
    bad: tuple[tuple[int, ...], tuple[int, ...]] | None
    """Sample and plate entry (with what follows it)."""

    @classmethod
    def of(cls, tensor: Tensor) -> _Reading:
        entries = _plain(tensor)
        mapped = entries.ndim - tensor.ndim
        wrong = (~entries.isfinite()).nonzero()
        index = tuple(int(i) for i in wrong[0]) if len(wrong) else None
        return cls(entries, mapped, None if index is None else (index[:mapped], index[mapped:]))

    @property
    def worst(self) -> str:
        assert self.bad is not None
        sample, entry = self.bad
        return f"{self.entries[sample + entry].item():g}"

    def place(self, plate: int) -> str:
        assert self.bad is not None
        sample, entry = self.bad
        return f"plate entry {entry[:plate]}" + (f" of sample {sample[0]}" if sample else "")

    def show(self, sample: tuple[int, ...], entry: tuple[int, ...], plate: int) -> str:
        """The entries at a sample and entry of another reading of the same run, on a plate of `plate` axes."""
        entries = self.entries[sample[: self.mapped] + entry[:plate]].flatten()
        shown = ", ".join(f"{value:g}" for value in entries[:SHOWN].tolist())
        return f"[{shown}{', …' if len(entries) > SHOWN else ''}]"


def _plain(tensor: Tensor) -> Tensor:
    return debug_unwrap(tensor.detach(), recurse=True)
