"""What estimators share that learn a control variate for one sample from the values and slopes of the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from reparam.estimators.base import Run, on_plate, over_samples
from reparam.estimators.networks import flat_event
from reparam.noise import Noise
from reparam.program import Params, Site


class Draws(NamedTuple):
    """One site at K samples."""

    log_q: Tensor
    """[K, *plate], differentiable."""
    statistic: Tensor
    """[K, *plate, D], differentiable: what the estimator reads of the law, such as its mean."""
    z: Tensor
    """[K, *plate, D], constant."""
    slope: Tensor
    """[K, *plate, D], constant: ∂(Σ_plate f)/∂z, the samples of all other sites held."""


def hard_samples(
    run: Run, params: Params, noise: Noise, statistic: Callable[[Any], Tensor]
) -> tuple[Tensor, dict[str, Draws]]:
    """f [K, *plate] and every site at K independent samples of relaxable laws, at one evaluation a sample.

    `noise` has a leading axis of K; `statistic(law)` is in the law's shape.
    """

    def one(draw: Noise) -> tuple[Tensor, dict[str, tuple[Tensor, ...]]]:
        def at(shifts: Mapping[str, Tensor]) -> tuple[Tensor, Any]:
            trace = run(params, lambda name, law: law.path(draw[name]) + shifts[name])
            return trace.value.sum(), (trace.value, {name: read(site) for name, site in trace.latent.items()})

        def read(site: Site) -> tuple[Tensor, Tensor, Tensor]:
            return site.law.log_prob(site.z), statistic(site.law), site.z

        still = {name: torch.zeros_like(roles["uniform"]) for name, roles in draw.items()}
        total, pullback, (value, found) = torch.func.vjp(at, still, has_aux=True)  # type: ignore[misc]
        (slopes,) = pullback(torch.ones_like(total))
        return value, {name: (*entry, slopes[name].detach()) for name, entry in found.items()}

    values, found = over_samples(one, noise)
    return values, {
        name: Draws(log_q, *(flat_event(entry, log_q.ndim) for entry in entries))
        for name, (log_q, *entries) in found.items()
    }


def others(values: Tensor) -> Tensor:
    """The mean over the other samples, the first axis being the samples'."""
    return (values.sum(0) - values) / (len(values) - 1)


def with_controls(values: Tensor, controls: Mapping[str, Tensor], axes: int) -> Tensor:
    """`values` plus the controls of all sites that have at least their axes, summed down to the first `axes`."""
    own = [on_plate(control, axes) for control in controls.values() if control.ndim >= axes]
    return on_plate(values, axes) + torch.stack(own).sum(0)
