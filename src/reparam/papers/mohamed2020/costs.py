"""The paper's three costs f(x; k) of one Normal variable (Figs 2 and 3), for tensors and for arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import erf
from torch import Tensor

from reparam.errors import ReparamError
from reparam.registry import nearest

Array = NDArray[np.float64]
MEAN, SCALE = 1.0, 1.0
"""μ and σ of the Normal law, in both figures."""


class Cost(NamedTuple):
    """f for tensors; for arrays f, its slope and its integral over x. x and k broadcast."""

    torch: Any
    f: Any
    slope: Any
    integral: Any


COSTS: dict[str, Cost] = {
    "quadratic": Cost(
        lambda x, k: (x - k).square(),
        lambda x, k: (x - k) ** 2,
        lambda x, k: 2 * (x - k),
        lambda x, k: (x - k) ** 3 / 3,
    ),
    "exponential": Cost(
        lambda x, k: torch.exp(-k * x.square()),
        lambda x, k: np.exp(-k * x**2),
        lambda x, k: -2 * k * x * np.exp(-k * x**2),
        lambda x, k: np.sqrt(np.pi / k) / 2 * erf(np.sqrt(k) * x),
    ),
    "cosine": Cost(
        lambda x, k: torch.cos(k * x),
        lambda x, k: np.cos(k * x),
        lambda x, k: -k * np.sin(k * x),
        lambda x, k: np.sin(k * x) / k,
    ),
}


def cost(name: str) -> Cost:
    """The cost of this name; ReparamError for any other."""
    if name not in COSTS:
        raise ReparamError(f"mohamed2020: unknown cost {name!r}{nearest(name, COSTS)}")
    return COSTS[name]


def grid(options: Mapping[str, Any]) -> Array:
    """k [K] from {from, to, points, spacing: linear or log, through: points besides}."""
    ends = options["from"], options["to"], int(options["points"])
    even = np.geomspace(*ends) if options["spacing"] == "log" else np.linspace(*ends)
    return np.union1d(even, options.get("through", []))


def as_tensor(k: Array) -> Tensor:
    """k in single precision, [K]."""
    return torch.tensor(k, dtype=torch.float32)
