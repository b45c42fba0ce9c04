"""The Dirichlet law: gamma variables over their sum, in log space."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from reparam.distributions import incomplete_gamma, log_gamma
from reparam.distributions.arguments import require_tensors
from reparam.distributions.base import Law
from reparam.distributions.inverse_cdf import require_positive
from reparam.distributions.numerics import at_edge, digamma_deficit, exp_in_range, log_gamma_excess, log_ratio
from reparam.distributions.rejection import Draw
from reparam.errors import ReparamError
from reparam.noise import NoiseSpec


class Dirichlet(Law):
    """Points of the simplex over the last axis, with density proportional to Π z_k^(α_k − 1).

    α is `concentration`; `event_dims` counts the vector's axis. Base noise: one uniform per entry. Path: the softmax of
    the logarithms of gamma variables, differentiated implicitly in each (Figurnov et al. 2018). Entries too small for
    the dtype, as most are for small α, are the last number in range, with derivative 0: `log_path` and `log_density`
    have their logarithms.
    """

    reparameterized = True

    def __init__(self, concentration: Tensor, event_dims: int | None = None) -> None:
        require_tensors("Dirichlet", concentration)
        if concentration.ndim == 0 or not concentration.shape[-1]:
            raise ReparamError("Dirichlet needs a vector of concentrations over the last axis")
        super().__init__(concentration, event_dims=event_dims)
        if self.event_dims < 1:
            raise ReparamError("Dirichlet: event_dims counts the vector's axis and is at least 1")
        self.concentration = concentration

    @classmethod
    def example(cls) -> Dirichlet:
        return cls(2 * torch.ones(3))

    def validate(self) -> None:
        require_positive(self, concentration=self.concentration)

    @property
    def mean(self) -> Tensor:
        """The mean, in the law's shape."""
        return self.concentration / self._total

    @property
    def variance(self) -> Tensor:
        """The variance of each entry, in the law's shape."""
        return self.mean * ((self._total - self.concentration) / self._total) / (self._total + 1)

    def noise(self) -> dict[str, NoiseSpec]:
        return {"uniform": NoiseSpec("uniform", self.shape)}

    def log_path(self, noise: Mapping[str, Tensor]) -> Tensor:
        """The logarithms of the sample's entries, which do not underflow."""
        alpha = self.concentration
        return (self._log_ratios(noise) + log_ratio(alpha, alpha.amax(-1, keepdim=True))).log_softmax(-1)

    @property
    def gamma_shapes(self) -> Tensor:
        """The shapes of the gamma variables that `accept` draws."""
        return self.concentration

    def rejection_noise(self, boost: int = 0) -> dict[str, NoiseSpec]:
        """The base noise of `accept`, with all concentrations raised by `boost` there."""
        return log_gamma.rejection_noise(self.shape, boost)

    def accept(self, noise: Mapping[str, Tensor]) -> Draw:
        """A draw made of gamma variables by rejection (see `log_gamma.accept`)."""
        return self._draw(log_gamma.accept(self.gamma_shapes, noise))

    def standardize(self, noise: Mapping[str, Tensor]) -> Draw:
        """The sample of the law's own path, made of standardised gamma variables (see `log_gamma.standardize`)."""
        alpha = self.concentration
        log_x = self._log_ratios(noise) + alpha.log()
        return self._draw(log_gamma.standardize(alpha, log_x.detach()))

    def _draw(self, part: log_gamma.Part) -> Draw:
        z = exp_in_range(part.log_x.log_softmax(-1))
        return Draw(z, self.sum_event(part.log_density), self.sum_event(part.failed) > 0)

    def path(self, noise: Mapping[str, Tensor]) -> Tensor:
        return exp_in_range(self.log_path(noise))

    def log_prob(self, z: Tensor) -> Tensor:
        log_z = torch.where(z > 0, torch.where(z > 0, z, 1.0).log(), -torch.inf)
        beyond = self.sum_event((z < 0).to(z.dtype)) > 0
        return torch.where(beyond, -torch.inf, self.log_density(log_z))

    def log_density(self, log_z: Tensor) -> Tensor:
        """log density of z at the entries e^log_z, in the plate's shape."""
        alpha, total = self.concentration, self._total
        edge, log_mean = log_z == -torch.inf, log_ratio(alpha, total)
        log_z = torch.where(edge, log_mean, log_z)
        entries = alpha * (log_z - log_mean) - log_z - log_gamma_excess(alpha) + alpha.log()
        entries = torch.where(edge, at_edge(alpha - 1, entries), entries)
        volume = log_gamma_excess(total) - total.log()
        return self.sum_event(entries + volume / self.shape[-1])

    def entropy(self) -> Tensor:
        """Differential entropy in nats, in the plate's shape."""
        alpha, total, size = self.concentration, self._total, self.shape[-1]
        entries = log_gamma_excess(alpha) + (alpha - 1) * digamma_deficit(alpha)
        whole = log_gamma_excess(total) + (total - size) * digamma_deficit(total) + (size - 1) * total.log()
        return self.sum_event(entries - whole / size)

    def kl(self, other: Dirichlet) -> Tensor:
        """KL(self ‖ other) in nats, in the plate's shape, without cancellation for large concentrations."""
        alpha, beta, total, total_other = self.concentration, other.concentration, self._total, other._total
        means = beta * ((self.mean - other.mean) / other.mean - log_ratio(self.mean, other.mean))
        entries = means + (beta - alpha) * digamma_deficit(alpha) + log_ratio(alpha, beta)
        entries = entries + log_gamma_excess(beta) - log_gamma_excess(alpha)
        whole = (total_other - total) * digamma_deficit(total) + log_ratio(total, total_other)
        whole = whole + log_gamma_excess(total_other) - log_gamma_excess(total)
        return self.sum_event(entries - whole / self.shape[-1])

    def _log_ratios(self, noise: Mapping[str, Tensor]) -> Tensor:
        """Logarithms of gamma variables over their means."""
        u = noise["uniform"]
        return incomplete_gamma.quantile(u.log(), torch.log1p(-u), self.concentration)

    @property
    def _total(self) -> Tensor:
        return self.concentration.sum(-1, keepdim=True)
