"""A conjugate model of two data whose posterior is in q's family, and parameters of q near it."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from reparam.distributions import Normal
from reparam.program import Params


def at_posterior(params: Params, sample: Any) -> Tensor:
    """Two data; z ~ N(0, 1), x | z ~ N(z, 1), and q the posterior N(x/2, 1/2) at its parameters."""
    x = params["loc"].new_tensor([[0.6], [-1.4]])
    q = Normal(params["loc"], params["log_scale"].exp())
    z = sample("z", q)
    one = torch.ones_like(z)
    return Normal(0 * z, one).log_prob(z) + Normal(z, one).log_prob(x) - q.log_prob(z)


POSTERIOR = {
    "loc": torch.tensor([[0.3], [-0.7]], dtype=torch.float64),
    "log_scale": torch.full((2, 1), -0.5 * math.log(2), dtype=torch.float64),
}


NEAR = {"loc": POSTERIOR["loc"] + 0.1, "log_scale": POSTERIOR["log_scale"] + 0.3}
