"""The linear-Gaussian latent variable model, whose likelihood and posterior are known in closed form.

z ~ N(0, I_K), x|z ~ N(W z + b, σ² I_D): probabilistic PCA (Tipping & Bishop 1999).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]


@dataclass(frozen=True)
class LinearGaussian:
    """`weight` [D, K], `bias` [D], noise standard deviation `sigma`."""

    weight: Array
    bias: Array
    sigma: float

    def log_likelihood(self, x: Array) -> Array:
        """log p(x) in nats for x [M, D]: [M]; x ~ N(b, W Wᵀ + σ² I)."""
        covariance = self.weight @ self.weight.T + self.sigma**2 * np.eye(len(self.bias))
        density = stats.multivariate_normal(self.bias, covariance)
        return np.atleast_1d(density.logpdf(x))

    def posterior(self, x: Array) -> tuple[Array, Array]:
        """Mean [M, K] and covariance [K, K] of p(z|x) for x [M, D]."""
        precision = np.eye(self.weight.shape[1]) + self.weight.T @ self.weight / self.sigma**2
        covariance = np.asarray(np.linalg.inv(precision), dtype=np.float64)
        mean = (x - self.bias) @ self.weight @ covariance / self.sigma**2
        return mean, covariance
