"""Structured prediction by a Gaussian code: the lower half of a binary image from its upper half."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from reparam.distributions import Bernoulli
from reparam.models import dense
from reparam.program import Params, Program, Sample
from reparam.tasks import read_options, register, require, require_count
from reparam.tasks.stochastic_layers import log_odds

if TYPE_CHECKING:
    from reparam.data import DataSet


@dataclass(frozen=True)
class Options:
    """`data` and `binarisation` are carried out before the task is built and recorded here."""

    data: str
    binarisation: str = "none"
    units: int = 50
    """Of the code."""
    hidden: int = 200
    """Width of the hidden layers."""
    depth: int = 2
    """Hidden layers in every map."""
    activation: str = "tanh"

    def __post_init__(self) -> None:
        for option in ("units", "hidden", "depth"):
            require_count(option, getattr(self, option))
        require("activation", self.activation, tuple(dense.ACTIVATIONS))


@register("conditional_gaussian_vae")
class ConditionalGaussianVae:
    """p(z|upper) p(lower|z, upper) and q(z|image), diagonal Gaussians; the value is log p(lower, z|upper) − log q, in
    nats per datum.

    Its mean bounds log p(lower|upper) from below; the log of the mean of the exponentials of K of them is the K-sample
    bound.
    """

    sense = +1.0
    log_weight = True

    def __init__(self, options: Mapping[str, Any], dataset: DataSet) -> None:
        self.options = read_options(Options, options)
        self.binarisation = self.options.binarisation
        self.shape = dataset.shape
        self.train, self.valid, self.test = dataset.train, dataset.valid, dataset.test
        self.upper = (dataset.shape[0] + 1) // 2 * dataset.shape[1]
        """Pixels that are given: the middle row of an odd number goes to the upper half."""

    def init(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Parameters in the groups `encoder`, `prior` and `decoder`: weights by Glorot & Bengio 2010, biases 0, but
        that of the pixels at the log-odds of their means in the training data."""
        options, pixels = self.options, self.train.shape[1]
        widths = (options.hidden,) * options.depth
        sizes = dense.gaussian_sizes("encoder.z", pixels, widths, options.units)
        sizes |= dense.gaussian_sizes("prior.z", self.upper, widths, options.units)
        sizes |= dense.sizes("decoder.lower", options.units + self.upper, widths, pixels - self.upper)
        params = dense.init(sizes, generator, "glorot")
        params[f"decoder.lower.{options.depth}.bias"] = log_odds(self.train.mean(0)[self.upper :]).cpu()
        return params

    def program(self, x: Tensor) -> Program:
        """log p(lower, z|upper) − log q(z|image) of each datum of x [B, D], value [B]."""
        shape = self.options.depth, self.options.activation
        upper, lower = x[:, : self.upper], x[:, self.upper :]

        def log_weight(params: Params, sample: Sample) -> Tensor:
            q = dense.gaussian(params, "encoder.z", x, *shape)
            z = sample("z", q, context=x)
            prior = dense.gaussian(params, "prior.z", upper, *shape)
            logits = dense.apply(params, "decoder.lower", torch.cat([z, upper], -1), *shape)
            return Bernoulli(logits=logits).log_prob(lower) + prior.log_prob(z) - q.log_prob(z)

        return log_weight

    def log_prior(self, params: Params) -> Tensor:
        """0, shape (): the weights have no prior."""
        return next(iter(params.values())).new_zeros(())
