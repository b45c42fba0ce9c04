"""Variance of a minibatch's gradient, and the covariance of its data's gradients, from its two halves.

With G₁ and G₂ the gradients of the mean value over each half, on the same noise where data share it, the minibatch's
gradient is G = (G₁ + G₂)/2, and

    Cov(G₁, G₂) = Var (G₁ + G₂)/2 − Var (G₁ − G₂)/2,

which for data drawn independently is the covariance of any two data's gradients (Wen et al. 2018, Theorem 2).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from reparam.engine.gradient import estimate_gradient
from reparam.estimators import Estimator
from reparam.measure.running import Running, sums
from reparam.measure.signal_to_noise import AT_ONCE
from reparam.noise import Noise, NoiseSpec, NoiseSpecs, draw_block
from reparam.program import Params, Program, describe

PARTS = ("mean", "difference")


class Spread(NamedTuple):
    """By parameter, averaged over its entries."""

    variance: dict[str, float]
    covariance: dict[str, float]
    """Of the halves; empty for a single datum."""


def spread(
    estimator: Estimator,
    program: Callable[[int], Program],
    params: Params,
    batch: int,
    draws: int,
    axes: tuple[str | int, ...],
) -> Spread:
    """Of the gradient of the mean value over `batch` data, 1 or an even number, from `draws` draws.

    `program(n)` draws n data as part of its noise. Noise whose size follows n is the data's own, other noise is common
    to them. All of it comes from streams named by `axes`.
    """
    count = max(1, batch // 2)
    common, each = own_noise(estimator, program, params)
    own, half = each(count), program(count)
    specs = joined(common, own)
    size = max(1, AT_ONCE // numbers(specs))

    def gradient(noise: Noise) -> dict[str, Tensor]:
        found = estimate_gradient(estimator, half, params, noise).gradient
        return {name: entry / count for name, entry in found.items()}

    def whole(first: Noise, second: Noise) -> dict[str, Tensor]:
        if batch == 1:
            return gradient(first)
        one, other = gradient(first), gradient(joined(first, second))
        halved = {name: ((one[name] + other[name]) / 2, (one[name] - other[name]) / 2) for name in one}
        return {
            f"{part}/{name}": entry
            for name, both in halved.items()
            for part, entry in zip(PARTS, both, strict=True)
        }

    running: Running | None = None
    for start in range(0, draws, size):
        length = min(size, draws - start)
        kind = next(iter(params.values())).dtype
        first = draw_block(specs, (*axes, start), length, dtype=kind)
        second = draw_block(own, (*axes, "second half", start), length, dtype=kind)
        with torch.no_grad():
            found = torch.vmap(whole)(first, second)
            running = running or Running({name: entry[0] for name, entry in found.items()})
            running.add(sums(found, running.pivot), length)
    assert running is not None
    means = {name: entry.mean().item() for name, entry in running.variance.items()}
    if batch == 1:
        return Spread(means, {})
    variance, differences = ({name: means[f"{part}/{name}"] for name in params} for part in PARTS)
    return Spread(variance, {name: variance[name] - differences[name] for name in params})


def own_noise(
    estimator: Estimator, program: Callable[[int], Program], params: Params
) -> tuple[NoiseSpecs, Callable[[int], NoiseSpecs]]:
    """The noise that the data of a program share, and n → what n data have for themselves: what is larger for two data
    than for one."""
    one, two = (estimator.noise(describe(program(n), params)) for n in (1, 2))

    def own(count: int) -> NoiseSpecs:
        return _chosen(one, lambda site, role, spec: _extended(spec, two[site][role], count))

    return _chosen(one, lambda site, role, spec: spec if spec == two[site][role] else None), own


def _extended(one: NoiseSpec, two: NoiseSpec, count: int) -> NoiseSpec | None:
    """For `count` data, from what one and two data need; None where that is the same."""
    shape = tuple(a + (count - 1) * (b - a) for a, b in zip(one.shape, two.shape, strict=True))
    return None if one == two else replace(one, shape=shape)


def _chosen(specs: NoiseSpecs, choose: Callable[[str, str, NoiseSpec], NoiseSpec | None]) -> NoiseSpecs:
    """What `choose(site, role, spec)` makes of every role, without those of which it makes nothing."""
    found = {
        site: {role: made for role, spec in roles.items() if (made := choose(site, role, spec))}
        for site, roles in specs.items()
    }
    return {site: roles for site, roles in found.items() if roles}


def joined(
    common: Mapping[str, Mapping[str, Any]], own: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """`common` with the roles of `own` added or replaced."""
    return {site: {**common.get(site, {}), **own.get(site, {})} for site in {**common, **own}}


def numbers(specs: NoiseSpecs) -> int:
    """How many numbers a draw has."""
    return sum(
        math.prod(spec.shape) * (spec.copies or 1) for roles in specs.values() for spec in roles.values()
    )
