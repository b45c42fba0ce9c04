"""Exact means and variances of single gradient estimates, by enumeration and quadrature.

The gradient is that of Σ_plate f. Given the parameters data are independent, so that the variance of an entry is the
sum over data of its variances; programs with a site shared by the plate are refused.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from reparam.errors import ReparamError
from reparam.oracles.states import NODES, Table, first_states, is_density, table, tuples
from reparam.program import Params, Program

Gradients = dict[str, Tensor]


class Moments(NamedTuple):
    """Of one estimate, for every entry of every parameter."""

    mean: Gradients
    variance: Gradients


def score_function(
    program: Program, params: Params, baseline: float = 0.0, samples: int = 1, nodes: int = NODES
) -> Moments:
    """Of the mean over independent samples of (f − b) ∇ log q + ∇ f, with a constant b."""
    states, value, log_q = _slopes(program, params, nodes)
    one = _moments(
        {name: _times(states.value - baseline, log_q[name]) + value[name] for name in params}, states.mass
    )
    return Moments(one.mean, {name: variance / samples for name, variance in one.variance.items()})


def leave_one_out(program: Program, params: Params, samples: int = 2, nodes: int = NODES) -> Moments:
    """Of 1/K Σ_k (f_k − mean of the other f) ∇ log q_k + ∇ f_k, over all tuples of K = `samples` states."""
    states, value, log_q = _slopes(program, params, nodes)
    index = tuples(len(states.value), samples)
    f = states.value[index]
    advantage = f - (f.sum(1, keepdim=True) - f) / (samples - 1)
    return _moments(
        {name: (_times(advantage, log_q[name][index]) + value[name][index]).mean(1) for name in params},
        states.mass[index].prod(1),
    )


def pathwise(program: Program, params: Params, nodes: int = NODES) -> Moments:
    """Of ∇ f(g(ε)), for programs whose sites all have densities; g takes the points of the quadrature along.

    Raises ReparamError for a discrete site.
    """
    for name, site in first_states(program, params).latent.items():
        if not is_density(site.law):
            raise ReparamError(f"sample site {name!r} is discrete and has no differentiable path")
    states, value, _ = _slopes(program, params, nodes, follow=True)
    return _moments(value, states.mass)


def _slopes(
    program: Program, params: Params, nodes: int, follow: bool = False
) -> tuple[Table, Gradients, Gradients]:
    """All states, and ∇ f and ∇ log q at each: {parameter: [states, *plate, *parameter]}."""
    trace = first_states(program, params)
    for name, site in trace.latent.items():
        if site.law.plate != tuple(trace.value.shape):
            raise ReparamError(f"sample site {name!r} is shared by the plate: its data are not independent")

    def entries(params: Params) -> tuple[tuple[Tensor, Tensor], Table]:
        states = table(program, params, nodes, follow)
        return (states.value, states.log_q), states

    (value, log_q), states = torch.func.jacrev(entries, has_aux=True)(dict(params))
    return states, value, log_q


def _times(factor: Tensor, slopes: Tensor) -> Tensor:
    """factor [..., *plate] · slopes [..., *plate, *parameter]."""
    return factor.reshape(*factor.shape, *(1,) * (slopes.ndim - factor.ndim)) * slopes


def _moments(estimates: Gradients, mass: Tensor) -> Moments:
    """Of the estimates [states, *plate, *parameter] of every state with this mass [states, *plate]."""
    mean, variance = {}, {}
    plate = tuple(range(mass.ndim - 1))
    for name, estimate in estimates.items():
        first = _times(mass, estimate).sum(0)
        second = _times(mass, estimate.square()).sum(0)
        mean[name] = first.sum(plate) if plate else first
        variance[name] = (second - first.square()).sum(plate) if plate else second - first.square()
    return Moments(mean, variance)
