"""What an estimator carries from step to step: its tunables, its averages, and running moments of its estimates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from reparam.engine.gradient import Estimate
from reparam.engine.learners.base import Params, State
from reparam.engine.optimisers import Optimiser
from reparam.errors import ReparamError
from reparam.estimators import Estimator
from reparam.estimators.base import Sites
from reparam.noise import Noise, NoiseSpec, NoiseSpecs


@dataclass(frozen=True)
class Carrier:
    """An estimator, the optimiser of its tunables, and how much of its running moments is kept at each step.

    The moments are those of every entry of its estimates for the minibatch mean of the value (nats per datum), the
    noise of minibatches and the movement of the parameters included (Tucker et al. 2017, Fig 2); 0 keeps none.
    """

    estimator: Estimator
    optimiser: Optimiser
    decay: float = 0.0

    def init(self, params: Params, sites: Sites, generator: torch.Generator) -> State:
        """Its part of the state before the first step."""
        device = next(iter(params.values())).device
        start = self.estimator.start(params, sites, generator)
        tunables, memory = tree_map(lambda leaf: leaf.to(device), start)
        optimiser = self.optimiser.init(tunables) if tunables else {}
        state = {"tunables": tunables, "tunable_optimiser": optimiser, "memory": memory}
        if self.decay:
            zeros = {name: torch.zeros_like(entry) for name, entry in params.items()}
            state["moments"] = {
                "mean": zeros,
                "square": dict(zeros),
                "weight": torch.zeros((), device=device),
            }
        return state

    def after(self, state: State, estimate: Estimate, batch: int) -> State:
        """Its part of the state after an estimate for so many data."""
        found = {
            "tunables": state["tunables"],
            "tunable_optimiser": state["tunable_optimiser"],
            "memory": estimate.memory,
        }
        if state["tunables"]:
            found["tunables"], found["tunable_optimiser"] = self.optimiser.update(
                estimate.tunable_gradient, state["tunable_optimiser"], state["tunables"]
            )
        if self.decay:
            entries = {name: entry / batch for name, entry in estimate.gradient.items()}
            old, kept = state["moments"], self.decay
            found["moments"] = {
                "mean": {n: kept * old["mean"][n] + (1 - kept) * g for n, g in entries.items()},
                "square": {n: kept * old["square"][n] + (1 - kept) * g.square() for n, g in entries.items()},
                "weight": kept * old["weight"] + (1 - kept),
            }
        return found


def running_variance(moments: Mapping[str, State]) -> dict[str, Tensor]:
    """The variance of every entry by running moments, corrected for their start at zero."""
    weight = moments["weight"]
    return {
        name: square / weight - (moments["mean"][name] / weight).square()
        for name, square in moments["square"].items()
    }


def common(wanted: list[NoiseSpecs]) -> dict[str, dict[str, NoiseSpec]]:
    """The noise that serves several estimators: of each site and role the most copies, the first ones shared.

    Raises ReparamError where two want another kind or shape of one role, or only one of them copies.
    """
    found: dict[str, dict[str, NoiseSpec]] = {}
    for specs in wanted:
        for site, roles in specs.items():
            own = found.setdefault(site, {})
            for role, spec in roles.items():
                known = own.setdefault(role, spec)
                if _drawn(known) != _drawn(spec):
                    raise ReparamError(
                        f"training.alongside: {known} and {spec} are both wanted as {role!r} of site {site!r}; "
                        "train these estimators apart"
                    )
                if (spec.copies or 0) > (known.copies or 0):
                    own[role] = spec
    return found


def _drawn(spec: NoiseSpec) -> tuple[str, tuple[int, ...], bool]:
    """What draws of a role must have in common to be shared."""
    return spec.kind, spec.shape, spec.copies is None


def part(noise: Noise, specs: NoiseSpecs) -> dict[str, dict[str, Tensor]]:
    """What one estimator asked for of `common` noise."""
    return {
        site: {role: noise[site][role][: spec.copies] for role, spec in roles.items()}
        for site, roles in specs.items()
    }
