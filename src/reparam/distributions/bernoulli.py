"""The Bernoulli law: z = 1 where logits + logit(u) > 0."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product

import torch
from torch import Tensor
from torch.nn.functional import softplus

from reparam.distributions.base import Law
from reparam.noise import NoiseSpec


class Bernoulli(Law):
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
        self.logits: Tensor = torch.logit(probs) if logits is None else logits  # type: ignore[arg-type]
        super().__init__(self.logits, event_dims=event_dims)

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

    def path(self, noise: Mapping[str, Tensor]) -> Tensor:
        uniform = noise["uniform"]
        logistic = uniform.log() - torch.log1p(-uniform)
        return (self.logits + logistic > 0).to(self.logits.dtype)

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
