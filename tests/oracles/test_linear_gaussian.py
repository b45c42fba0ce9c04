"""The closed form against quadrature over the code."""

import numpy as np
from scipy import integrate, stats

from reparam.oracles.linear_gaussian import LinearGaussian

MODEL = LinearGaussian(np.array([[1.3], [-0.4], [0.2]]), np.array([0.1, 0.0, -0.5]), 0.6)
X = np.array([[0.5, 0.3, -1.0], [-2.0, 1.0, 0.0]])


def joint(z: float, x: np.ndarray) -> float:
    mean = MODEL.weight[:, 0] * z + MODEL.bias
    return float(stats.norm.pdf(z) * stats.norm.pdf(x, mean, MODEL.sigma).prod())


def test_likelihood_and_posterior_are_those_of_quadrature() -> None:
    mean, covariance = MODEL.posterior(X)
    for x, log_likelihood, centre in zip(X, MODEL.log_likelihood(X), mean, strict=True):
        total = integrate.quad(joint, -10, 10, (x,), epsabs=1e-13)[0]
        np.testing.assert_allclose(log_likelihood, np.log(total), rtol=1e-8)
        first = integrate.quad(lambda z, x=x: z * joint(z, x), -10, 10, epsabs=1e-13)[0] / total
        second = integrate.quad(lambda z, x=x: z * z * joint(z, x), -10, 10, epsabs=1e-13)[0] / total
        np.testing.assert_allclose(centre[0], first, rtol=1e-6)
        np.testing.assert_allclose(covariance[0, 0], second - first**2, rtol=1e-6)
