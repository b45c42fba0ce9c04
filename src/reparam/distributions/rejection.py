"""Acceptance–rejection, noise first: the first accepted of a fixed number of proposals."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Draw(NamedTuple):
    """A sample z = h(ε; φ) whose noise ε has a law that depends on the parameters φ, too."""

    z: Tensor
    """Differentiable in φ at fixed ε."""
    log_density: Tensor
    """log π(ε; φ), up to what does not depend on φ, on the law's plate: its derivative is the correction ∇ log π, with
    ∇ E[f] = E[∇ f(h(ε; φ)) + f ∇ log π(ε; φ)]. After rejection π = s q(h)/r(h), for noise of the density s and
    proposals of the density r (Naesseth et al. 2017)."""
    failed: Tensor
    """Whether, in a plate entry, every proposal was refused: the sample is then made of the last one."""


def first_accepted(accepted: Tensor) -> tuple[Tensor, Tensor]:
    """(index of the first accepted proposal, whether none was): [..., N] → [...]. Where all fail it is the last one."""
    last = accepted.shape[-1] - 1
    position = torch.arange(last + 1, device=accepted.device)
    return torch.where(accepted, position, last).amin(-1), ~accepted.any(-1)


def pick(entries: Tensor, index: Tensor) -> Tensor:
    """The entries at these indices of the last axis."""
    return entries.gather(-1, index.unsqueeze(-1)).squeeze(-1)
