"""The linear-Gaussian toy of importance-weighted bounds: z ~ N(μ, I), x | z ~ N(z, I), q(z | x) = N(A x + b, v I).

Rainforth et al. 2018, §3. The best parameters are known: μ the mean of the data, A = I / 2, b = μ / 2. Parameters are
`prior.mean` [D], `guide.weight` [D, D] and `guide.bias` [D], or one copy per datum of the two vectors, [N, D].
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import linear

from reparam.distributions import Normal
from reparam.noise import draw
from reparam.program import Params, Program, Sample

GUIDE_VARIANCE = 2 / 3


def data(count: int, dimension: int, generator: torch.Generator) -> Tensor:
    """`count` data [N, D] from the model itself: μ from a standard normal, then z and x."""
    mean, code, noise = (
        draw("normal", shape, generator) for shape in ((dimension,), *2 * [(count, dimension)])
    )
    return mean + code + noise


def best(x: Tensor) -> dict[str, Tensor]:
    """The parameters that maximise every bound on the data x [N, D]."""
    mean = x.mean(0)
    return {"prior.mean": mean, "guide.weight": torch.eye(x.shape[-1]).to(x) / 2, "guide.bias": mean / 2}


def perturbed(params: Params, by: float, generator: torch.Generator) -> dict[str, Tensor]:
    """The parameters with independent normal noise of this standard deviation on every entry."""
    return {n: p + by * draw("normal", tuple(p.shape), generator).to(p) for n, p in params.items()}


def per_datum(params: Params, count: int) -> dict[str, Tensor]:
    """The vectors among the parameters, one copy for each of `count` data: gradients then come by datum."""
    return {n: p.expand(count, *p.shape) for n, p in params.items() if p.ndim == 1}


def log_weight(x: Tensor, weight: Tensor | None = None, variance: float = GUIDE_VARIANCE) -> Program:
    """log p(x, z) − log q(z | x) of each datum, [N] in nats; `weight` stands in for a parameter `guide.weight`."""
    scale = torch.full_like(x, variance**0.5)

    def program(params: Params, sample: Sample) -> Tensor:
        matrix = params["guide.weight"] if weight is None else weight
        guide = Normal(linear(x, matrix) + params["guide.bias"], scale)
        z = sample("z", guide)
        prior = Normal(params["prior.mean"].expand_as(z), torch.ones_like(z))
        return prior.log_prob(z) + Normal(z, torch.ones_like(z)).log_prob(x) - guide.log_prob(z)

    return program


def log_evidence(x: Tensor, mean: Tensor) -> Tensor:
    """log p(x) of each datum, [N] in nats: x ~ N(μ, 2 I)."""
    return Normal(mean.expand_as(x), torch.full_like(x, 2**0.5)).log_prob(x)
