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
    step = step_size[..., None]
    proposal, momentum_end = leapfrog(log_density, z, momentum, step, leapfrogs)
    before = log_density(z) - 0.5 * momentum.square().sum(-1)
    after = log_density(proposal) - 0.5 * momentum_end.square().sum(-1)
    log_ratio = torch.where(after.isnan(), -torch.inf, after - before)
    accepted = uniform.log() < log_ratio
    return Transition(torch.where(accepted[..., None], proposal, z), log_ratio.clamp(max=0.0).exp())


def leapfrog(
    log_density: LogDensity, z: Tensor, momentum: Tensor, step: Tensor, count: int
) -> tuple[Tensor, Tensor]:
    """`count` leapfrog steps of size `step` (broadcast against z): (position, momentum)."""
    slope = torch.func.grad(lambda position: log_density(position).sum())
    momentum = momentum + 0.5 * step * slope(z)
    for _ in range(count - 1):
        z = z + step * momentum
        momentum = momentum + step * slope(z)
    z = z + step * momentum
    return z, momentum + 0.5 * step * slope(z)


def adapt(step_size: Tensor, acceptance: Tensor, target: float = 0.9, rate: float = 0.3) -> Tensor:
    """The step size after seeing `acceptance`: grows above the target, shrinks below it.

    log step ← log step + rate · (acceptance − target), per chain or for one step size shared by all
    (then give the mean acceptance). Raises nothing; a NaN acceptance leaves a NaN behind.
    """
    return step_size * (rate * (acceptance - target)).exp()
