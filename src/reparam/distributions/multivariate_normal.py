"""The Normal law with a full covariance: z = loc + L ε."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from reparam.distributions.arguments import require_tensors
from reparam.distributions.base import Law, require
from reparam.errors import ReparamError
from reparam.noise import NoiseSpec


class MultivariateNormal(Law):
    """Normal vectors over the last axis with mean `loc` and covariance L Lᵀ.

    Exactly one of `scale_tril` (L: lower triangular, positive diagonal) and `covariance_matrix` is given,
    [..., D, D]; the latter is factorised by Cholesky. `event_dims` counts the vector's axis: 1 (the default) for one
    vector per plate entry, 2 for [..., N, D] with N independent vectors per entry. Base noise: one standard normal per
    entry; path: loc + L ε.
    """

    reparameterized = True
    unbounded = True

    def __init__(
        self,
        loc: Tensor,
        covariance_matrix: Tensor | None = None,
        scale_tril: Tensor | None = None,
        event_dims: int | None = None,
    ) -> None:
        if (covariance_matrix is None) == (scale_tril is None):
            raise ReparamError("MultivariateNormal takes exactly one of covariance_matrix and scale_tril")
        self._given_covariance = covariance_matrix
        given = covariance_matrix if scale_tril is None else scale_tril
        require_tensors("MultivariateNormal", loc, given)
        assert given is not None
        if loc.ndim == 0 or given.ndim < 2 or given.shape[-1] != given.shape[-2]:
            raise ReparamError("MultivariateNormal needs a vector and square matrices over the last axes")
        super().__init__(loc, given[..., 0], event_dims=event_dims)
        if self.event_dims < 1:
            raise ReparamError("MultivariateNormal: event_dims counts the vector's axis and is at least 1")
        if given.shape[-1] != self.shape[-1]:
            raise ReparamError(
                f"MultivariateNormal: {self.shape[-1]} means but matrices of {given.shape[-1]} rows"
            )
        self.loc = loc
        self.scale_tril = _cholesky(given) if scale_tril is None else scale_tril

    @classmethod
    def example(cls) -> MultivariateNormal:
        return cls(torch.zeros(3), scale_tril=torch.eye(3))

    def validate(self) -> None:
        require(torch.isfinite(self.loc), "MultivariateNormal's loc", "finite", self.loc)
        covariance = self._given_covariance
        if covariance is not None:
            name, skew = "MultivariateNormal's covariance_matrix", covariance - covariance.mT
            require(torch.isfinite(covariance), name, "finite", covariance)
            require(
                skew.abs() <= 1e-5 * covariance.abs().amax((-2, -1), keepdim=True), name, "symmetric", skew
            )
            smallest = torch.linalg.eigvalsh(covariance)[..., 0]
            definite = torch.isfinite(self.scale_tril).all(-1).all(-1)
            require(definite, f"The smallest eigenvalue of {name}", "positive", smallest)
            return
        name, diagonal = "MultivariateNormal's scale_tril", self.scale_tril.diagonal(dim1=-2, dim2=-1)
        require(torch.isfinite(self.scale_tril), name, "finite", self.scale_tril)
        require(diagonal > 0, f"The diagonal of {name}", "positive", diagonal)
        above = self.scale_tril.triu(1)
        require(above == 0, name, "lower triangular", above)

    @property
    def covariance_matrix(self) -> Tensor:
        """L Lᵀ, [..., D, D]."""
        return self.scale_tril @ self.scale_tril.mT

    @property
    def mean(self) -> Tensor:
        """The mean, in the law's shape."""
        return self.loc.expand(self.shape)

    @property
    def variance(self) -> Tensor:
        """The variance of each entry, in the law's shape."""
        return self.scale_tril.square().sum(-1).expand(self.shape)

    def noise(self) -> dict[str, NoiseSpec]:
        return {"normal": NoiseSpec("normal", self.shape)}

    def path(self, noise: Mapping[str, Tensor]) -> Tensor:
        return self.loc + (self.scale_tril @ noise["normal"].unsqueeze(-1)).squeeze(-1)

    def log_prob(self, z: Tensor) -> Tensor:
        standard = self._standardize(z - self.loc)
        return self.sum_event(-0.5 * standard.square() - self._log_diagonal() - 0.5 * math.log(2 * math.pi))

    def entropy(self) -> Tensor:
        """Differential entropy in nats, in the plate's shape."""
        entries = self._log_diagonal() + 0.5 * math.log(2 * math.pi * math.e)
        return self.sum_event(entries.expand(self.shape))

    def kl(self, other: MultivariateNormal) -> Tensor:
        """KL(self ‖ other) in nats, in the plate's shape."""
        spread = torch.linalg.solve_triangular(other.scale_tril, self.scale_tril, upper=False)
        distance = other._standardize(self.loc - other.loc).square()
        log_ratio = self._log_diagonal() - other._log_diagonal()
        entries = 0.5 * (spread.square().sum(-1) + distance - 1) - log_ratio
        return self.sum_event(entries.expand(self.shape))

    def _standardize(self, difference: Tensor) -> Tensor:
        """L⁻¹ applied to vectors."""
        return torch.linalg.solve_triangular(self.scale_tril, difference.unsqueeze(-1), upper=False).squeeze(
            -1
        )

    def _log_diagonal(self) -> Tensor:
        return self.scale_tril.diagonal(dim1=-2, dim2=-1).log()


def _cholesky(covariance: Tensor) -> Tensor:
    """The Cholesky factor, NaN where there is none: unlike linalg.cholesky it reads no value, so it can be traced."""
    factor, failed = torch.linalg.cholesky_ex(covariance)
    return torch.where(failed[..., None, None] == 0, factor, torch.nan)
