"""The Bernoulli law: z = 1 where logits + logit(u) > 0."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from reparam.distributions.arguments import require_tensors
from reparam.distributions.base import Relaxable, logistic, require, with_slope
from reparam.errors import ReparamError
from reparam.noise import NoiseSpec

if TYPE_CHECKING:
    from reparam.distributions.relaxed import RelaxedBernoulli


def _logit(probs: Tensor) -> Tensor:
    limits = torch.finfo(probs.dtype)
    return torch.logit(probs.clamp(limits.tiny, 1 - limits.eps / 2))


class Bernoulli(Relaxable):
    """Independent bits with success probability `probs`, or log-odds `logits` (exactly one is given).

    Base noise: one uniform per entry (role "uniform"). The path thresholds logits + logit(u) at zero, so
    its derivative is zero almost everywhere and is no gradient. A `probs` of 0 or 1 stands for the nearest number
    between them, so that no logit is infinite. `log_prob` also accepts grey levels in
    [0, 1] and then returns the cross-entropy that the VAE literature calls a Bernoulli likelihood.
    """

    def __init__(
        self,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        event_dims: int | None = None,
    ) -> None:
        if (probs is None) == (logits is None):
            raise ReparamError("Bernoulli takes exactly one of probs and logits")
        require_tensors("Bernoulli", logits if probs is None else probs)
        self._given_probs = probs
        self.logits: Tensor = _logit(probs) if logits is None else logits  # type: ignore[arg-type]
        super().__init__(self.logits, event_dims=event_dims)

    @classmethod
    def example(cls) -> Bernoulli:
        return cls(logits=torch.zeros(3))

    def validate(self) -> None:
        if self._given_probs is not None:
            probs = self._given_probs
            require((probs >= 0) & (probs <= 1), "Bernoulli's probs", "in [0, 1]", probs)
        require(torch.isfinite(self.logits), "Bernoulli's logits", "finite", self.logits)

    @property
    def probs(self) -> Tensor:
        """Success probabilities, in the law's shape."""
        return torch.sigmoid(self.logits)

    @property
    def mean(self) -> Tensor:
        """The mean, in the law's shape."""
        return self.probs

    @property
    def variance(self) -> Tensor:
        """The variance, in the law's shape."""
        return self.probs * torch.sigmoid(-self.logits)

    def noise(self) -> dict[str, NoiseSpec]:
        return {"uniform": NoiseSpec("uniform", self.shape)}

    def perturb(self, noise: Mapping[str, Tensor]) -> Tensor:
        return self.logits + logistic(noise["uniform"])

    def discretize(self, g: Tensor) -> Tensor:
        return (g > 0).to(self.logits.dtype)

    def soften(self, g: Tensor, temperature: Tensor | float) -> Tensor:
        """The binary Concrete variable σ(g / temperature) (Maddison et al. 2017, App. B)."""
        return torch.sigmoid(g / temperature)

    def relax(self, temperature: Tensor | float) -> RelaxedBernoulli:
        from reparam.distributions.relaxed import RelaxedBernoulli  # which is made of this law

        return RelaxedBernoulli(temperature, logits=self.logits, event_dims=self.given_event_dims)

    def perturb_given(self, z: Tensor, noise: Mapping[str, Tensor]) -> Tensor:
        """logits + logit(u) with u uniform above σ(−logits) where z = 1 and below it where z = 0.

        With u = 1 − p + v p (z = 1) or v (1 − p) (z = 0), p = σ(logits), that is log(1 + v / ((1 − v)(1 − p))) or
        −log(1 + (1 − v) / (v p)): written as softplus, of the right sign at any logits in any precision.
        """
        v = logistic(noise["uniform"])
        one = -logsigmoid(-v + logsigmoid(-self.logits))
        zero = logsigmoid(v + logsigmoid(self.logits))
        return torch.where(z > 0, one, zero)

    def perturb_coupled(self, z: Tensor, g: Tensor) -> Tensor:
        """At fixed v, dg/dlogits = (1 − e^−|g|) σ(±logits), + where z = 1."""
        slope = -torch.expm1(-g.abs()) * torch.sigmoid(torch.where(z > 0, self.logits, -self.logits))
        return with_slope(g, slope, self.logits)

    def tangent(self, mean: Tensor) -> Tensor:
        return with_slope(torch.zeros_like(mean), mean * (1 - mean), self.logits)

    def log_mass(self, z: Tensor) -> Tensor:
        return z * self.logits - softplus(self.logits)

    def entropy(self) -> Tensor:
        """Entropy in nats, in the plate's shape."""
        return self.sum_event(softplus(self.logits) - self.probs * self.logits)

    def kl(self, other: Bernoulli) -> Tensor:
        """KL(self ‖ other) in nats, in the plate's shape."""
        entries = self.probs * (self.logits - other.logits) - softplus(self.logits) + softplus(other.logits)
        return self.sum_event(entries.expand(self.shape))

    @property
    def states(self) -> int:
        """2^n, for n entries per event."""
        return int(2 ** math.prod(self.event))

    def support(self) -> Tensor:
        """All states of one event: [2^n, *event], for n entries per event."""
        bits = list(product((0.0, 1.0), repeat=math.prod(self.event)))
        return torch.tensor(bits, dtype=self.logits.dtype, device=self.logits.device).reshape(-1, *self.event)
