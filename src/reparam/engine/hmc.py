"""Hamiltonian Monte Carlo, one chain per plate entry, as a pure function of given noise."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

LogDensity = Callable[[Tensor], Tensor]


class Transition(NamedTuple):
    """One step of every chain."""

    z: Tensor
    """The new state, [*plate, D]."""
    acceptance: Tensor
    """The Metropolis acceptance probability of each chain's proposal, [*plate]."""


def transition(
    log_density: LogDensity,
    z: Tensor,
    step_size: Tensor,
    momentum: Tensor,
    uniform: Tensor,
    leapfrogs: int,
) -> Transition:
    """`leapfrogs` leapfrog steps with unit mass, then accept or stay (Neal 2011, §5.3.2).

    `log_density` maps states [*plate, D] to nats [*plate], entry by entry. `step_size` is () or
    [*plate]; `momentum` is standard normal [*plate, D]; `uniform` is [*plate]. A proposal whose energy
    is not a number is refused; a chain whose present density is not a number stays where it is.
    """
    end = leapfrog(log_density, z, momentum, step_size[..., None], leapfrogs)
    log_ratio = torch.where(end.after.isnan(), -torch.inf, end.after - end.before)
    accepted = uniform.log() < log_ratio
    return Transition(torch.where(accepted[..., None], end.z, z), log_ratio.clamp(max=0.0).exp())


class Trajectory(NamedTuple):
    """Where leapfrog steps lead, and log density minus kinetic energy, in nats [*plate], at both ends."""

    z: Tensor
    momentum: Tensor
    before: Tensor
    after: Tensor


def leapfrog(log_density: LogDensity, z: Tensor, momentum: Tensor, step: Tensor, count: int) -> Trajectory:
    """`count` leapfrog steps of size `step` (broadcast against z): count + 1 evaluations of the density."""

    def total(position: Tensor) -> tuple[Tensor, Tensor]:
        value = log_density(position)
        return value.sum(), value

    slope_and_value = torch.func.grad(total, has_aux=True)
    slope, value = slope_and_value(z)
    before = value - 0.5 * momentum.square().sum(-1)
    for _ in range(count):
        momentum = momentum + 0.5 * step * slope
        z = z + step * momentum
        slope, value = slope_and_value(z)
        momentum = momentum + 0.5 * step * slope
    return Trajectory(z, momentum, before, value - 0.5 * momentum.square().sum(-1))


def adapt(step_size: Tensor, acceptance: Tensor, target: float = 0.9, rate: float = 0.3) -> Tensor:
    """The step size after seeing `acceptance`: grows above the target, shrinks below it.

    log step ← log step + rate · (acceptance − target), per chain or for one step size shared by all
    (then give the mean acceptance). Raises nothing; a NaN acceptance leaves a NaN behind.
    """
    return step_size * (rate * (acceptance - target)).exp()
