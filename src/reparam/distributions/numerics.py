"""Elementary functions that stay finite, in value and derivative, at the ends of a dtype's range."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def exp_in_range(x: Tensor) -> Tensor:
    """e^x, but no larger and no smaller than the dtype holds as a normal number with room to spare (a factor 1/ε).

    A sample beyond is replaced by the last number in range, with derivative 0: it is neither 0 nor infinite,
    and its log density is finite.
    """
    info = torch.finfo(x.dtype)
    return x.clamp(math.log(info.tiny / info.eps), math.log(info.max * info.eps)).exp()


def log1mexp(x: Tensor) -> Tensor:
    """log(1 − e^x) for x < 0, accurate at both ends (Mächler 2012)."""
    near = torch.log(-torch.expm1(x.clamp(-math.log(2), -torch.finfo(x.dtype).tiny)))
    far = torch.log1p(-torch.exp(x.clamp(max=-math.log(2))))
    return torch.where(x > -math.log(2), near, far)


def normal_cdf(x: Tensor) -> Tensor:
    """The CDF of the standard normal law, exact in the lower tail, where torch.special.ndtr is not."""
    return 0.5 * torch.erfc(-math.sqrt(0.5) * x)
