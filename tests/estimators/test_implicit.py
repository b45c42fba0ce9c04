"""Implicit reparameterization: the estimate of `pathwise` where that applies, and the exact one where it does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from sampled import bound, estimates, largest_z
from torch import Tensor

from reparam import estimate, gradient_moments
from reparam.distributions import (
    Bernoulli,
    Beta,
    Exponential,
    Gamma,
    Gumbel,
    Kumaraswamy,
    Laplace,
    Law,
    Logistic,
    LogNormal,
    Normal,
    StudentT,
    VonMises,
    Weibull,
)
from reparam.errors import ReparamError
from reparam.estimators.implicit import Implicit
from reparam.estimators.pathwise import Pathwise

TWO = {
    "Beta": Beta,
    "Gamma": Gamma,
    "Gumbel": Gumbel,
    "Kumaraswamy": Kumaraswamy,
    "Laplace": Laplace,
    "Logistic": Logistic,
    "LogNormal": LogNormal,
    "Normal": Normal,
    "Weibull": Weibull,
    "VonMises": VonMises,
    "Exponential": lambda a, b: Exponential(a * b),
    "StudentT": lambda a, b: StudentT(2 + a, 0 * a, b),
}
PARAMS = {
    "a": torch.tensor([[0.9, 2.3], [1.7, 0.6]], dtype=torch.float64),
    "b": torch.tensor([[1.4, 0.8], [0.7, 2.1]], dtype=torch.float64),
}


def of(make: Callable[..., Law]) -> Callable[..., Tensor]:
    def program(params: Mapping[str, Tensor], sample: Any) -> Tensor:
        return torch.sin(1.3 * sample("z", make(params["a"], params["b"]))).sum(-1) + params["a"].sum(-1)

    return program


@pytest.mark.parametrize("name", TWO)
def test_draw_by_draw_it_is_the_pathwise_estimate(name: str) -> None:
    program = of(TWO[name])
    for seed in range(5):
        ours, other = (estimate(program, PARAMS, estimator, seed) for estimator in (Implicit(), Pathwise()))
        torch.testing.assert_close(ours.value, other.value)
        for parameter, entry in other.gradient.items():
            torch.testing.assert_close(ours.gradient[parameter], entry, rtol=1e-7, atol=1e-9)


class Hard(Law):
    """An exponential law whose sampler has no derivative: it hands out constants."""

    def __init__(self, rate: Tensor) -> None:
        super().__init__(rate)
        self.rate = rate

    def noise(self) -> Any:
        return Exponential(self.rate).noise()

    def path(self, noise: Mapping[str, Tensor]) -> Tensor:
        return Exponential(self.rate).path(noise).detach()

    def log_prob(self, z: Tensor) -> Tensor:
        return Exponential(self.rate).log_prob(z)

    def cdf(self, z: Tensor) -> Tensor:
        return 1 - torch.exp(-self.rate * z)


def test_a_sampler_needs_no_derivative() -> None:
    """E z² = 2/λ²; a right estimator is 6 standard errors off in one entry with probability 2e-9."""

    def program(params: Mapping[str, Tensor], sample: Any) -> Tensor:
        return sample("z", Hard(params["rate"])).square().sum(-1)

    rate = torch.tensor([0.7, 2.0])
    found = gradient_moments(program, {"rate": rate}, "implicit", draws=50_000)
    exact = -4 / rate.double() ** 3
    assert ((found.mean["rate"] - exact).abs() < 6 * found.standard_error["rate"]).all()
    with pytest.raises(ReparamError, match=r"pathwise needs a differentiable path.*implicit"):
        estimate(program, {"rate": rate}, "pathwise", 0)


@pytest.mark.parametrize("key", ["normal_one_layer", "normal_two_layers", "normal_shared"])
def test_layers_and_shared_sites_are_exact_in_the_mean(key: str) -> None:
    assert largest_z(estimates(Implicit(), key), key) < bound(key)


def test_laws_without_a_cdf_are_refused() -> None:
    with pytest.raises(ReparamError, match="implicit needs a CDF, and sample site 'z' has a Bernoulli law"):
        estimate(lambda p, s: s("z", Bernoulli(logits=p["m"])).sum(-1), {"m": torch.zeros(2)}, "implicit", 0)


@pytest.mark.parametrize("alpha", [1e-3, 1e-2, 0.1])
def test_gamma_variables_of_small_shape_have_the_derivative_of_their_path(alpha: float) -> None:
    """In float32, where most samples are next to 0: the sum over 1,000 samples, from the same noise."""

    def program(params, sample):
        return sample("z", Gamma(params["alpha"].exp().expand(1000, 1), torch.ones(1000, 1))).sum(-1)

    params = {"alpha": torch.tensor(alpha).log()}
    found, expected = (
        estimate(program, params, name, 0).gradient["alpha"] for name in ("implicit", "pathwise")
    )
    torch.testing.assert_close(found, expected, rtol=1e-3, atol=0.0)


def test_an_angle_at_the_mode_has_a_derivative() -> None:
    """Of a uniform of ½, where the CDF turns from one tail to the other: dz/dloc = 1 and dz/dκ = 0."""
    params = {"loc": torch.tensor([0.3]), "kappa": torch.tensor([2.0])}
    noise = {"z": {"uniform": torch.full((1, 1), 0.5)}}
    found = estimate(
        lambda p, sample: sample("z", VonMises(p["loc"], p["kappa"])).sum(-1), params, Implicit(), noise
    )
    assert found.gradient["loc"].item() == pytest.approx(1.0) and found.gradient["kappa"].item() == 0
