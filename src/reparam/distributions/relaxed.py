"""Relaxed laws: the continuous laws of softened choices, with their densities.

A program with these laws under `pathwise` states the relaxed objective of Maddison et al. 2017, densities included.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import logsigmoid

from reparam.distributions.arguments import shown
from reparam.distributions.base import Law, Relaxable, require
from reparam.distributions.bernoulli import Bernoulli
from reparam.distributions.categorical import OneHotCategorical
from reparam.errors import ReparamError
from reparam.noise import NoiseSpec


class Relaxed(Law):
    """The softened sample of a discrete law, which lends it parameters, shape and base noise.

    `temperature` is a positive number or a tensor of shape ().
    """

    reparameterized = True

    def __init__(self, temperature: Tensor | float, discrete: Relaxable) -> None:
        super().__init__(discrete.logits, event_dims=discrete.given_event_dims)
        self.discrete, self.logits = discrete, discrete.logits
        if isinstance(temperature, float | int):
            temperature = self.logits.new_full((), temperature)
        if not isinstance(temperature, Tensor) or temperature.ndim > 0:
            raise ReparamError(
                f"{type(self).__name__}: temperature must be a number or a tensor of shape (), got {shown(temperature)}"
            )
        self.temperature = temperature

    @property
    def probs(self) -> Tensor:
        """The probabilities of the discrete law, in the law's shape."""
        return self.discrete.mean

    def validate(self) -> None:
        self.discrete.validate()
        name = type(self).__name__
        require(torch.isfinite(self.logits), f"{name}'s logits", "finite", self.logits)
        require(self.temperature > 0, f"{name}'s temperature", "positive", self.temperature)

    def noise(self) -> dict[str, NoiseSpec]:
        return self.discrete.noise()

    def tempered(self, noise: Mapping[str, Tensor]) -> Tensor:
        """The perturbed logits over the temperature."""
        return self.discrete.perturb(noise) / self.temperature


class LogitRelaxedBernoulli(Relaxed):
    """The logit of a RelaxedBernoulli: (logits + logit(u)) / temperature, a logistic variable.

    Its density is exact in float32 where that of RelaxedBernoulli, whose samples round to 0 and 1, is not; the two
    give the same KL and the same bound (Maddison et al. 2017, App. C).
    """

    unbounded = True

    def __init__(
        self,
        temperature: Tensor | float,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        event_dims: int | None = None,
    ) -> None:
        super().__init__(temperature, Bernoulli(probs, logits, event_dims))

    @classmethod
    def example(cls) -> LogitRelaxedBernoulli:
        return cls(0.5, logits=torch.zeros(3))

    def path(self, noise: Mapping[str, Tensor]) -> Tensor:
        return self.tempered(noise)

    def log_prob(self, z: Tensor) -> Tensor:
        return self.sum_event(self.log_density(z))

    def log_density(self, z: Tensor) -> Tensor:
        """log density of every entry, in the law's shape."""
        standard = self.logits - self.temperature * z
        return self.temperature.log() + logsigmoid(standard) + logsigmoid(-standard)


class RelaxedBernoulli(LogitRelaxedBernoulli):
    """Numbers in (0, 1) that are nearly bits: σ((logits + logit(u)) / temperature), the binary Concrete law.

    `probs` or `logits` as for Bernoulli. At low temperatures samples round to 0 and 1, where `log_prob` takes the
    nearest number inside; write densities with LogitRelaxedBernoulli there.
    Maddison et al. 2017, App. B; Jang et al. 2017.
    """

    unbounded = False

    def path(self, noise: Mapping[str, Tensor]) -> Tensor:
        return torch.sigmoid(self.tempered(noise))

    def log_prob(self, z: Tensor) -> Tensor:
        limits = torch.finfo(z.dtype)
        z = z.clamp(limits.tiny, 1 - limits.eps / 2)
        return self.sum_event(self.log_density(torch.logit(z)) - z.log() - torch.log1p(-z))


class ExpRelaxedCategorical(Relaxed):
    """The logarithm of a RelaxedOneHotCategorical: log softmax((logits + Gumbel) / temperature), ExpConcrete.

    Its density is exact in float32 where that of the relaxed vector, whose entries round to 0, is not; the two give
    the same KL and the same bound (Maddison et al. 2017, App. C).
    """

    def __init__(
        self,
        temperature: Tensor | float,
        probs: Tensor | None = None,
        logits: Tensor | None = None,
        event_dims: int | None = None,
    ) -> None:
        super().__init__(temperature, OneHotCategorical(probs, logits, event_dims))

    @classmethod
    def example(cls) -> ExpRelaxedCategorical:
        return cls(0.5, logits=torch.zeros(3))

    def path(self, noise: Mapping[str, Tensor]) -> Tensor:
        return self.tempered(noise).log_softmax(-1)

    def log_prob(self, z: Tensor) -> Tensor:
        return self.sum_event(self.log_density(z))

    def log_density(self, z: Tensor) -> Tensor:
        """log density, spread over the entries of each variable, in the law's shape."""
        categories = self.shape[-1]
        volume = math.lgamma(categories) + (categories - 1) * self.temperature.log()
        return (self.logits - self.temperature * z).log_softmax(-1) + volume / categories


class RelaxedOneHotCategorical(ExpRelaxedCategorical):
    """Points of the simplex that are nearly one-hot: softmax((logits + Gumbel) / temperature), the Concrete law.

    `probs` or `logits` as for OneHotCategorical. At low temperatures entries round to 0, where `log_prob` takes the
    smallest positive number; write densities with ExpRelaxedCategorical there.
    Maddison et al. 2017, Definition 1; Jang et al. 2017.
    """

    def path(self, noise: Mapping[str, Tensor]) -> Tensor:
        return self.tempered(noise).softmax(-1)

    def log_prob(self, z: Tensor) -> Tensor:
        log_z = z.clamp_min(torch.finfo(z.dtype).tiny).log()
        return self.sum_event(self.log_density(log_z) - log_z)
