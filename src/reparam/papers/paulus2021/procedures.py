"""Straight-through Gumbel-Softmax and its Rao-Blackwellised form: the quadratic of three categories, and bits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reparam import estimators
from reparam.cells.procedures import Findings, Row, procedure
from reparam.distributions import Bernoulli, OneHotCategorical
from reparam.measure.lattice import lattice_moments
from reparam.measure.moments import begin
from reparam.program import Params, Program, Sample

CENTRE = 1 / 3
PLAIN = "st_gumbel_softmax"


def quadratic_matrix(size: int = 3) -> Tensor:
    """Q with Q_ij = exp(−2 |i − j|), in double precision."""
    index = torch.arange(size, dtype=torch.float64)
    return torch.exp(-2 * (index.unsqueeze(0) - index.unsqueeze(1)).abs())


def quadratic_cost(matrix: Tensor) -> Program:
    """(z − c)ᵀ Q (z − c), c = 1/3, z one-hot with `logits` [points, categories]: value [points]."""

    def cost(params: Params, sample: Sample) -> Tensor:
        z = sample("z", OneHotCategorical(logits=params["toy.logits"])) - CENTRE
        return torch.einsum("...i,ij,...j->...", z, matrix.to(z), z)

    return cost


def simplex(parts: int) -> np.ndarray:
    """The inner points of the lattice of probabilities with this denominator: [points, 3]."""
    return (
        np.array([(i, j, parts - i - j) for i in range(1, parts) for j in range(1, parts - i)], dtype=float)
        / parts
    )


@procedure("quadratic")
def quadratic(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """The trace of the gradient's covariance at points of the simplex, by `draws` draws of the same noise for all.

    Rows by index of the point: p0, p1, p2, log10_trace. Of what is not straight-through Gumbel-Softmax too, at the
    same temperature: reduction, by how much log10_trace is below that one's, and at the last index reduction_least and
    reduction_mean over the points.
    """
    options, method = spec["evaluation"], spec["method"]
    points = simplex(options["parts"])
    params = {"toy.logits": torch.from_numpy(points).log().float()}
    program = quadratic_cost(quadratic_matrix())

    def log_trace(name: str, given: Mapping[str, Any]) -> np.ndarray:
        estimator = estimators.make(name, {**given, "temperature": options["temperature"]})
        axes = (spec["paper"], spec["experiment"], seed)
        moments = begin(estimator, program, params, axes, factorised=False).take(
            options["draws"], compiled=False
        )
        return np.log10(moments.variance["toy.logits"].sum(-1).numpy())

    own = log_trace(method["name"], method["options"])
    columns = {**{f"p{i}": points[:, i] for i in range(3)}, "log10_trace": own}
    summary = {}
    if method["name"] != PLAIN:
        reduction = columns["reduction"] = log_trace(PLAIN, {}) - own
        summary = {"reduction_least": reduction.min(), "reduction_mean": reduction.mean()}
    rows: list[Row] = [
        (index, name, float(value)) for name, column in columns.items() for index, value in enumerate(column)
    ]
    rows += [(len(points) - 1, name, float(value)) for name, value in summary.items()]
    return Findings(rows, {})


@procedure("rao_blackwell")
def rao_blackwell(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """Bits with f(b) = (b − 0.2)³, over a lattice of the noise: against straight-through Gumbel-Softmax.

    Rows by index of (temperature, probability): temperature, probability, mean, plain_mean, variance, plain_variance.
    At the last index too: mean_difference, the largest relative one, and variance_saved, the least of 1 − variance /
    plain_variance.
    """
    options, method = spec["evaluation"], spec["method"]
    p = torch.tensor(options["probabilities"], dtype=torch.float64)
    params = {"bit.logits": torch.logit(p).unsqueeze(-1)}

    def cost(params: Params, sample: Sample) -> Tensor:
        return (sample("b", Bernoulli(logits=params["bit.logits"])).squeeze(-1) - 0.2) ** 3

    found: dict[str, list[float]] = {
        name: []
        for name in ("temperature", "probability", "mean", "plain_mean", "variance", "plain_variance")
    }
    for temperature in options["temperatures"]:
        own = estimators.make(method["name"], {**method["options"], "temperature": temperature})
        plain = estimators.make(PLAIN, {"temperature": temperature})
        found["temperature"] += [temperature] * len(p)
        found["probability"] += p.tolist()
        for prefix, estimator in (("", own), ("plain_", plain)):
            moments = lattice_moments(estimator, cost, params, options["points"])
            found[f"{prefix}mean"] += moments.mean["bit.logits"].squeeze(-1).tolist()
            found[f"{prefix}variance"] += moments.variance["bit.logits"].squeeze(-1).tolist()
    rows: list[Row] = [
        (index, name, value) for name, column in found.items() for index, value in enumerate(column)
    ]
    arrays = {name: np.array(column) for name, column in found.items()}
    difference = np.abs(arrays["mean"] / arrays["plain_mean"] - 1)
    saved = 1 - arrays["variance"] / arrays["plain_variance"]
    last = len(saved) - 1
    rows.append((last, "mean_difference", float(difference.max())))
    rows.append((last, "variance_saved", float(saved.min())))
    return Findings(rows, {})
