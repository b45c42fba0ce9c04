"""Estimators of the marginal likelihood log p(x) = log ∫ p(x, z) dz, per datum and in nats.

All are functions of `log_joint`, which maps codes [..., M, D] to log p(x, z) in nats [..., M] for M fixed
data, so that any latent-variable model can be measured and a model with a known answer can test them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from reparam.engine import hmc, paths
from reparam.noise import draw

INFLATION = 1.5
"""What a Gaussian fitted to posterior samples is widened by when it proposes: its tails must not be the lighter."""
LogJoint = Callable[[Tensor], Tensor]


class Proposal(Protocol):
    """A law over codes [M, D] with base noise standard normal, such as an encoder's."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def path(self, noise: Mapping[str, Tensor]) -> Tensor: ...

    def log_prob(self, z: Tensor) -> Tensor: ...


class FittedGaussian:
    """A Gaussian with full covariance for each datum: mean [M, D], lower Cholesky factor [M, D, D]."""

    def __init__(self, mean: Tensor, cholesky: Tensor) -> None:
        self.mean, self.cholesky = mean, cholesky
        self.shape = tuple(mean.shape)

    @classmethod
    def fit(cls, samples: Tensor, inflate: float = 1.0) -> FittedGaussian:
        """Fitted to the moments of samples [L, M, D], its covariance multiplied by `inflate`.

        A millionth of the mean variance is added to the diagonal, so that fewer than D + 1 samples still
        give a (poor) density.
        """
        centred = samples - samples.mean(0)
        covariance = torch.einsum("lmd,lme->mde", centred, centred) / (len(samples) - 1)
        jitter = 1e-6 * covariance.diagonal(dim1=-2, dim2=-1).mean(-1) + 1e-12
        covariance = covariance + torch.diag_embed(jitter[:, None].expand(-1, samples.shape[-1]))
        return cls(samples.mean(0), torch.linalg.cholesky(inflate * covariance))

    def path(self, noise: Mapping[str, Tensor]) -> Tensor:
        return self.mean + torch.einsum("mde,...me->...md", self.cholesky, noise["normal"])

    def log_prob(self, z: Tensor) -> Tensor:
        centred = (z - self.mean)[..., None]
        standard = torch.linalg.solve_triangular(self.cholesky, centred, upper=False)[..., 0]
        volume = self.cholesky.diagonal(dim1=-2, dim2=-1).log().sum(-1)
        return -0.5 * standard.square().sum(-1) - volume - 0.5 * z.shape[-1] * math.log(2 * math.pi)


class Weighted(NamedTuple):
    """An importance-weighted estimate per datum."""

    log_likelihood: Tensor
    """log (1/K) Σ_k p(x, z_k) / q(z_k), [M]: on average a lower bound of log p(x)."""
    effective: Tensor
    """Effective sample size (Σ w)² / Σ w², between 1 and K, [M]."""


def importance_weighted(
    log_joint: LogJoint, proposal: Proposal, samples: int, generator: torch.Generator, chunk: int = 100
) -> Weighted:
    """The bound of Burda et al. 2016 with K = `samples` draws from `proposal`, `chunk` draws at a time."""
    first, second = [], []
    for start in range(0, samples, chunk):
        count = min(chunk, samples - start)
        z = proposal.path({"normal": draw("normal", (count, *proposal.shape), generator)})
        log_weight = log_joint(z) - proposal.log_prob(z)
        first.append(torch.logsumexp(log_weight, 0))
        second.append(torch.logsumexp(2 * log_weight, 0))
    total = torch.logsumexp(torch.stack(first), 0)
    squares = torch.logsumexp(torch.stack(second), 0)
    return Weighted(total - math.log(samples), (2 * total - squares).exp())


def harmonic(log_joint: LogJoint, fit: Tensor, fresh: Tensor) -> Tensor:
    """Kingma & Welling 2014, App. D: log p̂(x) = −log (1/L) Σ_l q(z_l) / p(x, z_l), [M].

    The density q is a Gaussian fitted to the posterior samples `fit` [L, M, D]; the sum runs over the
    fresh posterior samples `fresh` [L, M, D]. Its bias is positive and grows with the dimension of the code:
    the paper calls it usable below 5.
    """
    q = FittedGaussian.fit(fit)
    log_ratio = q.log_prob(fresh) - log_joint(fresh)
    return math.log(len(fresh)) - torch.logsumexp(log_ratio, 0)


class PosteriorSamples(NamedTuple):
    """Samples of p(z|x) for each datum."""

    z: Tensor
    """[count, M, D]."""
    acceptance: Tensor
    """Mean acceptance probability per datum after the warm-up, [M]."""


def posterior_samples(
    log_joint: LogJoint,
    start: Tensor,
    count: int,
    warmup: int,
    leapfrogs: int,
    generator: torch.Generator,
    step_size: float = 0.1,
) -> PosteriorSamples:
    """HMC on every datum from `start` [M, D]; the warm-up tunes each datum's step size to 90 %.

    Every transition takes a random part, between a half and all, of its datum's step size: at a fixed
    length trajectories come back to where they began when they last a period of the posterior (Neal 2011,
    §5.4.2.2), which in one to three dimensions and at 90 % acceptance they do.
    """
    z, step = start, torch.full_like(start[..., 0], step_size)
    kept, acceptances = [], []
    move = paths.build(
        lambda z, step, momentum, uniform: hmc.transition(log_joint, z, step, momentum, uniform, leapfrogs),
        (z, step, torch.zeros_like(z), torch.ones_like(step)),
        "traced",
    )
    for i in range(warmup + count):
        momentum = draw("normal", tuple(z.shape), generator, z.dtype)
        uniform = draw("uniform", tuple(step.shape), generator, z.dtype)
        part = 0.5 + 0.5 * draw("uniform", tuple(step.shape), generator, z.dtype)
        z, acceptance = move(z, part * step, momentum, uniform)
        if i < warmup:
            step = hmc.adapt(step, acceptance)
        else:
            kept.append(z)
            acceptances.append(acceptance)
    return PosteriorSamples(torch.stack(kept), torch.stack(acceptances).mean(0))


def best_of_prior(log_joint: LogJoint, like: Tensor, candidates: int, generator: torch.Generator) -> Tensor:
    """For each datum the one of `candidates` draws of N(0, I) with the largest log p(x, z): [M, D] as `like`.

    A start for the chains that needs no encoder and is the same for every learner.
    """
    best = torch.zeros_like(like)
    value = log_joint(best)
    for _ in range(candidates):
        z = draw("normal", tuple(like.shape), generator, like.dtype)
        candidate = log_joint(z)
        better = candidate > value
        best = torch.where(better[..., None], z, best)
        value = torch.where(better, candidate, value)
    return best
