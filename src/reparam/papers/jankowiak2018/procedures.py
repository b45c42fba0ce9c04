"""Cholesky against optimal transport on a bivariate normal law, transport equations, and Beta variables."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reparam import estimators
from reparam.cells.procedures import Findings, Row, procedure
from reparam.distributions import Beta, MultivariateNormal, OMTMultivariateNormal
from reparam.distributions.incomplete_gamma import velocity as log_gamma_velocity
from reparam.engine.gradient import prepare
from reparam.estimators import Estimator
from reparam.measure import points
from reparam.measure.moments import begin
from reparam.program import Params, Program, Sample

LAWS = {"cholesky": MultivariateNormal, "transport": OMTMultivariateNormal}
NODES = 110, 40
"""Quadrature points of the two normal numbers: the first has frequencies up to 7.25 in cos(w·z)."""


def factor(theta: Tensor) -> Tensor:
    """L = [[1, 0], [θ, 1]]: [P] → [P, 2, 2]."""
    one, zero = torch.ones_like(theta), torch.zeros_like(theta)
    return torch.stack([torch.stack([one, zero], -1), torch.stack([theta, one], -1)], -2)


def program(law: str) -> Program:
    """E[cos(z₁ + z₂)] for z ~ N(0, L Lᵀ), L₂₁ = params["q.theta"] θ [P]."""

    def cosine(params: Params, sample: Sample) -> Tensor:
        scale = factor(params["q.theta"])
        z = sample("z", LAWS[law](torch.zeros_like(scale[..., 0]), scale_tril=scale))
        return z.sum(-1).cos()

    return cosine


def mean_gradient(theta: Tensor) -> Tensor:
    """∂/∂θ E[cos(z₁ + z₂)] = −(1 + θ) exp(−½ − ½ (1 + θ)²)."""
    return -(1 + theta) * torch.exp(-0.5 - (1 + theta).square() / 2)


def exact(estimator: Estimator, law: str, theta: Tensor) -> tuple[Tensor, Tensor] | None:
    """(mean, variance) of one estimate at every θ [P], by Gauss–Hermite quadrature over its noise.

    None for an estimator whose noise is not the law's two normal numbers.
    """
    noise = estimator.noise(prepare(estimator, program(law), {"q.theta": theta}))
    if set(noise["z"]) != {"normal"} or noise["z"]["normal"].copies not in (None, 1):
        return None
    (first, first_weight), (second, second_weight) = (points.normal(count) for count in NODES)
    pairs = torch.cartesian_prod(first, second)
    weight = torch.cartesian_prod(first_weight, second_weight).prod(-1)
    axes = () if noise["z"]["normal"].copies is None else (1,)
    normal = pairs.reshape(-1, *axes, 1, 2).expand(-1, *axes, len(theta), 2)
    found = points.estimates(estimator, program(law), {"q.theta": theta}, {"z": {"normal": normal}})
    return points.moments(found["q.theta"], weight)


@procedure("bivariate")
def bivariate(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """The variance of one estimate of ∂/∂L₂₁ E[cos(z₁ + z₂)], by θ = L₂₁ and by the law's path (`evaluation.law`).

    Rows at step = index: theta, mean_true; mean_sampled and variance_sampled over `draws` draws; and where the noise is
    two normal numbers mean and variance by quadrature. At step 0 then: variance_least, and theta_least where it is.
    """
    options = spec["evaluation"]
    low, high, step = options["theta"]
    theta = torch.arange(low, high + step / 2, step, dtype=torch.float64)
    estimator = estimators.make(spec["method"]["name"], spec["method"]["options"])
    axes = (spec["paper"], spec["experiment"], seed)
    sampled = begin(estimator, program(options["law"]), {"q.theta": theta}, axes).take(options["draws"])
    columns = {
        "theta": theta,
        "mean_true": mean_gradient(theta),
        "mean_sampled": sampled.mean["q.theta"],
        "variance_sampled": sampled.variance["q.theta"],
    }
    rows: list[Row] = []
    moments = exact(estimator, options["law"], theta)
    if moments is not None:
        columns["mean"], columns["variance"] = moments
        least = int(moments[1].argmin())
        rows += [(0, "variance_least", moments[1][least].item()), (0, "theta_least", theta[least].item())]
    rows += [(i, name, column[i].item()) for i in range(len(theta)) for name, column in columns.items()]
    return Findings(rows, {})


Velocity = Callable[[Tensor, Tensor], Tensor]
"""(parameter, sample [..., D]) → dz/dφ [..., D] of the library's path through that sample."""


def gamma_velocity(alpha: Tensor, z: Tensor) -> Tensor:
    return z * (1 / alpha + log_gamma_velocity((z / alpha).log(), alpha)[0])


def gamma_log_density(alpha: Tensor, z: Tensor) -> Tensor:
    return ((alpha - 1) * z.log() - z - torch.lgamma(alpha)).squeeze(-1)


def normal_velocity(law: str) -> Velocity:
    def velocity(theta: Tensor, z: Tensor) -> Tensor:
        noise = torch.linalg.solve_triangular(factor(theta), z.unsqueeze(-1), upper=False).squeeze(-1)

        def path(theta: Tensor) -> Tensor:
            return LAWS[law](torch.zeros(2, dtype=z.dtype), scale_tril=factor(theta)).path({"normal": noise})

        return torch.func.jvp(path, (theta,), (torch.ones_like(theta),))[1]

    return velocity


def normal_log_density(theta: Tensor, z: Tensor) -> Tensor:
    standard = torch.linalg.solve_triangular(factor(theta), z.unsqueeze(-1), upper=False).squeeze(-1)
    return -standard.square().sum(-1) / 2 - math.log(2 * math.pi)


DENSITIES = {
    "gamma": (gamma_velocity, gamma_log_density),
    "cholesky": (normal_velocity("cholesky"), normal_log_density),
    "transport": (normal_velocity("transport"), normal_log_density),
}


def residual(velocity: Velocity, log_density: Velocity, parameter: Tensor, z: Tensor) -> Tensor:
    """∂ log q/∂φ + v·∇ log q + ∇·v at z [D]: 0 where v solves the transport equation ∂q/∂φ + ∇·(q v) = 0.

    The divergence is a fourth-order difference quotient, which rounds at about 1e-11.
    """
    by_parameter = torch.func.grad(log_density)(parameter, z)
    by_sample = torch.func.grad(log_density, argnums=1)(parameter, z)
    step, divergence = 1e-3 * z.abs().max(), torch.zeros((), dtype=z.dtype)
    for i, one in enumerate(torch.eye(len(z), dtype=z.dtype)):
        v = [velocity(parameter, z + k * step * one)[i] for k in (-2, -1, 1, 2)]
        divergence = divergence + (v[0] - 8 * v[1] + 8 * v[2] - v[3]) / (12 * step)
    return by_parameter + velocity(parameter, z) @ by_sample + divergence


@procedure("transport_equation")
def transport_equation(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """Whether the paths' velocities solve the transport equation, for gamma and bivariate normal variables.

    Rows at step 0: residual/<path>, the largest |∂ log q/∂φ + v·∇ log q + ∇·v| over the given parameters and samples.
    """
    rows: list[Row] = []
    for name, (velocity, log_density) in DENSITIES.items():
        options = spec["evaluation"]["gamma" if name == "gamma" else "normal"]
        worst = max(
            residual(
                velocity,
                log_density,
                torch.tensor(parameter, dtype=torch.float64),
                torch.tensor(z, dtype=torch.float64).reshape(-1),
            )
            .abs()
            .item()
            for parameter in options["parameters"]
            for z in options["samples"]
        )
        rows.append((0, f"residual/{name}", worst))
    return Findings(rows, {})


@procedure("beta")
def beta(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """The variance of pathwise gradients of E[z] for z ~ Beta(α, β) in α, over that of the cell's estimator.

    Rows at step = index of `alpha`: alpha, variance of the cell's estimator, ratio. At step 0: slope, that of the ratio
    against ln α by least squares.
    """
    options = spec["evaluation"]
    alpha = torch.tensor(options["alpha"], dtype=torch.float64)

    def mean(params: Params, sample: Sample) -> Tensor:
        other = torch.full_like(params["q.alpha"], options["beta"])
        return sample("z", Beta(params["q.alpha"], other, event_dims=0))

    axes = (spec["paper"], spec["experiment"], seed)
    pathwise, own = (
        begin(estimators.make(name, given), mean, {"q.alpha": alpha}, axes)
        .take(options["draws"])
        .variance["q.alpha"]
        for name, given in (("pathwise", {}), (spec["method"]["name"], spec["method"]["options"]))
    )
    ratio = (pathwise / own).numpy()
    slope = float(np.polyfit(alpha.log().numpy(), ratio, 1)[0])
    rows: list[Row] = [(0, "slope", slope)]
    for i in range(len(alpha)):
        rows += [(i, "alpha", alpha[i].item()), (i, "variance", own[i].item()), (i, "ratio", float(ratio[i]))]
    return Findings(rows, {})
