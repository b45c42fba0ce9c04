"""Moments of an estimator over a lattice of its base noise, without Monte Carlo error."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from reparam.engine.gradient import prepare
from reparam.errors import ReparamError
from reparam.estimators import Estimator
from reparam.measure.subject import Subject
from reparam.noise import Noise, generator
from reparam.program import Params, Program


class LatticeMoments(NamedTuple):
    """Of one gradient estimate, by parameter."""

    mean: dict[str, Tensor]
    variance: dict[str, Tensor]


def lattice_moments(estimator: Estimator, program: Program, params: Params, points: int) -> LatticeMoments:
    """Mean and variance of the gradient over the midpoint lattice of the uniforms that make one datum's estimate.

    Each of n uniforms takes the midpoints of equal parts of (0, 1), `points`^(1/n) of them, all data the same ones.
    Bits whose probabilities are multiples of a part are counted exactly, and what is smooth in a uniform has an error
    of the order of a part's square. The estimator has the tunables that it starts with and no memory.

    Raises ReparamError for normal noise, a site without a plate of one axis, and running averages.
    """
    sites = prepare(estimator, program, params)
    wanted = estimator.noise(sites)
    tunables, memory = estimator.start(params, sites, generator("lattice"))
    shapes = {}
    for name, roles in wanted.items():
        if len(sites[name].law.plate) != 1:
            raise ReparamError(f"lattice_moments: sample site {name!r} must have a plate of one axis")
        for role, spec in roles.items():
            if spec.kind != "uniform":
                raise ReparamError(f"lattice_moments: the noise of sample site {name!r} is not uniform")
            shapes[name, role] = (
                (*((spec.copies,) if spec.copies else ()), *spec.shape),
                spec.copies is not None,
            )
    if memory:
        raise ReparamError(
            "lattice_moments: estimators with running averages have no moments of one estimate"
        )
    data = next(iter(sites.values())).law.plate[0]
    coordinates = sum(math.prod(shape) // data for shape, _ in shapes.values())
    side = round(points ** (1 / coordinates))
    some = next(iter(params.values()))
    axis = (torch.arange(side, dtype=some.dtype, device=some.device) + 0.5) / side
    lattice = torch.cartesian_prod(*(axis,) * coordinates).reshape(-1, coordinates)
    noise: dict[str, dict[str, Tensor]] = {name: {} for name in wanted}
    used = 0
    for (name, role), (shape, copied) in shapes.items():
        own = lattice[:, used : used + math.prod(shape) // data]
        used += own.shape[1]
        place = 2 if copied else 1
        each = own.reshape(-1, *shape[: place - 1], 1, *shape[place:])
        noise[name][role] = each.expand(-1, *shape)
    return _moments(Subject(estimator, program, dict(params), tunables, memory), noise)


def _moments(subject: Subject, noise: Noise) -> LatticeMoments:
    with torch.no_grad():
        found = subject.many(noise)
    estimates = {name: found[name].double() for name in subject.params}
    return LatticeMoments(
        {name: entry.mean(0) for name, entry in estimates.items()},
        {name: entry.var(0, correction=0) for name, entry in estimates.items()},
    )
