"""The Normal law: z = loc + scale · ε."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from reparam.distributions.base import Law, require
from reparam.distributions.numerics import normal_cdf
from reparam.errors import ReparamError
from reparam.noise import NoiseSpec


class Normal(Law):
    """Independent Normal entries with mean `loc` and standard deviation `scale`.

    Base noise: one standard normal per entry (role "normal"). Path: loc + scale · ε (Kingma & Welling
    2014, §2.4).
    """

    reparameterized = True
    unbounded = True

    def __init__(self, loc: Tensor, scale: Tensor, event_dims: int | None = None) -> None:
        super().__init__(loc, scale, event_dims=event_dims)
        self.loc, self.scale = loc, scale

    @classmethod
    def example(cls) -> Normal:
        return cls(torch.zeros(3), torch.ones(3))

    def validate(self) -> None:
        require(torch.isfinite(self.loc), "Normal's loc", "finite", self.loc)
        require(self.scale > 0, "Normal's scale", "positive", self.scale)

    @property
    def mean(self) -> Tensor:
        """The mean, in the law's shape."""
        return self.loc.expand(self.shape)

    @property
    def variance(self) -> Tensor:
        """The variance, in the law's shape."""
        return self.scale.square().expand(self.shape)

    def noise(self) -> dict[str, NoiseSpec]:
        return {"normal": NoiseSpec("normal", self.shape)}

    def path(self, noise: Mapping[str, Tensor]) -> Tensor:
        return self.loc + self.scale * noise["normal"]

    def icdf(self, u: Tensor) -> Tensor:
        """The quantile of every entry at `u` in (0, 1)."""
        return self.loc + self.scale * torch.special.ndtri(u)

    def cdf(self, z: Tensor) -> Tensor:
        """The probability of a value of at most `z`, of every entry."""
        return normal_cdf((z - self.loc) / self.scale)

    def log_prob(self, z: Tensor) -> Tensor:
        standard = (z - self.loc) / self.scale
        return self.sum_event(-0.5 * standard.square() - self.scale.log() - 0.5 * math.log(2 * math.pi))

    def entropy(self) -> Tensor:
        """Differential entropy in nats, in the plate's shape."""
        entries = self.scale.log() + 0.5 * math.log(2 * math.pi * math.e)
        return self.sum_event(entries.expand(self.shape))

    def kl(self, other: Normal) -> Tensor:
        """KL(self ‖ other) in nats, in the plate's shape; Kingma & Welling 2014, App. B, for other = N(0, I)."""
        ratio = (self.scale / other.scale).square()
        distance = ((self.loc - other.loc) / other.scale).square()
        entries = 0.5 * (ratio + distance - 1 - ratio.log())
        return self.sum_event(entries.expand(self.shape))


def standard_normal(like: Tensor) -> Normal:
    """N(0, I) with the shape of `like`, one event per last axis."""
    return Normal(torch.zeros_like(like), torch.ones_like(like))


def reparameterize(mu: Tensor, log_var: Tensor) -> Tensor:
    """A sample μ + σ ε of N(μ, diag σ²) with σ = exp(log_var / 2), from torch's global generator.

    `mu` and `log_var` [batch, latent] (any shapes that broadcast); the sample has their common shape and is
    differentiable in both.
    """
    shape = torch.broadcast_shapes(mu.shape, log_var.shape)
    epsilon = torch.randn(shape, dtype=mu.dtype, device=mu.device)
    return Normal(mu, (0.5 * log_var).exp()).path({"normal": epsilon})


def reparameterize_k_samples(mu: Tensor, log_var: Tensor, k: int) -> Tensor:
    """`k` independent samples of `reparameterize` for each datum: [batch, latent] → [batch, k, latent].

    Raises ReparamError unless k is an integer of at least 1.
    """
    if isinstance(k, bool) or not isinstance(k, int) or k < 1:
        raise ReparamError(f"reparameterize_k_samples: k must be an integer ≥ 1, got {k!r}")
    wide = [entry.unsqueeze(-2).expand(*entry.shape[:-1], k, entry.shape[-1]) for entry in (mu, log_var)]
    return reparameterize(*wide)
