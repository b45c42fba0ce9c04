"""Priors of weights and divergences from them, in nats."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

POLYNOMIAL = (1.16145124, -1.50204118, 0.58629921)
"""c₁, c₂, c₃ of −KL(N(θ, α θ²) ‖ log-uniform) ≈ const + ½ ln α + c₁ α + c₂ α² + c₃ α³, α ≤ 1 (Kingma et al. 2015)."""


def log_uniform_divergence(alpha: Tensor) -> Tensor:
    """KL(N(θ, α θ²) ‖ log-uniform) up to a constant, entry by entry, for α ≤ 1 (Kingma et al. 2015, §3.3)."""
    first, second, third = POLYNOMIAL
    return -0.5 * alpha.log() - alpha * (first + alpha * (second + alpha * third))


def log_mixture(weights: Tensor, logit: Tensor, deviations: Sequence[Tensor]) -> Tensor:
    """log(π N(w; 0, σ₁²) + (1 − π) N(w; 0, σ₂²)) entry by entry, π = sigmoid(logit) (Blundell et al. 2015, Eq. 7)."""
    wide, narrow = (_log_normal(weights, deviation) for deviation in deviations)
    return torch.logaddexp(logsigmoid(logit) + wide, logsigmoid(-logit) + narrow)


def _log_normal(z: Tensor, deviation: Tensor) -> Tensor:
    return -0.5 * (z / deviation).square() - deviation.log() - 0.5 * math.log(2 * math.pi)
