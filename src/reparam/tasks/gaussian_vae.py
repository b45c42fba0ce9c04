"""The variational auto-encoder of Kingma & Welling 2014 with a Gaussian latent code, as a program."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from reparam.distributions import Bernoulli, Normal, standard_normal
from reparam.errors import ReparamError
from reparam.models import mlp
from reparam.noise import draw, generator
from reparam.program import Params, Program, Sample
from reparam.tasks import read_options, register, require, require_count

if TYPE_CHECKING:
    from reparam.data import DataSet


@dataclass(frozen=True)
class Options:
    """`data` and `binarisation` are carried out before the task is built and recorded here."""

    data: str
    binarisation: str = "none"
    likelihood: str = "bernoulli"
    hidden: int = 500
    latent: int = 20
    kl: str = "analytic"
    """`analytic`: the Gaussian KL in closed form (Eq. 10); `sampled`: log p(x, z) − log q(z|x) (Eq. 6)."""
    weight_prior: bool = True
    """Whether the weights have a N(0, I) prior (MAP), as in §5."""
    train_size: int | None = None
    """Use only this many first training points (Ntrain of Fig 3)."""
    grey_levels: int | None = None
    """Spread this many grey levels uniformly over their bins, so that a density in pixel space is bounded."""

    def __post_init__(self) -> None:
        require("likelihood", self.likelihood, ("bernoulli", "gaussian"))
        require("kl", self.kl, ("analytic", "sampled"))
        require_count("hidden", self.hidden)
        require_count("latent", self.latent)


@register("gaussian_vae")
class GaussianVae:
    """Encoder q(z|x), decoder p(x|z) and prior N(0, I); the value is the bound per datum, in nats."""

    sense = +1.0

    def __init__(self, options: Mapping[str, Any], dataset: DataSet) -> None:
        self.options = read_options(Options, options)
        self.binarisation = self.options.binarisation
        self.log_weight = self.options.kl == "sampled"
        self.shape = dataset.shape
        self.train, self.test = split(dataset, self.options.train_size, self.options.grey_levels)

    def init(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Parameters in the groups `encoder` and `decoder`, all from N(0, 0.01²)."""
        pixels, hidden, latent = self.train.shape[1], self.options.hidden, self.options.latent
        head = mlp.bernoulli_sizes if self.options.likelihood == "bernoulli" else mlp.gaussian_sizes
        encoder = mlp.gaussian_sizes("encoder", pixels, hidden, latent)
        return mlp.init({**encoder, **head("decoder", latent, hidden, pixels)}, generator)

    def encode(self, params: Params, x: Tensor) -> Normal:
        """q(z|x): [..., D] → a law over [..., latent]."""
        return mlp.gaussian(params, "encoder", x)

    def decode(self, params: Params, z: Tensor) -> Bernoulli | Normal:
        """p(x|z): [..., latent] → a law over [..., D]."""
        network = mlp.bernoulli if self.options.likelihood == "bernoulli" else mlp.squashed_gaussian
        return network(params, "decoder", z)

    def prior(self, z_like: Tensor) -> Normal:
        """p(z) = N(0, I) in the shape of `z_like`."""
        return standard_normal(z_like)

    def log_joint(self, params: Params, x: Tensor, z: Tensor) -> Tensor:
        """log p(x, z) in nats; x [..., D] and z [..., latent] broadcast over their plates."""
        return self.decode(params, z).log_prob(x) + self.prior(z).log_prob(z)

    def model(self, like: Tensor) -> Program:
        """p(z) p(x|z) with sites z and x in the shape of `like` [B, D]; the value is log p(x, z)."""

        def log_joint(params: Params, sample: Sample) -> Tensor:
            z = sample("z", self.prior(like.new_zeros(len(like), self.options.latent)))
            return self.log_joint(params, sample("x", self.decode(params, z)), z)

        return log_joint

    def program(self, x: Tensor) -> Program:
        """The bound of each datum of x [B, D]: Eq. 10 (`analytic`) or Eq. 6 (`sampled`), value [B]."""

        def bound(params: Params, sample: Sample) -> Tensor:
            q = self.encode(params, x)
            z = sample("z", q, context=x)
            if self.options.kl == "analytic":
                return self.decode(params, z).log_prob(x) - q.kl(self.prior(z))
            return self.log_joint(params, x, z) - q.log_prob(z)

        return bound

    def log_prior(self, params: Params) -> Tensor:
        """log p(weights) under N(0, I) in nats, shape (); 0 without a weight prior."""
        some = next(iter(params.values()))
        if not self.options.weight_prior:
            return some.new_zeros(())
        entries = [-0.5 * (value.square() + math.log(2 * math.pi)).sum() for value in params.values()]
        return torch.stack(entries).sum()


def split(dataset: DataSet, train_size: int | None, grey_levels: int | None) -> tuple[Tensor, Tensor]:
    """(train [N, D], test [M, D]) of a data set, cut to `train_size` and spread over grey levels.

    Raises ReparamError when `train_size` is not between 1 and the number of training points.
    """
    train, test = dataset.train, dataset.test
    if train_size is not None:
        if not 1 <= train_size <= len(train):
            raise ReparamError(
                f"task: train_size is {train_size} but {dataset.name} has {len(train)} training points"
            )
        train = train[:train_size]
    if grey_levels is not None:
        train = _dequantise(train, grey_levels, "train")
        test = _dequantise(test, grey_levels, "test")
    return train, test


def _dequantise(x: Tensor, levels: int, name: str) -> Tensor:
    """(k + u) / levels for the level k of each pixel: fixed uniform noise, the same in every run."""
    uniform = draw("uniform", tuple(x.shape), generator("task", "dequantise", name))
    return (x * (levels - 1) + uniform.to(x.device)) / levels
