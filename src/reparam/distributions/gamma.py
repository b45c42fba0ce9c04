"""The Gamma law, drawn along its inverse CDF in log space and differentiated implicitly."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from reparam.distributions import incomplete_gamma, log_gamma
from reparam.distributions.inverse_cdf import InverseCDF, not_positive, require_positive
from reparam.distributions.numerics import (
    at_edge,
    digamma_deficit,
    exp_in_range,
    expm1_minus,
    log_gamma_excess,
    log_ratio,
    times_exp,
)
from reparam.distributions.rejection import Draw
from reparam.noise import NoiseSpec


class Gamma(InverseCDF):
    """Gamma entries with shape `concentration` α and `rate`: mean α / rate.

    Path: (α / rate) e^r, with r the logarithm of the inverse CDF over the mean: one uniform per entry, and no rejection
    that could fail. dr/dα is implicit (Figurnov et al. 2018). For small α most samples are too small for any dtype
    (at α = 1e-3, 92 % in float32): such a sample is the last number in range, with derivative 0, and `log_path` has
    its logarithm.
    """

    def __init__(self, concentration: Tensor, rate: Tensor, event_dims: int | None = None) -> None:
        super().__init__(concentration, rate, event_dims=event_dims)
        self.concentration, self.rate = concentration, rate

    @classmethod
    def example(cls) -> Gamma:
        return cls(2 * torch.ones(3), torch.ones(3))

    def validate(self) -> None:
        require_positive(self, concentration=self.concentration, rate=self.rate)

    @property
    def mean(self) -> Tensor:
        """The mean, in the law's shape."""
        return self.concentration / self.rate

    @property
    def variance(self) -> Tensor:
        """The variance, in the law's shape."""
        return self.mean / self.rate

    def log_path(self, noise: Mapping[str, Tensor]) -> Tensor:
        """The logarithm of the sample, which does not underflow."""
        return self._log_standard(noise["uniform"]) + self.mean.log()

    @property
    def gamma_shapes(self) -> Tensor:
        """The shapes of the gamma variables that `accept` draws."""
        return self.concentration.expand(self.shape)

    def rejection_noise(self, boost: int = 0) -> dict[str, NoiseSpec]:
        """The base noise of `accept`, with the shape raised by `boost` there."""
        return log_gamma.rejection_noise(self.shape, boost)

    def accept(self, noise: Mapping[str, Tensor]) -> Draw:
        """A draw by rejection (see `log_gamma.accept`)."""
        return self._draw(log_gamma.accept(self.gamma_shapes, noise))

    def standardize(self, noise: Mapping[str, Tensor]) -> Draw:
        """The sample of the law's own path, made of its standardised logarithm (see `log_gamma.standardize`)."""
        log_x = self._log_standard(noise["uniform"]) + self.concentration.log()
        return self._draw(log_gamma.standardize(self.concentration.expand(self.shape), log_x.detach()))

    def _draw(self, part: log_gamma.Part) -> Draw:
        z = exp_in_range(part.log_x - self.rate.log())
        return Draw(z, self.sum_event(part.log_density), self.sum_event(part.failed) > 0)

    def icdf(self, u: Tensor) -> Tensor:
        return times_exp(self.mean, self._log_standard(u))

    def cdf(self, z: Tensor) -> Tensor:
        r, alpha = torch.broadcast_tensors(self._log_ratio(z), self.concentration)
        return torch.where(not_positive(z), (z > 0).to(z.dtype), incomplete_gamma.cdf(r, alpha))

    def log_prob(self, z: Tensor) -> Tensor:
        log_x, alpha = self._log_ratio(z), self.concentration
        height = alpha.log() - alpha * expm1_minus(log_x) - log_gamma_excess(alpha)
        entries = torch.where(not_positive(z), -torch.inf, height - log_x - self.mean.log())
        return self.sum_event(torch.where(z == 0, at_edge(alpha - 1, self.rate.log()), entries))

    def entropy(self) -> Tensor:
        """Differential entropy in nats, in the plate's shape."""
        alpha = self.concentration
        entries = log_gamma_excess(alpha) + (alpha - 1) * digamma_deficit(alpha) - self.rate.log()
        return self.sum_event(entries)

    def kl(self, other: Gamma) -> Tensor:
        """KL(self ‖ other) in nats, in the plate's shape, without cancellation for large shapes."""
        alpha, beta = self.concentration, other.concentration
        means = log_ratio(self.mean, other.mean)
        shapes = (beta - alpha) * digamma_deficit(alpha) + log_ratio(alpha, beta)
        entries = beta * expm1_minus(means) + shapes + log_gamma_excess(beta) - log_gamma_excess(alpha)
        return self.sum_event(entries.expand(self.shape))

    def _log_standard(self, u: Tensor) -> Tensor:
        """log(z / mean) at the probability u."""
        u, alpha = torch.broadcast_tensors(u, self.concentration.expand(self.shape))
        return incomplete_gamma.quantile(u.log(), torch.log1p(-u), alpha)

    def _log_ratio(self, z: Tensor) -> Tensor:
        """log(z / mean), and 0 outside the support."""
        mean = self.mean
        return log_ratio(torch.where(not_positive(z), mean, z), mean)
