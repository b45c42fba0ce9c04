"""Variational Bayes over the decoder's weights as well as the codes (Kingma & Welling 2014, App. F).

The weights θ are one global latent variable per tensor, with q(θ) a diagonal Gaussian and p(θ) = N(0, I).
The estimator of the paper, written per datum so that N times its mean over data is App. F's f:

    value_i = log p(x_i|z_i, θ) + log p(z_i) − log q(z_i|x_i) + (log p(θ) − log q(θ)) / N

and, with `kl: analytic`, the lower-variance form in which the four Gaussian terms are integrated:

    value_i = log p(x_i|z_i, θ) − KL(q(z_i|x_i) ‖ p(z)) − KL(q(θ) ‖ p(θ)) / N
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from reparam.distributions import Bernoulli, Normal
from reparam.models import mlp
from reparam.program import Params, Program, Sample
from reparam.tasks import read_options, register, require, require_count
from reparam.tasks.gaussian_vae import split

if TYPE_CHECKING:
    from reparam.data import DataSet

INITIAL_LOG_VARIANCE = -6.0
"""q(θ) starts narrow: unit variances would drown the data under the weights' noise at first."""


@dataclass(frozen=True)
class Options:
    """As for `gaussian_vae`; the weights' prior is part of the bound and has no switch."""

    data: str
    binarisation: str = "none"
    hidden: int = 100
    latent: int = 3
    kl: str = "analytic"
    train_size: int | None = None

    def __post_init__(self) -> None:
        require("kl", self.kl, ("analytic", "sampled"))
        require_count("hidden", self.hidden)
        require_count("latent", self.latent)


@register("full_vb")
class FullVb:
    """Parameter groups: `encoder` (point estimates) and `posterior` (mean and log-variance of q(θ))."""

    sense = +1.0
    log_weight = False

    def __init__(self, options: Mapping[str, Any], dataset: DataSet) -> None:
        self.options = read_options(Options, options)
        self.binarisation = self.options.binarisation
        self.shape = dataset.shape
        self.train, self.test = split(dataset, self.options.train_size, None)
        pixels, hidden, latent = self.train.shape[1], self.options.hidden, self.options.latent
        self._decoder = mlp.bernoulli_sizes("decoder", latent, hidden, pixels)
        self._encoder = mlp.gaussian_sizes("encoder", pixels, hidden, latent)

    def init(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Means and encoder from N(0, 0.01²), log-variances of q(θ) at INITIAL_LOG_VARIANCE."""
        params = mlp.init(self._encoder, generator)
        for name, value in mlp.init(self._decoder, generator).items():
            params[f"posterior.{name}.mean"] = value
            params[f"posterior.{name}.log_variance"] = torch.full_like(value, INITIAL_LOG_VARIANCE)
        return params

    def encode(self, params: Params, x: Tensor) -> Normal:
        """q(z|x): [..., D] → a law over [..., latent]."""
        return mlp.gaussian(params, "encoder", x)

    def weights(self, params: Params) -> dict[str, Normal]:
        """q(θ): one global law (empty plate) per tensor of the decoder."""
        laws = {}
        for layer in self._decoder:
            for part in ("weight", "bias"):
                mean = params[f"posterior.{layer}.{part}.mean"]
                scale = (0.5 * params[f"posterior.{layer}.{part}.log_variance"]).exp()
                laws[f"{layer}.{part}"] = Normal(mean, scale, event_dims=mean.dim())
        return laws

    def decode(self, theta: Mapping[str, Tensor], z: Tensor) -> Bernoulli:
        """p(x|z, θ): [..., latent] → a law over [..., D], for weights θ given by their sample."""
        return mlp.bernoulli(theta, "decoder", z)

    def program(self, x: Tensor) -> Program:
        """The per-datum term of App. F's bound for x [B, D]: value [B] in nats."""
        analytic = self.options.kl == "analytic"
        size = len(self.train)

        def bound(params: Params, sample: Sample) -> Tensor:
            laws = self.weights(params)
            theta = {name: sample(name, law) for name, law in laws.items()}
            terms = [_prior_minus_posterior(law, theta[name], analytic) for name, law in laws.items()]
            q = self.encode(params, x)
            z = sample("z", q, context=x)
            local = self.decode(theta, z).log_prob(x) + _prior_minus_posterior(q, z, analytic)
            return local + torch.stack(terms).sum() / size

        return bound

    def log_prior(self, params: Params) -> Tensor:
        """0: the prior over the decoder's weights is part of the bound."""
        return next(iter(params.values())).new_zeros(())


def _prior_minus_posterior(q: Normal, z: Tensor, analytic: bool) -> Tensor:
    """log p(z) − log q(z) for p = N(0, I), or its mean under q, in the plate's shape."""
    prior = Normal(torch.zeros_like(z), torch.ones_like(z), event_dims=q.event_dims)
    return -q.kl(prior) if analytic else prior.log_prob(z) - q.log_prob(z)
