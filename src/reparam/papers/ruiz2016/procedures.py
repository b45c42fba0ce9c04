"""G-REP's standardisation of gamma variables, and its variance beside others', exactly."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from reparam import estimators
from reparam.cells.procedures import Findings, Row, procedure
from reparam.distributions import Gamma
from reparam.measure import points
from reparam.program import Params, Program, Sample

OBJECTIVES: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "z": (lambda z: z, torch.ones_like),
    "z_squared": (torch.square, lambda alpha: 2 * alpha + 1),
    "log_z": (torch.log, lambda alpha: torch.polygamma(1, alpha)),
}
"""f, and ∂E[f]/∂α for z ~ Gamma(α, 1)."""


def _law(alpha: Tensor) -> Gamma:
    return Gamma(alpha, torch.ones_like(alpha), event_dims=0)


def program(f: Callable[[Tensor], Tensor]) -> Program:
    def value(params: Params, sample: Sample) -> Tensor:
        return f(sample("z", _law(params["q.alpha"])))

    return value


@procedure("moments")
def moments(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """Mean and variance of one estimate of ∂E[f]/∂α, z ~ Gamma(α, 1), by quadrature over the estimator's noise.

    Rows at step = index of `alpha`: alpha; variance/<f>, and error/<f>, the mean's relative error. Raises ReparamError
    for estimators with more than one number of noise for an entry.
    """
    estimator = estimators.make(spec["method"]["name"], spec["method"]["options"])
    alpha = torch.tensor(spec["evaluation"]["alpha"], dtype=torch.float64)
    noise, weight = points.of_site(estimator, _law(alpha))
    columns = {"alpha": alpha}
    for name, (f, truth) in OBJECTIVES.items():
        found = points.estimates(estimator, program(f), {"q.alpha": alpha}, {"z": noise})
        mean, columns[f"variance/{name}"] = points.moments(found["q.alpha"], weight)
        columns[f"error/{name}"] = mean / truth(alpha) - 1
    rows: list[Row] = [(i, name, c[i].item()) for i in range(len(alpha)) for name, c in columns.items()]
    return Findings(rows, {})


@procedure("standardization")
def standardization(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """ε = (log z − ψ(α)) / √ψ'(α): what the library's G-REP holds fixed, against the formula and its moments.

    Rows at step = index of `alpha`: alpha; path_error, the largest difference of d log z/dα at fixed ε from
    ψ'(α) + ε ψ''(α) / 2√ψ'(α); mean and variance of ε under z's law, by quadrature.
    """
    rows: list[Row] = []
    for i, alpha in enumerate(spec["evaluation"]["alpha"]):
        u, weight = points.uniform()
        leaf = torch.full_like(u, alpha).requires_grad_()
        log_z = _law(leaf).standardize({"uniform": u}).z.log()
        (slope,) = torch.autograd.grad(log_z.sum(), leaf)
        fixed = leaf.detach()
        center, square, bend = torch.digamma(fixed), torch.polygamma(1, fixed), torch.polygamma(2, fixed)
        epsilon = (log_z.detach() - center) / square.sqrt()
        error = (slope - square - epsilon * bend / (2 * square.sqrt())).abs().max().item()
        mean, variance = points.moments(epsilon, weight)
        rows += [(i, "alpha", float(alpha)), (i, "path_error", error)]
        rows += [(i, "mean", mean.item()), (i, "variance", variance.item())]
    return Findings(rows, {})
