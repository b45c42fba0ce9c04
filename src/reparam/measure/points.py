"""Moments of an estimate by quadrature over its noise: the estimator itself, at points instead of draws."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from reparam.distributions import Gamma, VonMises
from reparam.engine.diagnosis import lifted
from reparam.engine.gradient import estimate_gradient, prepare
from reparam.errors import ReparamError
from reparam.estimators import Estimator
from reparam.noise import Noise
from reparam.program import Params, Program, Site

REACH = 10.0
"""Where a standard normal proposal is cut off: beyond it lies a mass of 1e-23."""


def of_site(estimator: Estimator, law: Gamma | VonMises) -> tuple[dict[str, Tensor], Tensor]:
    """(noise by role [C, 1, *shape, …], weights [C, *shape]) of the law's entries, each at the same points.

    For estimators of one sample whose noise for an entry is one number: a uniform, or RSVI's proposal (accepted at once
    and weighted by the density of accepted noise, which the law itself gives). Raises ReparamError for others.
    """
    roles = estimator.noise({"site": Site(law, law.mean)})["site"]
    if set(roles) == {"uniform"}:
        point, weight = uniform()
        point, weight = (
            p.reshape(-1, *(1,) * len(law.shape)).expand(-1, *law.shape) for p in (point, weight)
        )
        return {"uniform": point.unsqueeze(1)}, weight
    if "accept" not in roles or "boost" in roles:
        raise ReparamError(f"{type(estimator).__name__} has more than one number of noise for an entry")
    if isinstance(law, VonMises):
        role = "angle"
        point, weight = interval(torch.zeros(law.shape, dtype=torch.float64), torch.ones(law.shape))
    else:
        role, least = "proposal", -(9 * law.concentration.detach() - 3).sqrt()
        point, weight = interval(least.expand(law.shape), torch.full(law.shape, REACH))
    noise = {name: torch.full((len(point), *spec.shape), 0.25) for name, spec in roles.items()}
    noise[role] = point.unsqueeze(-1).expand(-1, *roles[role].shape)
    noise["accept"] = torch.zeros_like(noise["accept"])
    weight = weight * torch.vmap(lambda one: law.accept(one).log_density)(noise).exp()
    return {name: leaf.unsqueeze(1) for name, leaf in noise.items()}, weight / weight.sum(0)


def estimates(estimator: Estimator, program: Program, params: Params, noise: Noise) -> dict[str, Tensor]:
    """The gradient estimates, {parameter: [C, *parameter]}, of an estimator without tunables at given noise.

    Leaves of `noise` are [C, …], in the shapes that the estimator asks for.
    """
    prepare(estimator, program, params)

    def one(point: Noise) -> dict[str, Tensor]:
        return dict(estimate_gradient(estimator, program, dict(params), point, {}, None).gradient)

    with lifted():
        found: dict[str, Tensor] = torch.vmap(one)(noise)
    return found


def moments(entries: Tensor, weight: Tensor) -> tuple[Tensor, Tensor]:
    """(mean, variance) over the first axis of `entries` [C, …], with weights [C] or [C, …] that sum to 1 over it."""
    weight = weight.reshape(*weight.shape, *(1,) * (entries.ndim - weight.ndim))
    mean = (weight * entries).sum(0)
    return mean, (weight * (entries - mean).square()).sum(0)


def uniform(step: float = 0.5) -> tuple[Tensor, Tensor]:
    """Points and weights [C] for a uniform number: the trapezoidal rule for its logit.

    It converges exponentially, also where a function has a logarithm or a power at the ends. ½ is no point.
    """
    logit = torch.arange(-34 + step / 2, 34, step, dtype=torch.float64)
    weight = torch.sigmoid(logit) * torch.sigmoid(-logit)
    return torch.sigmoid(logit), weight / weight.sum()


def normal(count: int = 40) -> tuple[Tensor, Tensor]:
    """Points and weights [C] of Gauss–Hermite quadrature for a standard normal number."""
    points, weights = np.polynomial.hermite_e.hermegauss(count)
    return torch.tensor(points), torch.tensor(weights / weights.sum())


def interval(low: Tensor, high: Tensor, count: int = 301) -> tuple[Tensor, Tensor]:
    """Points and weights [C, …] of tanh–sinh quadrature of a function on [low, high], which broadcast.

    Its ends may be singular (Takahasi & Mori 1974).
    """
    low, high = torch.broadcast_tensors(low, high)
    t = torch.linspace(-4.0, 4.0, count, dtype=torch.float64).reshape(-1, *(1,) * low.ndim)
    inner = torch.pi / 2 * torch.sinh(t)
    share = torch.sigmoid(2 * inner)
    weight = torch.pi * torch.cosh(t) * share * torch.sigmoid(-2 * inner) * (8.0 / (count - 1))
    return low + (high - low) * share, (high - low) * weight
