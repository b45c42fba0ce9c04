"""Exact enumeration of every discrete site."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from reparam.errors import ReparamError
from reparam.estimators.base import Estimator, Run, Sites, Terms, log_q, register
from reparam.estimators.card import FINITE_SUPPORT, Card
from reparam.noise import Noise, NoiseSpec
from reparam.program import Params

MOST_STATES = 2**16


@register("exact")
@dataclass(frozen=True)
class Exact(Estimator):
    """∇ Σ_z q(z) f(z) over all joint states of all sites: no noise, no variance.

    Needs laws with a finite support and at most 65,536 joint states per datum; raises ReparamError
    otherwise.
    """

    card = Card(
        title="Exact enumeration",
        what="Sums the objective over every joint state of the sites of one datum and differentiates the sum.",
        formula="Σ_z ∇[q(z) f(z)]",
        when="Whenever the states are few (a label, a handful of bits): it has no variance. The cost doubles with "
        "every further bit; 65,536 joint states per datum are the most.",
        paper="Jang et al. 2017 (arXiv:1611.01144), Table 2, as marginalising the label",
        unbiased=True,
        needs_derivative=False,
        requires=FINITE_SUPPORT,
        evaluations=lambda estimator, sites: math.prod(_joint_sizes(sites).values()),
    )

    def noise(self, sites: Sites) -> dict[str, dict[str, NoiseSpec]]:
        return {}

    def check(self, sites: Sites) -> None:
        super().check(sites)
        _joint_sizes(sites)

    def estimate(
        self, run: Run, params: Params, noise: Noise, tunables: Mapping[str, Tensor], memory: Any
    ) -> Terms:
        sites = run.sites(params, lambda name, law: law.support()[0].expand(law.shape))
        sizes = _joint_sizes(sites)
        device = next(iter(sites.values())).z.device
        grid = torch.cartesian_prod(*(torch.arange(size, device=device) for size in sizes.values()))
        states = {
            name: site.law.support()[grid.reshape(-1, len(sizes))[:, i]]
            for i, (name, site) in enumerate(sites.items())
        }

        def one(state: Mapping[str, Tensor]) -> Tensor:
            trace = run(params, lambda name, law: state[name].expand(law.shape))
            return log_q(trace).exp() * trace.value

        value = torch.vmap(one)(states).sum(0)
        return Terms(value, (value,), (1.0,), math.prod(sizes.values()), memory)


def _joint_sizes(sites: Sites) -> dict[str, int]:
    sizes = {name: site.law.states for name, site in sites.items()}
    joint = math.prod(sizes.values())
    if joint > MOST_STATES:
        raise ReparamError(
            f"exact: the sites have 2^{math.log2(joint):.0f} joint states, more than the {MOST_STATES} that it "
            "enumerates; use another estimator"
        )
    return sizes
