"""Exact objectives of programs with few states, whatever their sites: enumeration and quadrature.

Each is a tensor in the plate's shape, differentiable in `params` by ordinary autograd; laws in any mix and any number
of layers (see `reparam.oracles.states`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from reparam.oracles.states import NODES, Table, table, tuples
from reparam.program import Params, Program


def expectation(program: Program, params: Params, nodes: int = NODES) -> Tensor:
    """E[f], for the program's value f."""
    states = table(program, params, nodes)
    return (states.mass * states.value).sum(0)


def bound(program: Program, params: Params, samples: int, nodes: int = NODES) -> Tensor:
    """E[log 1/K Σ_k exp f_k] over K = `samples` independent copies of all sites (Burda et al. 2016, Eq. 8).

    All states^K tuples are summed.
    """
    states = _tuples(table(program, params, nodes), samples)
    bounds = states.value.logsumexp(1) - math.log(samples)
    return (states.mass.prod(1) * bounds).sum(0)


def wake(program: Program, params: Params, samples: int, nodes: int = NODES) -> Tensor:
    """The value of `bound` with the derivative E[Σ_k w̃_k (∇ log p_k + ∇ log q_k)] (Bornschein & Bengio 2015).

    For a program whose value is log p − log q, with q the density of its sites; w̃ are the normalised weights of K
    copies. The target of reweighted wake-sleep: p follows the gradient of the bound, q that of its wake phase.
    """
    states = _tuples(table(program, params, nodes), samples)
    weights = states.value.detach().softmax(1)
    terms = (weights * (states.value + 2 * states.log_q)).sum(1)
    surrogate = (states.mass.prod(1).detach() * terms).sum(0)
    return bound(program, params, samples, nodes).detach() + surrogate - surrogate.detach()


def model(program: Program, params: Params, samples: int, nodes: int = NODES) -> Tensor:
    """The value of `bound` with the model's part of its derivative, E[Σ_k w̃_k ∇ log p_k] (see `wake`)."""
    states = _tuples(table(program, params, nodes), samples)
    weights = states.value.detach().softmax(1)
    surrogate = (states.mass.prod(1).detach() * (weights * (states.value + states.log_q)).sum(1)).sum(0)
    return bound(program, params, samples, nodes).detach() + surrogate - surrogate.detach()


def combination(
    program: Program, params: Params, parts: Iterable[tuple[float, str, int]], nodes: int = NODES
) -> Tensor:
    """Σ coefficient · objective over parts (coefficient, objective, samples); `samples` are read of all but
    `expectation`."""
    of_samples = {"bound": bound, "wake": wake, "model": model}
    terms = [
        coefficient
        * (
            expectation(program, params, nodes)
            if objective == "expectation"
            else of_samples[objective](program, params, samples, nodes)
        )
        for coefficient, objective, samples in parts
    ]
    return torch.stack(terms).sum(0)


def _tuples(states: Table, samples: int) -> Table:
    """Each entry for all tuples of `samples` states: [states^samples, samples, *plate]."""
    index = tuples(len(states.value), samples)
    return Table(*(entry[index] for entry in states))
