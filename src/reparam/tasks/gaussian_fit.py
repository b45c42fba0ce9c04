"""A Gaussian fitted to another Gaussian, as a program: the toy of Roeder et al. 2017, Fig 1.

    E_q[log p(z) − log q(z)] = −KL(q ‖ p),   q and p diagonal Gaussians in D dimensions

q can become p, so that nothing but the noise of the gradient keeps a training away from 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from reparam.distributions import Normal
from reparam.noise import draw, generator
from reparam.program import Params, Program, Sample
from reparam.tasks import read_options, register, require_count

SPREAD = 0.5
"""Standard deviation of the target's log scales."""


@dataclass(frozen=True)
class Options:
    """Of the toy; raises ReparamError for a dimension that there is none of."""

    dimension: int = 100
    """D."""

    def __post_init__(self) -> None:
        require_count("dimension", self.dimension)


@register("gaussian_fit")
class GaussianFit:
    """One parameter group, `posterior`, with the mean and the log scale of q [D]; one datum, which says nothing.

    The target's means are drawn from N(0, 1) and its log scales from N(0, 0.5²), the same in every run.
    """

    sense = +1.0
    binarisation = "none"
    log_weight = True

    def __init__(self, options: Mapping[str, Any], dataset: None = None) -> None:
        self.options = read_options(Options, options)
        self.train = self.test = torch.zeros(1, 0)
        source = generator("task", "gaussian_fit", self.options.dimension)
        self._mean = draw("normal", (self.options.dimension,), source, torch.float64)
        self._log_scale = SPREAD * draw("normal", (self.options.dimension,), source, torch.float64)

    def init(self, generator: torch.Generator) -> dict[str, Tensor]:
        """q = N(0, I); nothing is random."""
        zeros = torch.zeros(self.options.dimension)
        return {"posterior.mean": zeros, "posterior.log_scale": zeros.clone()}

    def target(self, like: Tensor) -> Normal:
        """p, in the shape, type and place of `like` [..., D]."""
        mean, scale = self._mean.to(like), self._log_scale.exp().to(like)
        return Normal(mean.expand(like.shape), scale.expand(like.shape))

    def program(self, x: Tensor) -> Program:
        """log p(z) − log q(z) in nats per datum of x [B, 0]: value [B]."""

        def log_weight(params: Params, sample: Sample) -> Tensor:
            q = self._law(params, len(x))
            z = sample("z", q)
            return self.target(z).log_prob(z) - q.log_prob(z)

        return log_weight

    def log_prior(self, params: Params) -> Tensor:
        """0: q has no prior."""
        return params["posterior.mean"].new_zeros(())

    def expectation(self, params: Params) -> Tensor:
        """−KL(q ‖ p) in nats, shape ()."""
        q = self._law(params, 1)
        return -q.kl(self.target(q.loc))[0]

    @staticmethod
    def _law(params: Params, rows: int) -> Normal:
        mean, scale = params["posterior.mean"], params["posterior.log_scale"].exp()
        return Normal(mean.expand(rows, -1), scale.expand(rows, -1))
