"""Exact moments of an estimate on programs of bits: every state is forced by noise at the ends of its range."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any, NamedTuple

import torch
from torch import Tensor

from reparam.engine.gradient import estimate_gradient
from reparam.estimators.base import Estimator
from reparam.program import Params, Program, describe, follow, run

EDGE = 1e-9
"""Noise this close to 0 or 1 makes a bit 0 or 1, whatever its logit within ±20."""


class Moments(NamedTuple):
    mean: dict[str, Tensor]
    variance: dict[str, Tensor]


def moments(
    estimator: Estimator,
    program: Program,
    params: Params,
    tunables: Mapping[str, Tensor] | None = None,
    memory: Any = None,
) -> Moments:
    """Mean and variance of the estimate over all states of all its samples, each weighed by its probability.

    For one datum, double precision, and estimators whose noise is the samples' own "uniform".
    """
    specs = {name: roles["uniform"] for name, roles in estimator.noise(describe(program, params)).items()}
    sizes = {name: spec.copies * torch.Size(spec.shape).numel() for name, spec in specs.items()}
    states = torch.tensor(list(product((EDGE, 1 - EDGE), repeat=sum(sizes.values()))), dtype=torch.float64)
    noise = {
        name: {"uniform": part.reshape(-1, specs[name].copies, *specs[name].shape)}
        for name, part in zip(specs, states.split(list(sizes.values()), dim=1), strict=True)
    }

    def one(noise: Any) -> tuple[Tensor, dict[str, Tensor]]:
        mass = torch.ones((), dtype=torch.float64)
        for k in range(next(iter(specs.values())).copies):
            sample = {name: {"uniform": roles["uniform"][k]} for name, roles in noise.items()}
            for site in run(program, params, follow(sample)).latent.values():
                probs = 1 / (1 + (-site.law.logits).exp())
                mass = mass * torch.where(site.z > 0, probs, 1 - probs).prod()
        return mass, estimate_gradient(estimator, program, params, noise, tunables, memory).gradient

    mass, found = torch.vmap(one)(noise)

    def expect(entries: Tensor) -> Tensor:
        return torch.tensordot(mass, entries, dims=1)

    mean = {name: expect(entries) for name, entries in found.items()}
    return Moments(mean, {name: expect((entries - mean[name]) ** 2) for name, entries in found.items()})
