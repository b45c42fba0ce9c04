"""Ulrich's rejection sampler of the cosine to a mean direction."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from reparam.distributions.bessel import slack
from reparam.distributions.rejection import first_accepted, pick
from reparam.noise import NoiseSpec

PROPOSALS = 26
"""At an acceptance of 0.657, the limit for concentrated laws in two dimensions, all fail once in 10¹² draws."""


class Cosine(NamedTuple):
    """What `rejection.Draw` is, per vector (its correction: Davidson et al. 2018)."""

    gap: Tensor
    """1 − w, w the cosine."""
    odds: Tensor
    """(1 − w) / (1 + w), without rounding where w is nearly −1."""
    log_density: Tensor
    failed: Tensor


def cosine_noise(shape: tuple[int, ...], dimension: int) -> dict[str, NoiseSpec]:
    """The base noise of one draw for vectors of this shape."""
    roles = ("radius", "angle", "accept") if dimension > 2 else ("angle", "accept")
    return {role: NoiseSpec("uniform", (*shape, PROPOSALS)) for role in roles}


def accept_cosine(concentration: Tensor, dimension: int, noise: Mapping[str, Tensor]) -> Cosine:
    """A draw of w with the density ∝ e^{κ w} (1 − w²)^{(m−3)/2}: von Mises–Fisher in m = `dimension` dimensions.

    Ulrich 1984, with Wood's correction (1994); in two dimensions it is the sampler of Best & Fisher (1979). Proposals
    are 1 − w = 2 b e / (1 − e + b e) with e of the law Beta((m−1)/2, (m−1)/2), made of a coordinate of a uniform
    point on the sphere; b = (√(4κ² + (m−1)²) − 2κ) / (m−1) is the envelope with the highest acceptance, for every κ.
    """
    e, f, index, failed = _propose(concentration.detach(), dimension, noise)
    e, f, b = pick(e, index), pick(f, index), _envelope(concentration, dimension)
    scale = f + b * e
    gap = 2 * b * e / scale
    log_density = (
        slack(concentration, dimension)
        - concentration * gap
        - (dimension - 1) * (scale.log() - 0.5 * b.log())
    )
    return Cosine(gap, b * e / f, log_density, failed)


def _envelope(concentration: Tensor, dimension: int) -> Tensor:
    n = dimension - 1
    return n / (2 * concentration + torch.hypot(2 * concentration, torch.full_like(concentration, n)))


def _propose(
    concentration: Tensor, dimension: int, noise: Mapping[str, Tensor]
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """(e and 1 − e of every proposal, index of the first accepted, whether none was)."""
    # Two coordinates of a uniform point have the squared radius 1 − u^(2/(m−2)), which is 1 in two dimensions; e is
    # (1 − radius cos angle) / 2. Neither e nor 1 − e is rounded to 0.
    rest = noise["radius"] ** (2 / (dimension - 2)) if dimension > 2 else torch.zeros_like(noise["angle"])
    radius = (1 - rest).sqrt()
    edge, half_angle = rest / (2 * (1 + radius)), math.pi * noise["angle"]
    e, f = edge + radius * half_angle.sin().square(), edge + radius * half_angle.cos().square()
    concentration = concentration.unsqueeze(-1)
    b = _envelope(concentration, dimension)
    scale = f + b * e
    gap = 2 * b * e / scale
    log_accept = concentration * (2 * b / (1 + b) - gap) + (dimension - 1) * torch.log((1 + b) / (2 * scale))
    return e, f, *first_accepted(noise["accept"].log() <= log_accept)
