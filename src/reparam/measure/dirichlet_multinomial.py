"""The Dirichlet–multinomial toy of Naesseth et al. 2017 and Figurnov et al. 2018: one concentration is looked at.

K = 100 categories, N = 100 counts, a uniform prior. The posterior is Dir(1 + x); q is that law with another first
concentration φ. A Dirichlet vector is gamma variables over their sum, and everything is written for these, so that
any estimator for gamma variables applies, draw by draw as for the Dirichlet law itself. The gamma variables of the
categories without counts enter only by their sum, which is one of them.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from reparam.distributions import Gamma
from reparam.estimators import Estimator
from reparam.measure import points
from reparam.program import Params, Program, Sample

CATEGORIES = COUNTS = 100


def data() -> Tensor:
    """The counts x [100] of the notebook of Naesseth et al. 2017, by numpy's legacy generator as there; x₁ is 1."""
    source = np.random.RandomState(0)
    return torch.tensor(
        source.multinomial(COUNTS, source.dirichlet(np.ones(CATEGORIES))), dtype=torch.float64
    )


def normalised() -> float:
    """The constant of −log Dir(z; 1 + x): what is added to −Σ x_k log z_k."""
    return -math.lgamma(CATEGORIES + COUNTS) + torch.lgamma(1 + data()).sum().item()


def log_joint() -> float:
    """The constant of −log p(x, z): the multinomial coefficient and the prior's constant, negative."""
    constant = math.lgamma(COUNTS + 1) + math.lgamma(CATEGORIES)
    return -constant + torch.lgamma(1 + data()).sum().item()


def program(constant: Tensor | float) -> Program:
    """E_q[constant − Σ_k x_k log z_k], in nats, for params["q.first"] φ: a plate of toys that share the other gammas.

    `constant` broadcasts to the plate.
    """
    x = data()
    rest = x[1:][x[1:] > 0]
    shapes = torch.cat([1 + rest, (x[1:] == 0).sum().reshape(1)])

    def cross_entropy(params: Params, sample: Sample) -> Tensor:
        first = params["q.first"]
        g = sample("first", Gamma(first, torch.ones_like(first), event_dims=0))
        others = sample("rest", Gamma(shapes.to(g), torch.ones_like(shapes).to(g), event_dims=1))
        logs = x[0] * g.log() + (rest.to(g) * others[:-1].log()).sum()
        return constant - logs + COUNTS * (g + others.sum()).log()

    return cross_entropy


def gradient(first: Tensor) -> Tensor:
    """∂E[f]/∂φ = N ψ'(φ + Σ of the other concentrations) − x₁ ψ'(φ), entry by entry."""
    x = data()
    total = first + (1 + x[1:]).sum()
    return COUNTS * torch.polygamma(1, total) - x[0] * torch.polygamma(1, first)


def exact(estimator: Estimator, first: Tensor, constant: Tensor) -> tuple[Tensor, Tensor]:
    """(mean, variance) of one estimate for every φ of `first` [P], by quadrature over its noise.

    Of the other gamma variables f has Σ x_k log p_k, p their shares, and the logarithm of their sum R: independent, the
    first with moments in closed form. It is no function of φ, so it adds its variance times that of the factor of f in
    the estimate, which is the change of the estimate with the constant. Raises ReparamError as `points.of_site` does.
    """
    x = data()
    rest, shapes = x[1:], 1 + x[1:]
    total = shapes.sum()
    mean = (rest * (torch.digamma(shapes) - torch.digamma(total))).sum()
    variance = (rest.square() * torch.polygamma(1, shapes)).sum() - rest.sum().square() * torch.polygamma(
        1, total
    )
    sums, mass = _sums(total.item())
    plate = first.unsqueeze(-1).expand(-1, len(sums)).contiguous()
    constant = torch.as_tensor(constant, dtype=plate.dtype).expand(first.shape).unsqueeze(-1)

    def of_two(constant: Tensor) -> Program:
        def cross_entropy(params: Params, sample: Sample) -> Tensor:
            phi = params["q.first"]
            g = sample("first", Gamma(phi, torch.ones_like(phi), event_dims=0))
            logs = x[0] * g.log() + mean + rest.sum() * sums.log()
            return constant - logs + COUNTS * (g + sums).log()

        return cross_entropy

    law = Gamma(plate, torch.ones_like(plate), event_dims=0)
    noise, weight = points.of_site(estimator, law)
    found, moved = (
        points.estimates(estimator, of_two(c), {"q.first": plate}, {"first": noise})["q.first"]
        for c in (constant, constant + 1)
    )
    weight = (weight * mass).transpose(1, 2).flatten(0, 1)
    found, factor = (e.transpose(1, 2).flatten(0, 1) for e in (found, moved - found))
    first_moment, spread = points.moments(found, weight)
    return first_moment, spread + variance * (weight * factor.square()).sum(0)


def _sums(shape: float) -> tuple[Tensor, Tensor]:
    """Points and weights for a gamma variable of a large shape: its logarithm is nearly normal, so the trapezoidal rule
    in the logarithm converges exponentially."""
    log_sum = math.log(shape) + torch.arange(-8.0, 8.5, dtype=torch.float64) / math.sqrt(shape)
    log_mass = shape * log_sum - log_sum.exp()
    return log_sum.exp(), (log_mass - log_mass.logsumexp(0)).exp()
