"""Tail integrals ∫₀^∞ e^−E(v) v^k dv of laws with log-concave densities, by Gauss–Legendre quadrature.

The integrands are analytic and fall from 1 like something between an exponential and a normal density. Once the reach
is known, the v where E(v) is `depth`, a dozen nodes have all digits of float32, and two dozen those of float64.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Rule(NamedTuple):
    """Gauss–Legendre nodes and weights on (0, 1), and the exponent where integrands are cut off."""

    nodes: list[float]
    weights: list[float]
    depth: float

    def spread(self, reach: Tensor) -> Tensor:
        """The nodes of (0, reach), on a new leading axis."""
        nodes = torch.tensor(self.nodes, dtype=reach.dtype, device=reach.device)
        return nodes.reshape(-1, *(1,) * reach.ndim) * reach

    def weigh(self, values: Tensor) -> Tensor:
        """Values at the nodes of (0, 1), times the weights: their sum over the leading axis is the integral."""
        weights = torch.tensor(self.weights, dtype=values.dtype, device=values.device)
        return weights.reshape(-1, *(1,) * (values.ndim - 1)) * values


def _rule(count: int, depth: float) -> Rule:
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return Rule(((nodes + 1) / 2).tolist(), (weights / 2).tolist(), depth)


_SINGLE, _DOUBLE = _rule(10, 15.0), _rule(24, 34.0)


def rule(dtype: torch.dtype) -> Rule:
    """The rule for this dtype: errors below 3e-7, in double precision below 4e-14, of the integral."""
    return _DOUBLE if dtype == torch.float64 else _SINGLE
