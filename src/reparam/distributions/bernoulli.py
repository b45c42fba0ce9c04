"""The Bernoulli law: z = 1 where logits + logit(u) > 0."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid, softplus

from reparam.distributions.base import Relaxable, logistic, require, stop
from reparam.noise import NoiseSpec


class Bernoulli(Relaxable):
    """Independent bits with success probability `probs`, or log-odds `logits` (exactly one is given).

    Base noise: one uniform per entry (role "uniform"). The path thresholds logits + logit(u) at zero, so
    its derivative is zero almost everywhere and is no gradient. `log_prob` also accepts grey levels in
    [0, 1] and then returns the cross-entropy that the VAE literature calls a Bernoulli likelihood.
    """

    def __init__(
        self,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        event_dims: int | None = None,
    ) -> None:
        if (probs is None) == (logits is None):
            raise ValueError("Bernoulli takes exactly one of probs and logits")
        self._given_probs = probs
        self.logits: Tensor = torch.logit(probs) if logits is None else logits  # type: ignore[arg-type]
        super().__init__(self.logits, event_dims=event_dims)

    def validate(self) -> None:
        if self._given_probs is not None:
            probs = self._given_probs
            require((probs >= 0) & (probs <= 1), "Bernoulli's probs", "in [0, 1]", probs)
        require(~torch.isnan(self.logits), "Bernoulli's logits", "numbers", self.logits)

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

    def perturb_given(self, z: Tensor, noise: Mapping[str, Tensor]) -> Tensor:
        """logits + logit(u) with u uniform above σ(−logits) where z = 1 and below it where z = 0."""
        v = noise["uniform"]
        log_p, log_q = logsigmoid(self.logits), logsigmoid(-self.logits)
        p, q = log_p.exp(), log_q.exp()
        one = torch.log(q + v * p) - torch.log1p(-v) - log_p
        zero = v.log() + log_q - torch.log(p + (1 - v) * q)
        return self.logits + torch.where(z > 0, one, zero)

    def perturb_coupled(self, z: Tensor, g: Tensor) -> Tensor:
        """By implicit differentiation at fixed v: dg/dlogits = 1 − σ(∓logits) / σ(±(g − logits)), z = 1 / 0."""
        theta, g = stop(self.logits), stop(g)
        one = 1 - (logsigmoid(-theta) - logsigmoid(g - theta)).exp()
        zero = 1 - (logsigmoid(theta) - logsigmoid(theta - g)).exp()
        return g + torch.where(z > 0, one, zero) * (self.logits - theta)

    def log_prob(self, z: Tensor) -> Tensor:
        return self.sum_event(z * self.logits - softplus(self.logits))

    def entropy(self) -> Tensor:
        """Entropy in nats, in the plate's shape."""
        return self.sum_event(softplus(self.logits) - self.probs * self.logits)

    def kl(self, other: Bernoulli) -> Tensor:
        """KL(self ‖ other) in nats, in the plate's shape."""
        entries = self.probs * (self.logits - other.logits) - softplus(self.logits) + softplus(other.logits)
        return self.sum_event(entries.expand(self.shape))

    def support(self) -> Tensor:
        """All states of one event: [2^n, *event], for n entries per event."""
        event = self.shape[len(self.shape) - self.event_dims :]
        entries = 1
        for size in event:
            entries *= size
        states = torch.tensor(list(product((0.0, 1.0), repeat=entries)), dtype=self.logits.dtype)
        return states.reshape(-1, *event).to(self.logits.device)
