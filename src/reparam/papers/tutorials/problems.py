"""Small problems whose gradients are known: Gaussian ones by quadrature, discrete ones by enumeration."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from reparam.distributions import Bernoulli, Normal, OneHotCategorical
from reparam.oracles import objectives
from reparam.program import Params, Program, Sample

Function = Callable[[Tensor, Tensor], Tensor]
"""f(z, x), entry by entry: z a sample, x the setting that is varied."""
NODES = 120
"""Of Gauss–Hermite quadrature: exact for the squares, and to rounding for the waves."""


@dataclass(frozen=True)
class Problem:
    """A program with one plate entry for each setting, and ∇ E[f] in the shapes of `params` [settings, …]."""

    program: Program
    params: dict[str, Tensor]
    exact: dict[str, Tensor]
    variances: Mapping[str, dict[str, Tensor]] = field(default_factory=dict)
    """By estimator, the variance that the tutorial's formula gives (T1 §4.1)."""


def gaussian(f: Function, x: Sequence[float], loc: float = 1.0, scale: float = 1.0) -> Problem:
    """f(z, x) under N(μ, σ²), with respect to μ and σ: two parameters for each setting."""
    setting = torch.tensor(x, dtype=torch.float64)
    params = {"mu": torch.full_like(setting, loc), "sigma": torch.full_like(setting, scale)}

    def program(params: Params, sample: Sample) -> Tensor:
        return f(sample("z", Normal(params["mu"], params["sigma"], event_dims=0)), setting)

    nodes, weights = (torch.from_numpy(entry) for entry in np.polynomial.hermite_e.hermegauss(NODES))
    epsilon, weights = nodes.unsqueeze(-1), (weights / weights.sum()).unsqueeze(-1)
    z = (loc + scale * epsilon).expand(-1, len(setting)).clone().requires_grad_()
    value = f(z, setting)
    (slope,) = torch.autograd.grad(value.sum(), z)
    value = value.detach()
    paths = {"mu": slope, "sigma": slope * epsilon}
    scores = {"mu": epsilon / scale, "sigma": (epsilon.square() - 1) / scale}
    exact = {name: (weights * value * score).sum(0) for name, score in scores.items()}
    variances = {
        "score_function": {
            n: (weights * (value * s).square()).sum(0) - exact[n] ** 2 for n, s in scores.items()
        },
        "pathwise": {n: (weights * p.square()).sum(0) - exact[n] ** 2 for n, p in paths.items()},
    }
    return Problem(program, params, exact, variances)


def step(x: Sequence[float], loc: float = 1.0, scale: float = 1.0) -> Problem:
    """½ sign(z − x) under N(μ, σ²), a function without a useful derivative; E f = Φ((μ − x)/σ) − ½."""
    setting = torch.tensor(x, dtype=torch.float64)
    known = gaussian(lambda z, x: 0.5 * torch.sign(z - x), x, loc, scale)
    standard = (loc - setting) / scale
    density = torch.exp(-standard.square() / 2) / np.sqrt(2 * np.pi)
    return Problem(known.program, known.params, {"mu": density / scale, "sigma": -standard * density / scale})


def enumerated(program: Program, params: dict[str, Tensor]) -> Problem:
    """A program with few states."""
    inputs = {name: entry.clone().requires_grad_() for name, entry in params.items()}
    total = objectives.expectation(program, inputs).sum()
    found = torch.autograd.grad(total, list(inputs.values()))
    return Problem(program, params, dict(zip(inputs, found, strict=True)))


def categories(x: Sequence[float]) -> Problem:
    """(w·z − x)² of a one-hot z among four categories: no linear function, so that straight-through is biased."""
    setting = torch.tensor(x, dtype=torch.float64)
    weights = torch.tensor([1.1, -0.7, 0.6, 0.1], dtype=torch.float64)
    logits = torch.tensor([[0.2, 0.8, -0.3, 0.0]], dtype=torch.float64).repeat(len(setting), 1)

    def program(params: Params, sample: Sample) -> Tensor:
        return (sample("z", OneHotCategorical(logits=params["logits"])) @ weights - setting).square()

    return enumerated(program, {"logits": logits})


def bits(x: Sequence[float]) -> Problem:
    """(w·z − x)² of six bits: a function that couples them."""
    setting = torch.tensor(x, dtype=torch.float64)
    weights = torch.tensor([0.9, -0.7, 0.5, 0.6, -0.4, 0.8], dtype=torch.float64)
    logits = torch.tensor([[0.3, -0.5, 0.8, -0.2, 0.1, -0.9]], dtype=torch.float64).repeat(len(setting), 1)

    def program(params: Params, sample: Sample) -> Tensor:
        return (sample("z", Bernoulli(logits=params["logits"])) @ weights - setting).square()

    return enumerated(program, {"logits": logits})


PROBLEMS: dict[str, Callable[[Sequence[float]], Problem]] = {
    "constant": lambda x: gaussian(lambda z, c: z.square() + c, x),
    "wave": lambda x: gaussian(lambda z, a: torch.sin(a * z), x),
    "step": step,
    "categories": categories,
    "bits": bits,
}
"""By name, with what is varied: the constant added to z², the frequency of a sine, the place of a step, and the target
of a quadratic of one-hot vectors and of bits."""
