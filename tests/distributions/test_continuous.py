"""Every law along an inverse CDF: scipy's law, exact derivatives, finite at the extremes, one gradient on every path.

A new law is tested by adding it to FAMILIES, which is checked to name every public law that has an inverse CDF.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from scipy import special, stats
from torch import Tensor

from reparam import distributions
from reparam.distributions import (
    Beta,
    Cauchy,
    Exponential,
    FromCDF,
    FromInverseCDF,
    FromStandardization,
    Gamma,
    Gumbel,
    Kumaraswamy,
    Laplace,
    Law,
    Logistic,
    LogNormal,
    Normal,
    StudentT,
    Uniform,
    VonMises,
    Weibull,
)
from reparam.engine.paths import build
from reparam.noise import draw, generator

LEVEL = 1e-6
"""Probability that a right law fails one Kolmogorov–Smirnov test; 2e-4 for all of this file."""


class _Kumaraswamy(stats.rv_continuous):
    def _cdf(self, x, a, b):
        with np.errstate(divide="ignore"):
            return -np.expm1(b * np.log1p(-(x**a)))

    def _pdf(self, x, a, b):
        return a * b * x ** (a - 1) * (1 - x**a) ** (b - 1)

    def _ppf(self, q, a, b):
        return (-np.expm1(np.log1p(-q) / b)) ** (1 / a)


kumaraswamy = _Kumaraswamy(a=0.0, b=1.0, name="kumaraswamy")


class VonMisesReference:
    """The von Mises law by 200 Gauss–Legendre nodes over each tail: scipy's own CDF has seven digits."""

    nodes, weights = np.polynomial.legendre.leggauss(200)

    def __init__(self, loc: np.ndarray, kappa: np.ndarray) -> None:
        self.loc, self.kappa = loc, kappa

    def _beyond(self, t: np.ndarray) -> np.ndarray:
        """The mass between t and π, t from 0 to π."""
        sine = np.sqrt(np.minimum(1, np.sin(t / 2) ** 2 + 20 / self.kappa))
        half = (2 * np.arcsin(sine) - t)[..., None] / 2
        s = t[..., None] + half * (1 + self.nodes)
        density = np.exp(-2 * self.kappa[..., None] * np.sin(s / 2) ** 2)
        return (half * density * self.weights).sum(-1) / (2 * np.pi * special.i0e(self.kappa))

    def cdf(self, z: Any) -> np.ndarray:
        offset = np.asarray(z) - self.loc
        tail = self._beyond(np.minimum(np.abs(offset), np.pi))
        return np.where(offset < 0, tail, 1 - tail)

    def ppf(self, u: np.ndarray) -> np.ndarray:
        tail = np.minimum(u, 1 - u)
        low, high = np.zeros(np.broadcast(u, self.loc).shape), np.full(np.broadcast(u, self.loc).shape, np.pi)
        for _ in range(60):
            middle = (low + high) / 2
            outside = self._beyond(middle) > tail
            low, high = np.where(outside, middle, low), np.where(outside, high, middle)
        return self.loc + np.sign(u - 0.5) * low

    def logpdf(self, z: Any) -> np.ndarray:
        exponent = -2 * self.kappa * np.sin((np.asarray(z) - self.loc) / 2) ** 2
        return exponent - np.log(2 * np.pi * special.i0e(self.kappa))

    def entropy(self) -> float:
        return float(stats.vonmises(self.kappa).entropy())

    def mean(self) -> np.ndarray:
        return self.loc

    def var(self) -> np.ndarray:
        return 1 - special.i1e(self.kappa) / special.i0e(self.kappa)


class Family(NamedTuple):
    """A law by its parameters, scipy's law by the same ones, and parameters mild and extreme."""

    make: Callable[..., Any]
    reference: Callable[..., Any]
    mild: tuple[list[float], list[float]]
    extreme: tuple[list[float], list[float]]
    """Each parameter's extremes; the tests combine them all."""
    rounded: Callable[[Tensor, Tensor], Tensor] = lambda loc, scale: scale < 1e-10 * loc.abs()
    """Where the samples, exact as they are, are rounded so much in float64 that a goodness of fit sees it."""


LOCATIONS = ([0.0, -3.0, 2.5, 0.4, 10.0, -0.1], [1.0, 0.2, 4.0, 0.05, 30.0, 0.7])
FAR = ([0.0, -1e4, 1e6], [1e-20, 1e-6, 1.0, 1e6, 1e20])


def rates(kind: Callable[..., Law]) -> Callable[..., Law]:
    """A law of one parameter, written with a second one that multiplies it."""
    return lambda rate, factor: kind(rate * factor)


FAMILIES = {
    "Normal": Family(Normal, stats.norm, LOCATIONS, FAR),
    "Laplace": Family(Laplace, stats.laplace, LOCATIONS, FAR),
    "Logistic": Family(Logistic, stats.logistic, LOCATIONS, FAR),
    "Gumbel": Family(Gumbel, stats.gumbel_r, LOCATIONS, FAR),
    "Cauchy": Family(Cauchy, stats.cauchy, LOCATIONS, FAR),
    "LogNormal": Family(
        LogNormal,
        lambda loc, scale: stats.lognorm(scale, scale=np.exp(loc)),
        ([0.0, -3.0, 2.5, 0.4, 1.0, -0.1], [1.0, 0.2, 0.5, 0.05, 2.0, 0.7]),
        ([-60.0, 0.0, 60.0], [1e-6, 1.0, 60.0]),
        lambda loc, scale: scale < 1e-5,
    ),
    "Exponential": Family(
        rates(Exponential),
        lambda rate, factor: stats.expon(scale=1 / (rate * factor)),
        ([1.0, 0.01, 3.0, 20.0, 0.5, 2.0], [1.0, 2.0, 0.5, 3.0, 0.2, 1.0]),
        ([1e-10, 1.0, 1e10], [1.0]),
        lambda rate, factor: torch.zeros_like(rate),
    ),
    "Gamma": Family(
        Gamma,
        lambda alpha, rate: stats.gamma(alpha, scale=1 / rate),
        ([1.0, 0.3, 3.0, 20.0, 0.5, 200.0], [1.0, 2.0, 0.5, 3.0, 0.2, 1.0]),
        ([1e-3, 0.1, 1.0, 30.0, 1e3, 1e6], [1e-3, 1.0, 1e3]),
        lambda alpha, rate: alpha < 0.05,
    ),
    "Beta": Family(
        Beta,
        stats.beta,
        ([1.0, 2.0, 0.5, 30.0, 0.9, 200.0], [1.0, 1.5, 2.0, 4.0, 1.5, 300.0]),
        ([1e-3, 0.1, 1.0, 30.0, 1e3, 1e6], [1e-3, 0.1, 1.0, 30.0, 1e3, 1e6]),
        lambda a, b: (a < 0.05) | (b < 0.5),
    ),
    "StudentT": Family(
        lambda df, scale: StudentT(df, torch.full_like(df, -0.3), scale),
        lambda df, scale: stats.t(df, loc=-0.3, scale=scale),
        ([3.0, 2.5, 5.0, 30.0, 200.0, 10.0], [1.0, 0.2, 4.0, 0.05, 30.0, 0.7]),
        ([1e-3, 0.1, 1.0, 30.0, 1e6], [1e-6, 1.0, 1e6]),
        lambda df, scale: (df < 0.1) | (scale < 1e-5),
    ),
    "VonMises": Family(
        VonMises,
        VonMisesReference,
        ([0.0, -3.0, 2.5, 0.4, 10.0, -0.1], [1.0, 0.2, 4.0, 0.05, 30.0, 700.0]),
        ([0.0, -3.0, 100.0], [1e-6, 1e-2, 1.0, 6.0, 1e3, 1e6]),
        lambda loc, kappa: torch.zeros_like(loc),
    ),
    "Weibull": Family(
        Weibull,
        lambda scale, k: stats.weibull_min(k, scale=scale),
        ([1.0, 0.01, 3.0, 20.0, 0.5, 2.0], [1.0, 2.0, 0.5, 3.0, 0.9, 12.0]),
        ([1e-6, 1.0, 1e6], [1e-3, 0.05, 1.0, 1e3]),
        lambda scale, k: k < 0.02,
    ),
    "Kumaraswamy": Family(
        Kumaraswamy,
        lambda a, b: kumaraswamy(a, b),
        ([1.0, 2.0, 0.5, 3.0, 0.9, 5.0], [1.0, 0.5, 2.0, 4.0, 1.5, 0.8]),
        ([1e-3, 0.05, 1.0, 1e3], [1e-3, 0.05, 1.0, 1e3]),
        lambda a, b: (a < 0.02) | (b < 0.5),
    ),
    "Uniform": Family(
        Uniform,
        lambda low, high: stats.uniform(low, high - low),
        ([0.0, -3.0, 2.5, 0.4, 10.0, -0.1], [1.0, 0.2, 4.0, 0.45, 30.0, 0.7]),
        ([-1e20, -1e-20, 0.0], [1e-6, 1.0, 1e20]),
        lambda low, high: torch.zeros_like(low),
    ),
    "FromInverseCDF": Family(
        lambda loc, scale: FromInverseCDF(lambda u, loc, scale: loc + scale * torch.logit(u), (loc, scale)),
        stats.logistic,
        LOCATIONS,
        FAR,
    ),
    "FromCDF": Family(
        lambda scale, k: FromCDF(
            lambda z, scale, k: -torch.expm1(-((z / scale) ** k)), (scale, k), support=(0.0, torch.inf)
        ),
        lambda scale, k: stats.weibull_min(k, scale=scale),
        ([1.0, 0.01, 3.0, 20.0, 0.5, 2.0], [1.0, 2.0, 0.5, 3.0, 0.9, 12.0]),
        ([1e-6, 1.0, 1e6], [0.4, 1.0, 20.0]),
        lambda scale, k: torch.zeros_like(k),
    ),
    "FromStandardization": Family(
        lambda loc, scale: FromStandardization(lambda z, loc, scale: (z - loc) / scale, (loc, scale)),
        stats.norm,
        LOCATIONS,
        ([0.0, -1e4, 1e6], [1e-6, 1.0, 1e6]),
    ),
}
ALL = pytest.mark.parametrize("name", FAMILIES)


def mild(name: str, dtype: torch.dtype = torch.float64) -> tuple[Tensor, ...]:
    """The mild parameters, [2, 3] each."""
    return tuple(torch.tensor(p, dtype=dtype).reshape(2, 3) for p in FAMILIES[name].mild)


def extreme(name: str, dtype: torch.dtype) -> tuple[Tensor, ...]:
    """Every combination of the extreme parameters, [combinations, 1] each."""
    axes = [torch.tensor(p, dtype=torch.float64) for p in FAMILIES[name].extreme]
    return tuple(p.reshape(-1, 1).to(dtype) for p in torch.meshgrid(*axes, indexing="ij"))


def reference(name: str, parameters: tuple[Tensor, ...]) -> Any:
    return FAMILIES[name].reference(*(p.double().numpy() for p in parameters))


def edges(dtype: torch.dtype) -> list[float]:
    """The least uniform that is ever drawn, some between, and the largest."""
    eps = torch.finfo(dtype).eps
    return [eps / 4, 1e-3, 0.3, 0.5, 0.8, 1 - eps / 2]


def noise_of(law: Law, u: Tensor) -> dict[str, Tensor]:
    """The noise of these quantiles."""
    return {
        role: torch.special.ndtri(u) if spec.kind == "normal" else u for role, spec in law.noise().items()
    }


def test_every_law_with_an_inverse_cdf_is_here() -> None:
    kinds = [getattr(distributions, name) for name in distributions.__all__]
    assert {kind.__name__ for kind in kinds if hasattr(kind, "icdf")} == set(FAMILIES)


@ALL
def test_log_density_cdf_and_quantiles_are_those_of_scipy(name: str) -> None:
    law, expected = FAMILIES[name].make(*mild(name)), reference(name, mild(name))
    law.validate()
    u = torch.tensor([1e-12, 1e-3, 0.3, 0.5, 0.8, 1 - 1e-6], dtype=torch.float64).reshape(-1, 1, 1)
    u = u.expand(-1, 2, 3)
    z = torch.as_tensor(expected.ppf(u.numpy()))
    torch.testing.assert_close(law.icdf(u), z, rtol=1e-7, atol=1e-12)
    torch.testing.assert_close(law.path(noise_of(law, u)), z, rtol=1e-7, atol=1e-12)
    torch.testing.assert_close(law.cdf(z), torch.as_tensor(expected.cdf(z)), rtol=1e-8, atol=0.0)
    entries = torch.as_tensor(expected.logpdf(z))
    torch.testing.assert_close(law.log_prob(z), entries.sum(-1), rtol=1e-8, atol=1e-8)


@ALL
def test_entropy_mean_and_variance_are_those_of_scipy(name: str) -> None:
    law, expected = FAMILIES[name].make(*mild(name)), reference(name, mild(name))
    if hasattr(law, "entropy"):
        entries = np.vectorize(lambda *p: FAMILIES[name].reference(*p).entropy())(*mild(name))
        torch.testing.assert_close(law.entropy(), torch.as_tensor(entries).sum(-1), rtol=1e-6, atol=1e-6)
        assert law.entropy().shape == law.plate
    if hasattr(law, "mean"):
        torch.testing.assert_close(law.mean, torch.as_tensor(expected.mean()), rtol=1e-6, atol=1e-9)
        torch.testing.assert_close(law.variance, torch.as_tensor(expected.var()), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize(
    "name", [n for n in FAMILIES if hasattr(getattr(distributions, n), "kl") and n != "VonMises"]
)
def test_kl_is_the_integral_that_it_stands_for(name: str) -> None:
    """KL(p ‖ q) = ∫₀¹ [log p − log q](F⁻¹(u)) du, with u = σ(t), by the trapezoidal rule on scipy's densities."""
    first = mild(name)
    second = (first[0] - 0.5, first[1] + 1.0) if name == "Uniform" else (first[0] * 1.3, first[1] * 1.2)
    p, q = (FAMILIES[name].make(*(x[..., None] for x in parameters)) for parameters in (first, second))
    own, other = reference(name, first), reference(name, second)
    t = np.linspace(-36, 36, 100_001).reshape(-1, 1, 1)
    u = special.expit(t)
    z = np.where(t < 0, own.ppf(u), own.isf(special.expit(-t)))
    expected = ((own.logpdf(z) - other.logpdf(z)) * u * special.expit(-t)).sum(0) * (t[1] - t[0])
    torch.testing.assert_close(p.kl(q), torch.as_tensor(expected), rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(p.kl(p), torch.zeros(2, 3, dtype=torch.float64))


@ALL
def test_the_path_follows_the_law_at_mild_and_at_extreme_parameters(name: str) -> None:
    """Kolmogorov–Smirnov test of every entry against scipy's CDF."""
    for parameters in (mild(name), extreme(name, torch.float64)):
        law, expected = FAMILIES[name].make(*parameters), reference(name, parameters)
        u = draw("uniform", (4000, *law.shape), generator("continuous", name), torch.float64)
        found = torch.as_tensor(expected.cdf(law.path(noise_of(law, u)))).flatten(1)
        rounded = FAMILIES[name].rounded(*parameters).flatten()
        for i in range(found.shape[1]):
            if not rounded[i]:
                assert stats.kstest(found[:, i].numpy(), "uniform").pvalue > LEVEL, (i, parameters)


@ALL
def test_the_derivative_of_the_path_is_exact(name: str) -> None:
    """dz/dφ against central differences, and against −(∂F/∂φ) / p with the law's own CDF and density."""
    family, parameters = FAMILIES[name], mild(name)
    u = torch.tensor([0.003, 0.2, 0.6, 0.97], dtype=torch.float64).reshape(-1, 1, 1).expand(-1, 2, 3)
    z = family.make(*parameters).icdf(u).detach()
    density = family.make(*(p[..., None] for p in parameters)).log_prob(z[..., None]).exp()

    def path(i: int, step: float) -> Tensor:
        shifted = [p * (1 + step) + step if i == j else p for j, p in enumerate(parameters)]
        return family.make(*shifted).icdf(u)

    for i, parameter in enumerate(parameters):

        def at(value: Tensor, i: int = i) -> Any:
            return family.make(*(value if i == j else p for j, p in enumerate(parameters)))

        _, slope = torch.func.jvp(lambda p: at(p).icdf(u), (parameter,), (torch.ones_like(parameter),))
        _, change = torch.func.jvp(lambda p: at(p).cdf(z), (parameter,), (torch.ones_like(parameter),))
        torch.testing.assert_close(slope, -change / density, rtol=1e-8, atol=1e-8)
        step = 1e-6
        difference = (path(i, step) - path(i, -step)) / (2 * step * (parameter + 1))
        torch.testing.assert_close(slope, difference, rtol=1e-6, atol=1e-6)
        _, backward = torch.func.vjp(lambda p: at(p).path(noise_of(at(p), u)).sum(0), parameter)
        torch.testing.assert_close(backward(torch.ones_like(parameter))[0], slope.sum(0))


def everything(name: str, u: Tensor, first: Tensor, second: Tensor) -> dict[str, Tensor]:
    """All that is differentiable in a law, at these quantiles."""
    law = FAMILIES[name].make(first, second)
    z = law.path(noise_of(law, u))
    found = {"path": z.log() if name in ("LogNormal", "Weibull", "FromCDF") else z}
    found["log_prob"], found["log_prob at"] = law.log_prob(z), law.log_prob(z.detach())
    found["cdf"] = law.cdf(z.detach())
    if hasattr(law, "entropy"):
        found["entropy"] = law.entropy()
    if hasattr(law, "kl"):
        found["kl"] = law.kl(FAMILIES[name].make(first, 1.1 * second))
    return found


@ALL
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_parameters_and_uniforms_leave_everything_finite(name: str, dtype: torch.dtype) -> None:
    parameters = extreme(name, dtype)
    for edge in edges(dtype):
        u = torch.full_like(parameters[0], edge)
        values, pullback = torch.func.vjp(lambda *p: everything(name, u, *p), *parameters)  # noqa: B023
        for key, value in values.items():
            assert value.isfinite().all(), (key, edge, value, parameters)
            assert value.dtype == dtype
            weights = {k: (k == key) * torch.ones_like(v) for k, v in values.items()}
            for slope in pullback(weights):
                assert slope.isfinite().all(), (key, edge, slope, parameters)
        assert ((values["cdf"] >= 0) & (values["cdf"] <= 1)).all()


@ALL
def test_float32_is_as_exact_as_float32_can_be(name: str) -> None:
    """Values and first derivatives against those of float64."""
    u = torch.tensor([0.01, 0.2, 0.6, 0.97])

    def slopes(dtype: torch.dtype) -> tuple[Tensor, tuple[Tensor, ...]]:
        value, pullback = torch.func.vjp(
            lambda *p: torch.stack([everything(name, v.to(dtype).expand(2, 3), *p)["path"] for v in u]),
            *mild(name, dtype),
        )
        return value, pullback(torch.ones_like(value))

    torch.testing.assert_close(
        slopes(torch.float32), slopes(torch.float64), rtol=2e-5, atol=2e-6, check_dtype=False
    )


QUADRATURES = ("Gamma", "Beta", "StudentT", "VonMises")
"""Their graphs are large; test_compiled.py has those of their samples."""


def test_traced_gradients_equal_eager() -> None:
    """Of densities, CDFs, entropies and divergences, for every draw and in both parameters."""
    u = draw("uniform", (3, 2, 3), generator("graph"), torch.float32)
    laws = {name: mild(name, torch.float32) for name in FAMILIES if name not in QUADRATURES}

    def loss(name: str, u: Tensor, first: Tensor, second: Tensor) -> Tensor:
        found = everything(name, u, first, second)
        return torch.stack([entry.sin().sum() for part, entry in found.items() if part != "path"]).sum()

    def gradients(u: Tensor, laws: dict[str, tuple[Tensor, ...]]) -> dict[str, tuple[Tensor, ...]]:
        of_one = torch.func.grad(loss, (2, 3))
        return {name: torch.vmap(lambda v, name=name: of_one(name, v, *laws[name]))(u) for name in laws}

    eager = gradients(u, laws)
    torch.testing.assert_close(build(gradients, (u, laws), "traced")(u, laws), eager)
    assert all(slope.abs().max() > 1e-3 for slopes in eager.values() for slope in slopes)


@ALL
def test_a_stack_of_laws_is_the_laws_one_by_one(name: str) -> None:
    parameters, u = mild(name), torch.tensor([0.2, 0.6, 0.9], dtype=torch.float64)
    stacked = torch.vmap(lambda *p: everything(name, u, *p))(*parameters)
    for i in range(2):
        one = everything(name, u, *(p[i] for p in parameters))
        torch.testing.assert_close({k: v[i] for k, v in stacked.items()}, one)


@ALL
def test_shapes_broadcast_and_events_are_summed(name: str) -> None:
    first, second = mild(name)
    law = FAMILIES[name].make(first[:, :1], second[:1])
    u = torch.full((2, 3), 0.3, dtype=torch.float64)
    assert law.shape == law.path(noise_of(law, u)).shape == law.icdf(u).shape == law.cdf(u).shape == (2, 3)
    assert law.plate == law.log_prob(law.icdf(u)).shape == (2,)
    for attribute in ("mean", "variance"):
        if hasattr(law, attribute):
            assert getattr(law, attribute).shape == (2, 3)
    for measure in ("entropy", "kl"):
        if hasattr(law, measure):
            assert getattr(law, measure)(*[law] * (measure == "kl")).shape == (2,)


SUPPORTS = {
    "LogNormal": (0.0, torch.inf),
    "Gamma": (0.0, torch.inf),
    "Beta": (0.0, 1.0),
    "Exponential": (0.0, torch.inf),
    "Weibull": (0.0, torch.inf),
    "FromCDF": (0.0, torch.inf),
    "Kumaraswamy": (0.0, 1.0),
}


@pytest.mark.parametrize("name", SUPPORTS)
def test_outside_the_support_the_density_is_zero_and_nothing_is_nan(name: str) -> None:
    parameters = tuple(p[:, :1] for p in mild(name))
    low, high = SUPPORTS[name]
    places = [low - 2.0, low - 1e-3] + ([high + 1e-3, high + 2.0] if high < torch.inf else [])
    for place in places:
        z = torch.full((2, 1), place, dtype=torch.float64)

        def both(z: Tensor, *p: Tensor) -> tuple[Tensor, Tensor]:
            law = FAMILIES[name].make(*p)
            return law.log_prob(z), law.cdf(z)

        (log_density, cdf), pullback = torch.func.vjp(both, z, *parameters)
        assert (log_density == -torch.inf).all()
        assert (cdf == float(place > low)).all()
        for slope in pullback((torch.ones_like(log_density), torch.ones_like(cdf))):
            assert (slope == 0).all()


@ALL
def test_a_sample_that_is_not_a_number_stays_one(name: str) -> None:
    law = FAMILIES[name].make(*mild(name))
    z = torch.full((2, 3), torch.nan, dtype=torch.float64)
    assert law.log_prob(z).isnan().all()
    assert law.cdf(z).isnan().all()


@pytest.mark.parametrize("kappa", [1e-6, 1.0, 50.0])
def test_angles_count_within_half_a_turn_of_loc(kappa: float) -> None:
    """Beyond it on either side the CDF of an angle stays 0 or 1; at loc it is one half."""
    loc = torch.tensor([0.4], dtype=torch.float64)
    law = VonMises(loc, torch.tensor([kappa], dtype=torch.float64))
    for offset, expected in ((-7.0, 0.0), (-np.pi, 0.0), (0.0, 0.5), (np.pi, 1.0), (3.3, 1.0), (7.0, 1.0)):
        torch.testing.assert_close(law.cdf(loc + offset).item(), expected, rtol=0.0, atol=1e-12)


def test_student_s_moments_end_where_their_integrals_do() -> None:
    """There is no mean for df ≤ 1, and no finite variance for df ≤ 2 (none at all for df ≤ 1)."""
    df = torch.tensor([0.5, 1.0, 1.5, 2.0, 2.5, 3.0], dtype=torch.float64)
    law = StudentT(df, torch.full_like(df, 0.3), torch.full_like(df, 2.0))
    nan, inf = torch.nan, torch.inf
    mean = torch.tensor([nan, nan, 0.3, 0.3, 0.3, 0.3], dtype=torch.float64)
    variance = torch.tensor([nan, nan, inf, inf, 20.0, 12.0], dtype=torch.float64)
    torch.testing.assert_close(law.mean, mean, equal_nan=True)
    torch.testing.assert_close(law.variance, variance, equal_nan=True)
