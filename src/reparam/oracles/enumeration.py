"""Exact expectations of programs whose sites are all bits, by summing over every state."""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor

from reparam.program import Choose, Params, Program, run


def expectation(program: Program, params: Params) -> Tensor:
    """E[value] in the plate's shape, differentiable in `params` by ordinary autograd.

    Every site must be a vector of bits with `probs`. States are summed one at a time, with their mass
    written out from `probs`: nothing is shared with the estimators or with the laws' own densities.
    """
    shapes = _event_shapes(program, params)
    total = torch.zeros(())
    for bits in product((0.0, 1.0), repeat=sum(shape.numel() for shape in shapes.values())):
        flat, states, start = torch.tensor(bits), {}, 0
        for name, shape in shapes.items():
            states[name] = flat[start : start + shape.numel()].reshape(shape)
            start += shape.numel()
        trace = run(program, params, _states(states))
        mass = torch.ones_like(trace.value)
        for site in trace.latent.values():
            p = site.law.probs
            entries = torch.where(site.z > 0, p, 1 - p)
            event = entries.flatten(entries.ndim - site.law.event_dims).prod(-1)
            mass = mass * event[(..., *(None,) * (mass.ndim - event.ndim))]
        total = total + mass * trace.value
    return total


def _event_shapes(program: Program, params: Params) -> dict[str, torch.Size]:
    trace = run(program, params, lambda name, law: torch.zeros(law.shape).to(law.probs))
    return {name: site.law.probs.shape[len(site.law.plate) :] for name, site in trace.latent.items()}


def _states(states: dict[str, Tensor]) -> Choose:
    return lambda name, law: states[name].to(law.probs).expand(law.shape)
