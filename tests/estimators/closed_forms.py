"""Programs of laws made of gamma variables whose expectations have closed forms, and the comparison with these."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from scipy.stats import norm
from torch import Tensor

from reparam import Beta, Dirichlet, Gamma
from reparam.measure.moments import Moments
from reparam.program import Program

BOUND = norm.isf(5e-9)
"""Each comparison has a false-alarm rate of 1e-8; all of a file's have less than 1e-6."""


def agree(moments: Moments, exact: Mapping[str, Tensor]) -> None:
    for name, truth in exact.items():
        z = (moments.mean[name] - truth) / moments.standard_error[name]
        assert (z.abs() < BOUND).all(), (name, z)


def gamma_program(offset: float) -> Program:
    def program(params, sample):
        z = sample("z", Gamma(params["shape"], params["rate"]))
        return (z.log() + 0.2 * z).sum(-1) + offset

    return program


def gamma_gradients(shape: Tensor, rate: Tensor) -> dict[str, Tensor]:
    """Those of E[log z + z/5] = ψ(α) − log β + α/(5 β)."""
    return {"shape": torch.polygamma(1, shape) + 0.2 / rate, "rate": -1 / rate - 0.2 * shape / rate**2}


def beta_program(params, sample):
    z = sample("z", Beta(params["a"], params["b"]))
    return (z.log() + z).sum(-1)


def beta_value(params: Mapping[str, Tensor]) -> Tensor:
    """E[log z + z]."""
    a, b = params["a"], params["b"]
    return (torch.digamma(a) - torch.digamma(a + b) + a / (a + b)).sum()


def dirichlet_program(params, sample):
    z = sample("z", Dirichlet(params["concentration"]))
    return (z.log() * _WEIGHTS + z * _WEIGHTS.flip(-1)).sum(-1)


def dirichlet_value(params: Mapping[str, Tensor]) -> Tensor:
    """E[Σ w log z + v z]."""
    alpha = params["concentration"]
    total = alpha.sum(-1, keepdim=True)
    logs = torch.digamma(alpha) - torch.digamma(total)
    return (logs * _WEIGHTS + alpha / total * _WEIGHTS.flip(-1)).sum()


def _doubles(*values: object) -> list[Tensor]:
    return [torch.tensor(value, dtype=torch.float64) for value in values]


_WEIGHTS, _A, _B, _CONCENTRATION = _doubles(
    [1.0, -0.5, 2.0], [0.3, 2.0, 40.0], [1.0, 0.5, 9.0], [[0.4, 2.0, 7.0], [1.0, 1.0, 0.2]]
)
SHARES: list[tuple[Program, Callable[[Mapping[str, Tensor]], Tensor], dict[str, Tensor]]] = [
    (beta_program, beta_value, {"a": _A, "b": _B}),
    (dirichlet_program, dirichlet_value, {"concentration": _CONCENTRATION}),
]
"""(program, E[f], parameters) of laws that are shares of gamma variables."""
