"""Traced and compiled gradients of every law that is continuous are those of eager mode, in every parameter.

A new law is tested by adding it to LAWS, which is checked to name every public one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from reparam import distributions
from reparam.distributions import (
    Beta,
    Categorical,
    Cauchy,
    Dirichlet,
    Exponential,
    ExpRelaxedCategorical,
    FromCDF,
    FromInverseCDF,
    FromStandardization,
    FromTriangularStandardization,
    Gamma,
    Gumbel,
    Kumaraswamy,
    Laplace,
    Law,
    Logistic,
    LogitRelaxedBernoulli,
    LogNormal,
    MixtureSameFamily,
    MultivariateNormal,
    Normal,
    NormalizingFlow,
    OMTMultivariateNormal,
    PlanarFlow,
    PowerSpherical,
    RelaxedBernoulli,
    RelaxedOneHotCategorical,
    StudentT,
    Uniform,
    VonMises,
    VonMisesFisher,
    Weibull,
)
from reparam.engine.paths import build
from reparam.noise import draw_block

DRAWS = 2
LOC, OTHER = torch.tensor([0.3, -1.2]), torch.tensor([[0.5, -0.4], [1.0, 0.8]])
SCALE, SHAPE = torch.tensor([0.7, 1.6]), torch.tensor([2.3, 0.6])
TRIL = torch.tensor([[1.3, 0.0], [-0.4, 0.8]])
DIRECTION = torch.tensor([0.3, -1.0, 0.5])
KAPPA = torch.tensor(1.7)
Parameters = tuple[Tensor, ...]


class Case(NamedTuple):
    """A law by its parameters, and what is drawn from it."""

    make: Callable[..., Law]
    parameters: Parameters
    sampler: str = "path"


def normals(logits: Tensor, loc: Tensor, scale: Tensor) -> MixtureSameFamily:
    return MixtureSameFamily(Categorical(logits=logits), Normal(loc, scale, event_dims=0))


def vectors(logits: Tensor, loc: Tensor, scale: Tensor) -> MixtureSameFamily:
    return MixtureSameFamily(Categorical(logits=logits), Normal(loc, scale.expand(2, 2)))


def gammas(logits: Tensor, shape: Tensor, rate: Tensor) -> MixtureSameFamily:
    return MixtureSameFamily(Categorical(logits=logits), Gamma(shape, rate, event_dims=0))


def flow(loc: Tensor, weight: Tensor, scale: Tensor) -> NormalizingFlow:
    return NormalizingFlow(Normal(loc, torch.ones(2)), [PlanarFlow(weight, scale, torch.zeros(()))])


LAWS = {
    kind.__name__: Case(kind, (LOC, SCALE)) for kind in (Normal, Laplace, Logistic, Gumbel, Cauchy, LogNormal)
}
LAWS |= {kind.__name__: Case(kind, (SHAPE, SCALE)) for kind in (Weibull, Kumaraswamy, Gamma, Beta)}
LAWS |= {
    kind.__name__: Case(lambda temperature, logits, kind=kind: kind(temperature, logits=logits), (KAPPA, LOC))
    for kind in (RelaxedBernoulli, LogitRelaxedBernoulli, RelaxedOneHotCategorical, ExpRelaxedCategorical)
}
LAWS |= {
    kind.__name__: Case(lambda loc, tril, kind=kind: kind(loc, scale_tril=tril.tril()), (LOC, TRIL))
    for kind in (MultivariateNormal, OMTMultivariateNormal)
}
LAWS |= {
    "Exponential": Case(Exponential, (SCALE,)),
    "Uniform": Case(lambda low, width: Uniform(low, low + width), (LOC, SCALE)),
    "StudentT": Case(StudentT, (SHAPE, LOC, SCALE)),
    "VonMises": Case(VonMises, (LOC, SHAPE)),
    "Dirichlet": Case(Dirichlet, (SHAPE,)),
    "PowerSpherical": Case(PowerSpherical, (DIRECTION, KAPPA)),
    "VonMisesFisher": Case(VonMisesFisher, (DIRECTION, KAPPA)),
    "MixtureSameFamily": Case(normals, (LOC, LOC, SCALE)),
    "MixtureSameFamily, vectors": Case(vectors, (LOC, OTHER, SCALE)),
    "MixtureSameFamily, gammas": Case(gammas, (LOC, SHAPE, SCALE)),
    "NormalizingFlow": Case(flow, (LOC, OTHER[0], OTHER[1])),
    "FromInverseCDF": Case(
        lambda loc, scale: FromInverseCDF(lambda u, m, s: m + s * torch.logit(u), (loc, scale)), (LOC, SCALE)
    ),
    "FromCDF": Case(
        lambda loc, scale: FromCDF(lambda z, m, s: torch.sigmoid((z - m) / s), (loc, scale)), (LOC, SCALE)
    ),
    "FromStandardization": Case(
        lambda loc, scale: FromStandardization(lambda z, m, s: torch.asinh(z - m) / s, (loc, scale)),
        (LOC, SCALE),
    ),
    "FromTriangularStandardization": Case(
        lambda loc, scale: FromTriangularStandardization(
            lambda z, m, s: (z - m) / s + 0.3 * z.cumsum(-1), (loc, scale), shape=(2,)
        ),
        (LOC, SCALE),
    ),
}
SAMPLERS = {
    "Gamma, accept": Case(Gamma, (SHAPE, SCALE), "accept"),
    "Beta, accept": Case(Beta, (SHAPE, SCALE), "accept"),
    "Dirichlet, accept": Case(Dirichlet, (SHAPE,), "accept"),
    "VonMises, accept": Case(VonMises, (LOC, SHAPE), "accept"),
    "VonMisesFisher, accept": Case(VonMisesFisher, (torch.cat([DIRECTION, LOC]), KAPPA), "accept"),
    "Gamma, standardize": Case(Gamma, (SHAPE, SCALE), "standardize"),
    "Beta, standardize": Case(Beta, (SHAPE, SCALE), "standardize"),
    "Dirichlet, standardize": Case(Dirichlet, (SHAPE,), "standardize"),
}
CASES = LAWS | SAMPLERS


def noise_of(name: str) -> dict[str, Tensor]:
    law = CASES[name].make(*CASES[name].parameters)
    specs = law.rejection_noise(1) if CASES[name].sampler == "accept" else law.noise()
    return draw_block({"z": specs}, ("compiled", name), DRAWS)["z"]


def gradients(name: str, noise: dict[str, Tensor], *parameters: Tensor) -> Parameters:
    """Of every draw, in all parameters: through the sample, and through log π of its noise where that has a law."""
    make, _, sampler = CASES[name]

    def loss(noise: dict[str, Tensor], *parameters: Tensor) -> Tensor:
        found = getattr(make(*parameters), sampler)(noise)
        z, of_noise = (found, torch.zeros(())) if isinstance(found, Tensor) else found[:2]
        return z.sin().sum() + 2 * of_noise.sum()

    every = tuple(range(1, 1 + len(parameters)))
    return torch.vmap(torch.func.grad(loss, every), (0, *(None,) * len(parameters)))(noise, *parameters)


def agree(names: Iterable[str], how: Any) -> None:
    given = {name: (noise_of(name), *CASES[name].parameters) for name in names}

    def every(given: dict[str, Any]) -> dict[str, Parameters]:
        return {name: gradients(name, *arguments) for name, arguments in given.items()}

    eager = every(given)
    torch.testing.assert_close(build(every, (given,), how)(given), eager, rtol=1e-4, atol=1e-5)
    assert all(slope.abs().max() > 1e-3 for slopes in eager.values() for slope in slopes)


def test_every_law_with_a_path_is_here() -> None:
    kinds = [getattr(distributions, name) for name in distributions.__all__]
    laws = [
        kind
        for kind in kinds
        if isinstance(kind, type) and issubclass(kind, Law) and hasattr(kind, "example")
    ]
    with_path = {
        kind.__name__
        for kind in laws
        if kind not in (Law, distributions.Relaxable) and kind.example().reparameterized
    }
    assert with_path - {"HypersphericalUniform"} == {
        name.split(",")[0] for name in LAWS
    }  # it has no parameter
    for sampler in ("accept", "standardize"):
        able = {kind.__name__ for kind in laws if hasattr(kind, sampler)}
        assert able == {name.split(",")[0] for name in SAMPLERS if name.endswith(sampler)}


@pytest.mark.slow
@pytest.mark.parametrize("name", [*LAWS, *SAMPLERS])
def test_traced_gradients_are_those_of_eager_mode(name: str) -> None:
    agree([name], "traced")


IMPLICIT = ("StudentT", "Dirichlet", "VonMises")
"""One for each kind of quantile; Beta laws have that of Student's, and Gamma laws that of Dirichlet's."""
DERIVED = (NormalizingFlow, MixtureSameFamily, PowerSpherical, VonMisesFisher, Gamma, Beta)
EXPLICIT = [
    name for name in LAWS if not name.startswith(("From", *IMPLICIT, *(kind.__name__ for kind in DERIVED)))
]


@pytest.mark.slow
@pytest.mark.parametrize("names", [EXPLICIT, IMPLICIT], ids=["explicit", "implicit"])
def test_compiled_gradients_are_those_of_eager_mode(names: Iterable[str]) -> None:
    """Of the laws that all others are made of: what those add takes the compiler minutes."""
    agree(names, "compiled")
