"""Exact enumeration of every discrete site."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from reparam.errors import ReparamError
from reparam.estimators.base import Estimator, Run, Sites, Terms, register
from reparam.noise import Noise, NoiseSpec
from reparam.program import Params, Trace

MOST_STATES = 2**16


@register("exact")
@dataclass(frozen=True)
class Exact(Estimator):
    """∇ Σ_z q(z) f(z) over all joint states of all sites: no noise, no variance.

    Needs laws with a finite support and at most 65,536 joint states per datum; raises ReparamError
    otherwise.
    """

    unbiased = True
    needs_derivative = False

    def noise(self, sites: Sites) -> dict[str, dict[str, NoiseSpec]]:
        _joint_sizes(sites)
        return {}

    def estimate(
        self, run: Run, params: Params, noise: Noise, tunables: Mapping[str, Tensor], memory: Any
    ) -> Terms:
        first = run(params, lambda name, law: _support(name, law)[0].expand(law.shape))
        sizes = _joint_sizes(first.latent)
        grid = torch.cartesian_prod(
            *(torch.arange(size, device=first.value.device) for size in sizes.values())
        )
        states = {
            name: _support(name, site.law)[grid.reshape(-1, len(sizes))[:, i]]
            for i, (name, site) in enumerate(first.latent.items())
        }

        def one(state: Mapping[str, Tensor]) -> Tensor:
            trace = run(params, lambda name, law: state[name].expand(law.shape))
            return _log_q(trace).exp() * trace.value

        value = torch.vmap(one)(states).sum(0)
        return Terms(value, (value,), (1.0,), math.prod(sizes.values()), memory)


def _support(name: str, law: Any) -> Tensor:
    if not hasattr(law, "support"):
        raise ReparamError(
            f"exact: sample site {name!r} has a {type(law).__name__} law, which has no finite support"
        )
    return law.support()


def _joint_sizes(sites: Sites) -> dict[str, int]:
    sizes = {name: len(_support(name, site.law)) for name, site in sites.items()}
    joint = math.prod(sizes.values())
    if joint > MOST_STATES:
        raise ReparamError(f"exact: {joint} joint states are more than the {MOST_STATES} it enumerates")
    return sizes


def _log_q(trace: Trace) -> Tensor:
    """Σ_sites log q on the value's plate; a shared site's log q is spread over the plate it lacks."""
    total = torch.zeros_like(trace.value)
    for site in trace.latent.values():
        entry = site.law.log_prob(site.z)
        total = total + entry[(..., *(None,) * (total.ndim - entry.ndim))]
    return total
