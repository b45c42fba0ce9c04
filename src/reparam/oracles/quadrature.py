"""Expectations of programs whose sites are all Normal, by Gauss–Hermite quadrature."""

from __future__ import annotations

from itertools import product

import numpy as np
import torch
from torch import Tensor

from reparam.program import Choose, Params, Program, run


def expectation(program: Program, params: Params, nodes: int = 24) -> Tensor:
    """E[value] in the plate's shape, differentiable in `params` by ordinary autograd.

    A product rule with `nodes` points per latent dimension, so it is for a few dimensions only; exact for
    polynomials in z of degree below 2 · nodes, whatever the number of layers.
    """
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    weights = weights / weights.sum()
    trace = run(program, params, lambda name, law: law.loc.expand(law.shape))
    shapes = {name: site.z.shape[len(site.law.plate) :] for name, site in trace.latent.items()}
    total = torch.zeros(())
    for index in product(range(nodes), repeat=sum(shape.numel() for shape in shapes.values())):
        flat, standard, start = torch.tensor(points[list(index)]), {}, 0
        for name, shape in shapes.items():
            standard[name] = flat[start : start + shape.numel()].reshape(shape)
            start += shape.numel()
        trace = run(program, params, _nodes(standard))
        total = total + float(np.prod(weights[list(index)])) * trace.value
    return total


def _nodes(standard: dict[str, Tensor]) -> Choose:
    return lambda name, law: law.loc + law.scale * standard[name].to(law.loc)
