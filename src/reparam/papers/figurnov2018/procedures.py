"""The paper's two variance toys, what a constant added to f does to them, and the accuracy of implicit derivatives."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Callable, Mapping
from importlib import resources
from statistics import median
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reparam import estimators
from reparam.cells.procedures import Findings, Row, procedure
from reparam.distributions import Gamma, VonMises
from reparam.distributions.implicit import differentiable_root
from reparam.distributions.incomplete_bessel import velocity as angle_velocity
from reparam.distributions.incomplete_gamma import velocity as log_gamma_velocity
from reparam.errors import ReparamError
from reparam.estimators import Estimator
from reparam.measure import dirichlet_multinomial, points
from reparam.measure.moments import begin
from reparam.program import Params, Program, Sample

TARGET = 2.0
"""Concentration of every target of the von Mises toy, and of all factors of q but the first."""


def von_mises_constant(factors: int) -> float:
    """The constant of −Σ log VM(z_j; 0, 2): what is added to −Σ 2 cos z_j."""
    return factors * math.log(2 * math.pi * np.i0(TARGET))


def von_mises(constant: Tensor | float, factors: int) -> Program:
    """E_q[constant − Σ_j 2 cos z_j], in nats, for q(z₁) = VM(0, params["q.first"]): a plate of toys that share the
    other factors."""

    def cross_entropy(params: Params, sample: Sample) -> Tensor:
        first = params["q.first"]
        value = (
            constant - TARGET * sample("first", VonMises(torch.zeros_like(first), first, event_dims=0)).cos()
        )
        if factors == 1:
            return value
        kappa = torch.full((factors - 1,), TARGET).to(first)
        return (
            value
            - TARGET * sample("rest", VonMises(torch.zeros_like(kappa), kappa, event_dims=1)).cos().sum()
        )

    return cross_entropy


def von_mises_exact(
    estimator: Estimator, first: Tensor, constant: Tensor, factors: int
) -> tuple[Tensor, Tensor]:
    """(mean, variance) of one estimate for every φ of `first` [P], by quadrature over its noise.

    The other factors add their mean to f, and their variance times that of the factor of f in the estimate. Raises
    ReparamError as `points.of_site` does.
    """
    law = VonMises(torch.zeros_like(first), first, event_dims=0)
    mean, square = _cosine()
    noise, weight = points.of_site(estimator, law)
    shifted = constant - TARGET * (factors - 1) * mean
    found, moved = (
        points.estimates(estimator, von_mises(c, 1), {"q.first": first}, {"first": noise})["q.first"]
        for c in (shifted, shifted + 1)
    )
    first_moment, spread = points.moments(found, weight)
    others = TARGET**2 * (factors - 1) * (square - mean**2)
    return first_moment, spread + others * (weight * (moved - found).square()).sum(0)


def _cosine() -> tuple[float, float]:
    """E[cos z] and E[cos² z] under a target."""
    angle = np.linspace(-np.pi, np.pi, 400, endpoint=False)
    mass = np.exp(TARGET * np.cos(angle))
    return float(np.average(np.cos(angle), weights=mass)), float(np.average(np.cos(angle) ** 2, weights=mass))


@procedure("variance")
def variance(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """Fig 1: the variance of one estimate of the first component of the gradient.

    At every φ of `first`, or with every constant of `constants` (nats, added to the f without any; `normalised` is the
    paper's) at the only φ. Rows at step = index: phi, constant; mean and variance over `draws` draws; mean_true; and
    where the noise of an entry is one number variance_exact, by quadrature. At step 0: constant_normalised, and
    variance_range, the largest exact variance less the smallest.
    """
    options = spec["evaluation"]
    estimator = estimators.make(spec["method"]["name"], spec["method"]["options"])
    factors = options.get("factors", 0)
    dirichlet, given = options["toy"] == "dirichlet", options["constants"]
    normalised = dirichlet_multinomial.normalised() if dirichlet else von_mises_constant(factors)
    constants = [normalised] if given == "normalised" else given
    count = max(len(options["first"]), len(constants))
    first = torch.tensor(options["first"], dtype=torch.float64).expand(count).contiguous()
    constant = torch.tensor(constants, dtype=torch.float64).expand(count)
    if dirichlet:
        program, truth = dirichlet_multinomial.program(constant), dirichlet_multinomial.gradient(first)
    else:
        program, truth = von_mises(constant, factors), -TARGET * _slope_of_mean_cosine(first)
    axes = (spec["paper"], spec["experiment"], seed)
    found = begin(estimator, program, {"q.first": first}, axes).take(options["draws"])
    columns = {
        "phi": first,
        "constant": constant,
        "mean": found.mean["q.first"],
        "mean_true": truth,
        "variance": found.variance["q.first"],
    }
    exact = _exact(estimator, options["toy"], first, constant, factors)
    if exact is not None:
        columns["variance_exact"] = exact
    rows: list[Row] = [(0, "constant_normalised", normalised)]
    if exact is not None:
        rows.append((0, "variance_range", (exact.max() - exact.min()).item()))
    rows += [(i, name, column[i].item()) for i in range(count) for name, column in columns.items()]
    return Findings(rows, {})


def _exact(estimator: Estimator, toy: str, first: Tensor, constant: Tensor, factors: int) -> Tensor | None:
    """The exact variances; None for an estimator with more than one number of noise for an entry."""
    try:
        if toy == "dirichlet":
            return dirichlet_multinomial.exact(estimator, first, constant)[1]
        return von_mises_exact(estimator, first, constant, factors)[1]
    except ReparamError:
        return None


def _slope_of_mean_cosine(kappa: Tensor) -> Tensor:
    """A'(κ) = 1 − A/κ − A², A = I₁(κ)/I₀(κ)."""
    ratio = torch.special.i1e(kappa) / torch.special.i0e(kappa)
    return 1 - ratio / kappa - ratio.square()


Derivative = Callable[[Tensor, Tensor], Tensor]
"""(parameter, sample) → d sample / d parameter at constant probability, entry by entry."""


def _law(name: str, parameter: Tensor) -> Gamma | VonMises:
    if name == "gamma":
        return Gamma(parameter, torch.ones_like(parameter), event_dims=0)
    return VonMises(torch.zeros_like(parameter), parameter, event_dims=0)


def _velocity(law: str) -> Derivative:
    """Of the library's own samples: the derivative that `pathwise` follows."""
    if law == "gamma":
        return lambda alpha, z: z * (1 / alpha + log_gamma_velocity((z / alpha).log(), alpha)[0])
    return lambda kappa, z: z.sign() * angle_velocity(z.abs(), kappa)[0]


def _differentiated_cdf(law: str) -> Derivative:
    """Automatic differentiation of the library's CDF: what the estimator `implicit` does."""

    def derivative(parameter: Tensor, z: Tensor) -> Tensor:
        leaf = parameter.clone().requires_grad_()
        return torch.autograd.grad(differentiable_root(_law(law, leaf).cdf, z).sum(), leaf)[0]

    return derivative


def _finite_difference(law: str) -> Derivative:
    """Central differences of the same CDF, over steps of ε^(1/3) of the parameter."""

    def derivative(parameter: Tensor, z: Tensor) -> Tensor:
        step = parameter * torch.finfo(parameter.dtype).eps ** (1 / 3)
        above, below = (_law(law, parameter + side * step).cdf(z) for side in (1, -1))
        return -(above - below) / (2 * step) / _law(law, parameter).log_prob(z).exp()

    return derivative


METHODS: dict[str, Callable[[str], Derivative]] = {
    "pathwise": _velocity,
    "implicit": _differentiated_cdf,
    "finite_difference": _finite_difference,
    "torch": lambda law: torch._standard_gamma_grad,
}


@procedure("derivative")
def derivative(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """Table 2: dz/dα of gamma and dz/dκ of von Mises variables against mpmath (references.csv), by method (`METHODS`).

    Rows: at step 0 error, the mean absolute error, and error_max; at step = index parameter and error_at, the mean at
    that parameter. At step 0, and as an array for figures, seconds of the processor for one value, the median of a few
    timings.
    """
    options = spec["evaluation"]
    law, dtype = options["law"], getattr(torch, options["dtype"])
    parameter, sample, truth = references(law)
    method = METHODS[spec["method"]["name"]](law)
    narrow = parameter.to(dtype), sample.to(dtype)
    error = (method(*narrow).double() - truth).abs()
    rows: list[Row] = [(0, "error", error.mean().item()), (0, "error_max", error.max().item())]
    for i, value in enumerate(parameter.unique().tolist()):
        rows += [(i, "parameter", value), (i, "error_at", error[parameter == value].mean().item())]
    many = tuple(p.repeat(-(-options["timed"] // len(p))) for p in narrow)
    seconds = median(_seconds(method, *many) for _ in range(options["timings"])) / len(many[0])
    rows.append((0, "seconds", seconds))
    return Findings(rows, {"seconds": np.array(seconds)})


def references(law: str) -> tuple[Tensor, Tensor, Tensor]:
    """(parameter, sample, derivative) of the law, [N] each in double precision; see tools/implicit_references.py."""
    with resources.files(__package__).joinpath("references.csv").open(encoding="utf-8") as file:
        table = [row for row in csv.DictReader(file) if row["law"] == law]
    columns = [[float(row[name]) for row in table] for name in ("parameter", "sample", "derivative")]
    first, second, third = torch.tensor(columns, dtype=torch.float64)
    return first, second, third


def _seconds(method: Derivative, parameter: Tensor, sample: Tensor) -> float:
    begun = time.process_time()
    method(parameter, sample)
    return time.process_time() - begun
