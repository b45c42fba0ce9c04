"""Small problems whose gradients are known: Gaussian ones by quadrature, discrete ones by enumeration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from reparam.distributions import Bernoulli, Normal, OneHotCategorical
from reparam.oracles import objectives
from reparam.program import Params, Program, Sample

NODES = 120
"""Of Gauss–Hermite quadrature: exact for the squares, and to rounding for the waves."""


@dataclass(frozen=True)
class Problem:
    """A program without a plate, and ∇ E[f] in the shapes of `params`."""

    program: Program
    params: dict[str, Tensor]
    exact: dict[str, Tensor]
    variances: Mapping[str, dict[str, Tensor]] = field(default_factory=dict)
    """By estimator, the variance that the tutorial's formula gives (T1 §4.1)."""


def gaussian(f: Callable[[Tensor], Tensor], loc: float = 1.0, scale: float = 1.0) -> Problem:
    """f(z) under N(μ, σ²), with respect to μ and σ."""
    params = {"mu": torch.tensor(loc, dtype=torch.float64), "sigma": torch.tensor(scale, dtype=torch.float64)}

    def program(params: Params, sample: Sample) -> Tensor:
        return f(sample("z", Normal(params["mu"], params["sigma"])))

    nodes, weights = (torch.from_numpy(entry) for entry in np.polynomial.hermite_e.hermegauss(NODES))
    weights = weights / weights.sum()
    z = (loc + scale * nodes).requires_grad_()
    value = f(z)
    (slope,) = torch.autograd.grad(value.sum(), z)
    value = value.detach()
    paths = {"mu": slope, "sigma": slope * nodes}
    scores = {"mu": nodes / scale, "sigma": (nodes.square() - 1) / scale}
    exact = {name: (weights * value * score).sum() for name, score in scores.items()}
    variances = {
        "score_function": {
            n: (weights * (value * s).square()).sum() - exact[n] ** 2 for n, s in scores.items()
        },
        "pathwise": {n: (weights * p.square()).sum() - exact[n] ** 2 for n, p in paths.items()},
    }
    return Problem(program, params, exact, variances)


def step(x: float, loc: float = 1.0, scale: float = 1.0) -> Problem:
    """½ sign(z − x) under N(μ, σ²), a function without a useful derivative; E f = Φ((μ − x)/σ) − ½."""
    known = gaussian(lambda z: 0.5 * torch.sign(z - x), loc, scale)
    standard = torch.tensor((loc - x) / scale, dtype=torch.float64)
    density = torch.exp(-standard.square() / 2) / np.sqrt(2 * np.pi)
    return Problem(known.program, known.params, {"mu": density / scale, "sigma": -standard * density / scale})


def enumerated(program: Program, params: dict[str, Tensor]) -> Problem:
    """A program with few states."""
    inputs = {name: entry.clone().requires_grad_() for name, entry in params.items()}
    found = torch.autograd.grad(objectives.expectation(program, inputs), list(inputs.values()))
    return Problem(program, params, dict(zip(inputs, found, strict=True)))


def categories(x: float) -> Problem:
    """(w·z − x)² of a one-hot z among four categories: no linear function, so that straight-through is biased."""
    weights = torch.tensor([1.1, -0.7, 0.6, 0.1], dtype=torch.float64)

    def program(params: Params, sample: Sample) -> Tensor:
        return (sample("z", OneHotCategorical(logits=params["logits"])) @ weights - x).square()

    return enumerated(program, {"logits": torch.tensor([0.2, 0.8, -0.3, 0.0], dtype=torch.float64)})


def bits(x: float) -> Problem:
    """(w·z − x)² of six bits: a function that couples them."""
    weights = torch.tensor([0.9, -0.7, 0.5, 0.6, -0.4, 0.8], dtype=torch.float64)

    def program(params: Params, sample: Sample) -> Tensor:
        return (sample("z", Bernoulli(logits=params["logits"])) @ weights - x).square()

    return enumerated(
        program, {"logits": torch.tensor([0.3, -0.5, 0.8, -0.2, 0.1, -0.9], dtype=torch.float64)}
    )


PROBLEMS: dict[str, Callable[[float], Problem]] = {
    "constant": lambda c: gaussian(lambda z: z.square() + c),
    "wave": lambda a: gaussian(lambda z: torch.sin(a * z)),
    "step": step,
    "categories": categories,
    "bits": bits,
}
"""By name, as functions of what is varied: the constant added to z², the frequency of a sine, the place of a step, and
the target of a quadratic of one-hot vectors and of bits."""
