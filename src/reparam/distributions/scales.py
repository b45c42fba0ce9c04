"""Standard deviations from unconstrained numbers, and what each choice does to the gradient.

At a pathwise sample the gradient of log q is −ε/σ in z and −1 in log σ, so 1/σ is what explodes, and dσ/draw is what
the chain rule puts behind it. Each function keeps σ positive and finite for every finite input:

- `scale_from_log_variance`: 1/σ ≤ e^(−low/2). dσ/draw = σ/2 inside the limits; beyond them it is 0, so that an entry
  there stays until other parameters bring it back.
- `scale_from_softplus`: 1/σ ≤ 1/least. dσ/draw = sigmoid(raw) ≤ 1, so large σ grow in proportion to raw and not
  exponentially. Small σ are ≈ e^raw: against those it is `least` that helps, not the softplus.
- `scale_from_exp`: 1/σ ≤ 1/constant. dσ/draw = (σ − constant)/2, which fades as σ nears the constant, without an edge.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid


def scale_from_log_variance(log_var: Tensor, low: float = -20.0, high: float = 2.0) -> Tensor:
    """σ = e^(log_var / 2), with the log-variance clamped to [low, high]."""
    return (0.5 * log_var.clamp(low, high)).exp()


def scale_from_softplus(raw: Tensor, least: float = 1e-6) -> Tensor:
    """σ = log(1 + e^raw) + least."""
    return -logsigmoid(-raw) + least


def scale_from_exp(raw: Tensor, constant: float = 1e-6) -> Tensor:
    """σ = e^(raw / 2) + constant; raw is the log-variance up to the constant.

    Where e^raw leaves the dtype's range, σ is held at the last number in range, with derivative 0.
    """
    return (0.5 * raw).clamp(max=0.5 * math.log(torch.finfo(raw.dtype).max)).exp() + constant
