"""The Beta law, drawn along its inverse CDF by logits and differentiated implicitly."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from reparam.distributions import incomplete_beta, log_gamma
from reparam.distributions.incomplete_beta import bend, log_beta_excess
from reparam.distributions.inverse_cdf import InverseCDF, require_positive
from reparam.distributions.numerics import at_edge, digamma_deficit
from reparam.distributions.rejection import Draw
from reparam.noise import NoiseSpec


class Beta(InverseCDF):
    """Beta entries on (0, 1), with density proportional to z^(a − 1) (1 − z)^(b − 1).

    a is `concentration1`, b is `concentration0`. Path: σ(y), with y the inverse CDF of the logit, and its derivatives
    in a and b implicit (Figurnov et al. 2018): those of one variable, which are the mean, given z, of those of a ratio
    of gamma variables. A value that the dtype cannot tell from 0 or 1 is the last that it can, with derivative 0;
    `logit_path` has the logit of any.
    """

    def __init__(self, concentration1: Tensor, concentration0: Tensor, event_dims: int | None = None) -> None:
        super().__init__(concentration1, concentration0, event_dims=event_dims)
        self.concentration1, self.concentration0 = concentration1, concentration0

    @classmethod
    def example(cls) -> Beta:
        return cls(2 * torch.ones(3), 2 * torch.ones(3))

    def validate(self) -> None:
        require_positive(self, concentration1=self.concentration1, concentration0=self.concentration0)

    @property
    def mean(self) -> Tensor:
        """The mean, in the law's shape."""
        return self.concentration1 / (self.concentration1 + self.concentration0)

    @property
    def variance(self) -> Tensor:
        """The variance, in the law's shape."""
        total = self.concentration1 + self.concentration0
        return self.mean * (self.concentration0 / total) / (total + 1)

    def logit_path(self, noise: Mapping[str, Tensor]) -> Tensor:
        """The logit of the sample, which does not round to an end."""
        return self._logit(noise["uniform"])

    @property
    def gamma_shapes(self) -> Tensor:
        """The shapes of the gamma variables that `accept` draws, two per entry, on a new last axis."""
        return torch.stack(torch.broadcast_tensors(self.concentration1, self.concentration0), dim=-1)

    def rejection_noise(self, boost: int = 0) -> dict[str, NoiseSpec]:
        """The base noise of `accept`, with both shapes raised by `boost` there."""
        return log_gamma.rejection_noise((*self.shape, 2), boost)

    def accept(self, noise: Mapping[str, Tensor]) -> Draw:
        """A draw as a share of two gamma variables, each by rejection (see `log_gamma.accept`)."""
        part = log_gamma.accept(self.gamma_shapes, noise)
        z = _sigmoid(part.log_x[..., 0] - part.log_x[..., 1])
        return Draw(z, self.sum_event(part.log_density.sum(-1)), self.sum_event(part.failed.any(-1)) > 0)

    def standardize(self, noise: Mapping[str, Tensor]) -> Draw:
        """The sample of the law's own path, made of its standardised logit: (y − E[y]) / sd[y] (Ruiz et al. 2016)."""
        _, a, b = self._with_shapes(noise["uniform"])
        center = torch.digamma(a) - torch.digamma(b)
        spread = (torch.polygamma(1, a) + torch.polygamma(1, b)).sqrt()
        y = center + spread * ((self.logit_path(noise) - center) / spread).detach()
        log_density = incomplete_beta.log_density(y, a, b) + spread.log()
        return Draw(_sigmoid(y), self.sum_event(log_density), self.sum_event(torch.zeros_like(y)) > 0)

    def icdf(self, u: Tensor) -> Tensor:
        return _sigmoid(self._logit(u))

    def cdf(self, z: Tensor) -> Tensor:
        outside = (z <= 0) | (z >= 1)
        inside = incomplete_beta.cdf(*self._with_shapes(torch.logit(torch.where(outside, 0.5, z))))
        return torch.where(outside, (z >= 1).to(z.dtype), inside)

    def log_prob(self, z: Tensor) -> Tensor:
        outside = (z <= 0) | (z >= 1)
        x = torch.where(outside, 0.5, z)
        density = incomplete_beta.log_density(*self._with_shapes(torch.logit(x)))
        a, b = self.concentration1, self.concentration0
        edge = torch.where(z == 0, at_edge(a - 1, b.log()), at_edge(b - 1, a.log()))
        beyond = torch.where((z == 0) | (z == 1), edge, -torch.inf)
        return self.sum_event(torch.where(outside, beyond, density - x.log() - torch.log1p(-x)))

    def entropy(self) -> Tensor:
        """Differential entropy in nats, in the plate's shape."""
        a, b = self.concentration1, self.concentration0
        n = a + b
        shapes = (a - 1) * digamma_deficit(a) + (b - 1) * digamma_deficit(b) - (n - 2) * digamma_deficit(n)
        return self.sum_event(log_beta_excess(a, b) + (a * b / n).log() - n.log() + shapes)

    def kl(self, other: Beta) -> Tensor:
        """KL(self ‖ other) in nats, in the plate's shape, without cancellation for large shapes."""
        a, b, c, d = self.concentration1, self.concentration0, other.concentration1, other.concentration0
        means = (c + d) * bend((a / b).log() - (c / d).log(), c / (c + d), d / (c + d))
        shapes = (c - a) * digamma_deficit(a) + (d - b) * digamma_deficit(b)
        shapes = shapes - (c + d - a - b) * digamma_deficit(a + b)
        entries = means + shapes + log_beta_excess(c, d) - log_beta_excess(a, b)
        return self.sum_event(entries.expand(self.shape))

    def _logit(self, u: Tensor) -> Tensor:
        u, a, b = self._with_shapes(u)
        return incomplete_beta.quantile(u.log(), torch.log1p(-u), a, b)

    def _with_shapes(self, entries: Tensor) -> tuple[Tensor, ...]:
        shapes = (self.concentration1.expand(self.shape), self.concentration0.expand(self.shape))
        return torch.broadcast_tensors(entries, *shapes)


def _sigmoid(logit: Tensor) -> Tensor:
    """σ, or the last number that the dtype can tell from 0 and 1, with derivative 0."""
    info = torch.finfo(logit.dtype)
    return torch.sigmoid(logit.clamp(math.log(info.tiny / info.eps), -math.log(info.eps)))
