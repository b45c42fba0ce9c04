"""The contract of every law: its path has the law it claims, log_prob is torch's, entropy and KL are exact.

A new law is tested by adding it to LAWS, which is checked to name every public one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import ClassVar, NamedTuple

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor
from torch.distributions import Independent
from torch.distributions.relaxed_bernoulli import LogitRelaxedBernoulli as TorchLogitRelaxedBernoulli
from torch.distributions.relaxed_categorical import ExpRelaxedCategorical as TorchExpRelaxedCategorical

from reparam import distributions
from reparam.distributions import (
    Bernoulli,
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
    HypersphericalUniform,
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
    OneHotCategorical,
    PowerSpherical,
    RelaxedBernoulli,
    RelaxedOneHotCategorical,
    StudentT,
    TransformFlow,
    Uniform,
    VonMises,
    VonMisesFisher,
    Weibull,
)
from reparam.engine.paths import build
from reparam.errors import ReparamError
from reparam.noise import draw_block

LEVEL = 1e-5
"""Probability that a right law fails one test of one entry, pair or state; about 2e-3 for all of this file."""
LOC = torch.tensor([[0.0, -3.0, 40.0], [1e-3, 2.0, -1e3]], dtype=torch.float64)
SCALE = torch.tensor([[1.0, 1e-4, 30.0], [5.0, 0.3, 1e3]], dtype=torch.float64)
LOGITS = torch.tensor([[0.0, -3.0, 9.0], [0.5, -30.0, 30.0]], dtype=torch.float64)
VARIABLES = torch.tensor(
    [[[0.0, -1.0, 1.0], [30.0, 0.0, -30.0]], [[2.0, -0.5, 0.3], [0.1, 0.2, 0.3]]], dtype=torch.float64
)
"""[2, 2, 3]: two data, two variables of three categories."""
MILD = torch.tensor([[0.0, -3.0, 2.0], [0.5, -1.0, 1.0]], dtype=torch.float64)
TEMPERATURE = torch.tensor(0.7, dtype=torch.float64)
SHAPE = torch.tensor([[1.0, 0.3, 2.5], [0.7, 5.0, 1.2]], dtype=torch.float64)
TRIL = torch.diag_embed(SHAPE) + torch.tensor([[0, 0, 0], [0.5, 0, 0], [-2, 1, 0]], dtype=torch.float64)


class Case(NamedTuple):
    """A law, another of its kind, both as torch.distributions writes them, and its marginals."""

    law: Law
    reference: torch.distributions.Distribution
    other: Law | None = None
    """None where torch has no closed form of the KL."""
    other_reference: torch.distributions.Distribution | None = None
    uniform: Callable[[torch.Tensor], torch.Tensor] | None = None
    """For laws without a finite support: statistics of a draw that are uniform on (0, 1), its CDFs."""


def entries(kind: type[torch.distributions.Distribution], *parameters, **named) -> Independent:
    return Independent(kind(*parameters, **named), 1)


def gaps(log_z: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    """The CDF of log-ratios of neighbouring entries, which are logistic (Maddison et al. 2017, Proposition 1)."""
    ratio = TEMPERATURE * (log_z - log_z.roll(1, -1)) - (logits - logits.roll(1, -1))
    return torch.sigmoid(ratio)


class TorchLogistic(Independent):
    """The logistic law as torch's documentation writes it, with its moments."""

    def __init__(self, loc: torch.Tensor, scale: torch.Tensor) -> None:
        flat = torch.distributions.Uniform(torch.zeros_like(loc), torch.ones_like(loc))
        transforms = [
            torch.distributions.SigmoidTransform().inv,
            torch.distributions.AffineTransform(loc, scale),
        ]
        self.base_cdf = torch.distributions.TransformedDistribution(flat, transforms).cdf
        self.loc, self.scale = loc, scale
        super().__init__(torch.distributions.TransformedDistribution(flat, transforms), 1)

    @property
    def mean(self) -> torch.Tensor:
        return self.loc

    @property
    def variance(self) -> torch.Tensor:
        return (torch.pi * self.scale) ** 2 / 3

    def entropy(self) -> torch.Tensor:
        return (self.scale.log() + 2).sum(-1)


class AroundDirections(torch.distributions.Distribution):
    """Laws on the sphere in three dimensions with density ∝ exp(log_factor(w, κ)) in the cosine w to a mean direction.

    There w is uniform under the uniform law (Archimedes), so everything is a sum over w, by Gauss–Legendre.
    """

    arg_constraints: ClassVar = {}

    def __init__(
        self, log_factor: Callable[[Tensor, Tensor], Tensor], directions: Tensor, kappa: Tensor
    ) -> None:
        super().__init__(kappa.shape, (3,))
        points, weights = (torch.tensor(a) for a in np.polynomial.legendre.leggauss(200))
        self.log_factor, self.directions, self.kappa = log_factor, directions, kappa
        factors = weights * log_factor(points, kappa.unsqueeze(-1)).exp()
        self.log_total = factors.sum(-1).log() + math.log(2 * math.pi)
        self.first, self.second = (
            ((factors * points**k).sum(-1) / factors.sum(-1)).unsqueeze(-1) for k in (1, 2)
        )
        mean_log = (factors * log_factor(points, kappa.unsqueeze(-1))).sum(-1) / factors.sum(-1)
        self._entropy = self.log_total - mean_log

    def log_prob(self, z: Tensor) -> Tensor:
        return self.log_factor((z * self.directions).sum(-1), self.kappa) - self.log_total

    @property
    def mean(self) -> Tensor:
        return self.first * self.directions

    @property
    def variance(self) -> Tensor:
        square = self.directions.square()
        return self.second * square + (1 - self.second) / 2 * (1 - square) - self.mean.square()

    def entropy(self) -> Tensor:
        return self._entropy


DIRECTIONS = torch.nn.functional.normalize(LOC, dim=-1)
KAPPA = torch.tensor([0.3, 12.0], dtype=torch.float64)


def mises_cdf(z: Tensor) -> Tensor:
    """That of the cosine, in three dimensions."""
    w = (z * DIRECTIONS).sum(-1)
    return ((KAPPA * w).exp() - (-KAPPA).exp()) / (2 * KAPPA.sinh())


class TorchBeta(torch.distributions.Beta):
    """The Beta law with scipy's CDF."""

    def cdf(self, z: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(stats.beta.cdf(z, self.concentration1, self.concentration0))


class TorchVonMises(torch.distributions.VonMises):
    """The von Mises law with scipy's CDF and entropy."""

    def cdf(self, z: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(stats.vonmises.cdf(z - self.loc, self.concentration))

    def entropy(self) -> torch.Tensor:
        return torch.as_tensor(stats.vonmises(self.concentration.numpy()).entropy())


class TorchStudentT(torch.distributions.StudentT):
    """Student's law with scipy's CDF."""

    def cdf(self, z: torch.Tensor) -> torch.Tensor:
        return torch.as_tensor(stats.t.cdf(z, self.df, self.loc, self.scale))


LAWS = {
    "Normal": Case(
        Normal(LOC, SCALE),
        entries(torch.distributions.Normal, LOC, SCALE),
        Normal(SCALE, 2 * SCALE),
        entries(torch.distributions.Normal, SCALE, 2 * SCALE),
        uniform=torch.distributions.Normal(LOC, SCALE).cdf,
    ),
    "Bernoulli": Case(
        Bernoulli(logits=LOGITS),
        entries(torch.distributions.Bernoulli, logits=LOGITS),
        Bernoulli(logits=-LOGITS),
        entries(torch.distributions.Bernoulli, logits=-LOGITS),
    ),
    "Categorical": Case(
        Categorical(logits=LOGITS),
        torch.distributions.Categorical(logits=LOGITS),
        Categorical(logits=-LOGITS),
        torch.distributions.Categorical(logits=-LOGITS),
    ),
    "Categorical, two variables": Case(
        Categorical(logits=VARIABLES, event_dims=1),
        entries(torch.distributions.Categorical, logits=VARIABLES),
        Categorical(logits=-VARIABLES, event_dims=1),
        entries(torch.distributions.Categorical, logits=-VARIABLES),
    ),
    "OneHotCategorical": Case(
        OneHotCategorical(logits=LOGITS),
        torch.distributions.OneHotCategorical(logits=LOGITS),
        OneHotCategorical(logits=-LOGITS),
        torch.distributions.OneHotCategorical(logits=-LOGITS),
    ),
    "OneHotCategorical, two variables": Case(
        OneHotCategorical(logits=VARIABLES, event_dims=2),
        entries(torch.distributions.OneHotCategorical, logits=VARIABLES),
        OneHotCategorical(logits=-VARIABLES, event_dims=2),
        entries(torch.distributions.OneHotCategorical, logits=-VARIABLES),
    ),
    "RelaxedBernoulli": Case(
        RelaxedBernoulli(TEMPERATURE, logits=MILD),
        entries(torch.distributions.RelaxedBernoulli, TEMPERATURE, logits=MILD),
        uniform=lambda z: torch.sigmoid(TEMPERATURE * torch.logit(z) - MILD),
    ),
    "LogitRelaxedBernoulli": Case(
        LogitRelaxedBernoulli(TEMPERATURE, logits=LOGITS),
        entries(TorchLogitRelaxedBernoulli, TEMPERATURE, logits=LOGITS),
        uniform=lambda z: torch.sigmoid(TEMPERATURE * z - LOGITS),
    ),
    "RelaxedOneHotCategorical": Case(
        RelaxedOneHotCategorical(TEMPERATURE, logits=MILD),
        torch.distributions.RelaxedOneHotCategorical(TEMPERATURE, logits=MILD),
        uniform=lambda z: gaps(z.log(), MILD),
    ),
    "RelaxedOneHotCategorical, two variables": Case(
        RelaxedOneHotCategorical(TEMPERATURE, logits=MILD.expand(2, 2, 3), event_dims=2),
        entries(torch.distributions.RelaxedOneHotCategorical, TEMPERATURE, logits=MILD.expand(2, 2, 3)),
        uniform=lambda z: gaps(z.log(), MILD),
    ),
    "ExpRelaxedCategorical": Case(
        ExpRelaxedCategorical(TEMPERATURE, logits=LOGITS),
        TorchExpRelaxedCategorical(TEMPERATURE, logits=LOGITS),
        uniform=lambda z: gaps(z, LOGITS),
    ),
    "ExpRelaxedCategorical, two variables": Case(
        ExpRelaxedCategorical(TEMPERATURE, logits=VARIABLES, event_dims=2),
        entries(TorchExpRelaxedCategorical, TEMPERATURE, logits=VARIABLES),
        uniform=lambda z: gaps(z, VARIABLES),
    ),
}
LAWS |= {
    kind.__name__: Case(
        kind(*own),
        entries(reference, *own),
        kind(*another),
        entries(reference, *another),
        uniform=reference(*own).cdf,
    )
    for kind, reference, own, another in (
        (Laplace, torch.distributions.Laplace, (LOC, SCALE), (SCALE, 2 * SCALE)),
        (Beta, TorchBeta, (SHAPE, SHAPE.flip(-1)), (2 * SHAPE, SHAPE)),
        (Gamma, torch.distributions.Gamma, (SHAPE, SCALE), (2 * SHAPE, SHAPE)),
        (Gumbel, torch.distributions.Gumbel, (MILD, SHAPE), (SHAPE, 2 * SHAPE)),
        (Cauchy, torch.distributions.Cauchy, (LOC, SCALE), (SCALE, 2 * SCALE)),
        (LogNormal, torch.distributions.LogNormal, (MILD, SHAPE), (SHAPE, 2 * SHAPE)),
        (Exponential, torch.distributions.Exponential, (SCALE,), (2 * SCALE,)),
        (Uniform, torch.distributions.Uniform, (LOC, LOC + SCALE), (LOC - 1, LOC + 2 * SCALE)),
    )
}
LAWS |= {
    kind.__name__: Case(kind(*own), entries(reference, *own), uniform=reference(*own).cdf)
    for kind, reference, own in (
        (StudentT, TorchStudentT, (3 * SHAPE + 2, LOC, SCALE)),
        (VonMises, TorchVonMises, (LOC, SHAPE)),
        (Weibull, torch.distributions.Weibull, (SCALE, SHAPE)),
        (Kumaraswamy, torch.distributions.Kumaraswamy, (SHAPE, SHAPE.flip(-1))),
    )
}
LAWS["Logistic"] = Case(
    Logistic(LOC, SCALE), TorchLogistic(LOC, SCALE), uniform=TorchLogistic(LOC, SCALE).base_cdf
)
LAWS["Dirichlet"] = Case(
    Dirichlet(SHAPE),
    torch.distributions.Dirichlet(SHAPE),
    Dirichlet(2 * SHAPE + 0.1),
    torch.distributions.Dirichlet(2 * SHAPE + 0.1),
    uniform=lambda z: torch.as_tensor(stats.beta.cdf(z, SHAPE, SHAPE.sum(-1, keepdim=True) - SHAPE)),
)
MIXED = MixtureSameFamily(
    Categorical(logits=MILD), Normal(LOC[..., None] / 9, 0.1 + SHAPE[..., None].expand(2, 3, 2))
)
LAWS["MixtureSameFamily"] = Case(MIXED, MIXED.to_torch(), uniform=MIXED.transform)
NUMBERS = MixtureSameFamily(Categorical(logits=MILD), Normal(LOC / 9, SHAPE, event_dims=0))
LAWS["MixtureSameFamily, numbers"] = Case(NUMBERS, NUMBERS.to_torch(), uniform=NUMBERS.to_torch().cdf)
LAWS["MultivariateNormal"] = Case(
    MultivariateNormal(LOC, scale_tril=TRIL),
    torch.distributions.MultivariateNormal(LOC, scale_tril=TRIL),
    MultivariateNormal(SCALE, scale_tril=2 * TRIL),
    torch.distributions.MultivariateNormal(SCALE, scale_tril=2 * TRIL),
    uniform=lambda z: torch.special.ndtr(
        torch.linalg.solve_triangular(TRIL, (z - LOC).unsqueeze(-1), upper=False).squeeze(-1)
    ),
)
LAWS["OMTMultivariateNormal"] = Case(
    OMTMultivariateNormal(LOC, scale_tril=TRIL),
    torch.distributions.MultivariateNormal(LOC, scale_tril=TRIL),
    OMTMultivariateNormal(SCALE, scale_tril=2 * TRIL),
    torch.distributions.MultivariateNormal(SCALE, scale_tril=2 * TRIL),
    uniform=lambda z: torch.special.ndtr(
        torch.linalg.solve_triangular(TRIL, (z - LOC).unsqueeze(-1), upper=False).squeeze(-1)
    ),
)
LAWS["HypersphericalUniform"] = Case(
    HypersphericalUniform(3, (2,), dtype=torch.float64),
    AroundDirections(lambda w, kappa: 0 * w * kappa, DIRECTIONS, KAPPA),
    uniform=lambda z: (1 + z) / 2,
)
LAWS["NormalizingFlow"] = Case(
    NormalizingFlow(Normal(MILD, SHAPE), [TransformFlow(torch.distributions.ExpTransform())]),
    entries(torch.distributions.LogNormal, MILD, SHAPE),
    uniform=torch.distributions.LogNormal(MILD, SHAPE).cdf,
)
WHOLE = torch.tensor([1.0, 12.0], dtype=torch.float64)
LAWS["PowerSpherical"] = Case(
    PowerSpherical(DIRECTIONS, WHOLE),
    AroundDirections(lambda w, kappa: kappa * torch.log1p(w), DIRECTIONS, WHOLE),
    uniform=lambda z: ((1 + (z * DIRECTIONS).sum(-1)) / 2) ** (WHOLE + 1),
)
LAWS["VonMisesFisher"] = Case(
    VonMisesFisher(DIRECTIONS, KAPPA),
    AroundDirections(lambda w, kappa: kappa * w, DIRECTIONS, KAPPA),
    uniform=mises_cdf,
)
LAWS |= {
    type(law).__name__: Case(
        law,
        entries(torch.distributions.Normal, LOC[:, :2], SCALE[:, :2]),
        uniform=torch.distributions.Normal(LOC[:, :2], SCALE[:, :2]).cdf,
    )
    for law in (
        FromInverseCDF(lambda u, m, s: m + s * torch.special.ndtri(u), (LOC[:, :2], SCALE[:, :2])),
        FromCDF(lambda z, m, s: torch.special.ndtr((z - m) / s), (LOC[:, :2], SCALE[:, :2])),
        FromStandardization(lambda z, m, s: (z - m) / s, (LOC[:, :2], SCALE[:, :2])),
        FromTriangularStandardization(lambda z, m, s: (z - m) / s, (LOC[:, :2], SCALE[:, :2]), shape=(2, 2)),
    )
}
FINITE = [name for name, case in LAWS.items() if hasattr(case.law, "support")]


def draws_of(law: Law, count: int) -> torch.Tensor:
    noise = draw_block({"z": law.noise()}, ("law", type(law).__name__), count, dtype=torch.float64)["z"]
    return torch.vmap(law.path)(noise)


def test_every_law_is_here() -> None:
    kinds = {name: getattr(distributions, name) for name in distributions.__all__}
    public = {name for name, kind in kinds.items() if isinstance(kind, type) and issubclass(kind, Law)}
    assert public - {"Law", "Relaxable"} == {name.split(",")[0] for name in LAWS}


@pytest.mark.parametrize("name", LAWS)
def test_log_prob_is_that_of_torch_summed_over_the_event(name: str) -> None:
    law, reference, *_ = LAWS[name]
    z = draws_of(law, 7)
    torch.testing.assert_close(law.log_prob(z), torch.stack([reference.log_prob(one) for one in z]))
    assert law.log_prob(z[0]).shape == law.plate == (2,)
    assert z[0].shape == law.shape


@pytest.mark.parametrize("name", LAWS)
def test_entropy_kl_mean_and_variance_are_those_of_torch(name: str) -> None:
    law, reference, other, other_reference, _ = LAWS[name]
    if hasattr(law, "mean"):
        torch.testing.assert_close(law.mean, reference.mean)
        torch.testing.assert_close(law.variance, reference.variance)
    if hasattr(law, "entropy"):
        torch.testing.assert_close(law.entropy(), reference.entropy())
    if other is not None:
        expected = torch.distributions.kl_divergence(reference, other_reference)
        torch.testing.assert_close(law.kl(other), expected)


@pytest.mark.parametrize("name", sorted(LAWS.keys() - FINITE))
def test_the_path_follows_the_law_in_every_entry(name: str) -> None:
    """Kolmogorov–Smirnov tests of the law's CDFs of the draws against the uniform law."""
    law, *_, uniform = LAWS[name]
    found = uniform(draws_of(law, 20_000)).flatten(1)
    for i in range(found.shape[1]):
        assert stats.kstest(found[:, i].numpy(), "uniform").pvalue > LEVEL, i


@pytest.mark.parametrize("name", FINITE)
def test_the_path_meets_every_state_as_often_as_its_mass_says(name: str) -> None:
    """Exact binomial test of every joint state of an event; the masses are torch's."""
    law, reference, *_ = LAWS[name]
    draws, states = draws_of(law, 20_000), law.support()
    for state in states.to(draws.dtype):
        same = (draws == state).flatten(2).all(-1) if draws.ndim > 2 else draws == state
        mass = reference.log_prob(state.expand(law.shape)).exp()
        for count, p in zip(same.sum(0), mass, strict=True):
            assert stats.binomtest(int(count), len(draws), min(p.item(), 1.0)).pvalue > LEVEL


@pytest.mark.parametrize("name", FINITE)
def test_the_support_is_every_state_once(name: str) -> None:
    law = LAWS[name].law
    states = law.support()
    assert states.shape[1:] == law.shape[len(law.plate) :] == law.event
    assert law.states == len(states)
    assert len({tuple(state.flatten().tolist()) for state in states}) == len(states)
    mass = law.log_prob(states[:, None].expand(len(states), *law.shape)).exp()
    torch.testing.assert_close(mass.sum(0), torch.ones(law.plate, dtype=mass.dtype))


@pytest.mark.parametrize("kind", [Bernoulli, Categorical, OneHotCategorical])
def test_probabilities_of_zero_are_exact_and_differentiable(kind: type[Law]) -> None:
    """A state of mass 0 is never drawn, adds nothing to entropy and KL, and leaves the derivatives finite."""
    probs = torch.tensor([0.0, 1.0]) if kind is Bernoulli else torch.tensor([0.0, 0.25, 0.75])
    other = torch.tensor([0.3, 0.6]) if kind is Bernoulli else torch.tensor([0.5, 0.25, 0.25])
    possible = {Bernoulli: [0.0, 1.0], Categorical: 1, OneHotCategorical: [0.0, 1.0, 0.0]}[kind]
    impossible = {Bernoulli: [1.0, 1.0], Categorical: 0, OneHotCategorical: [1.0, 0.0, 0.0]}[kind]
    law = kind(probs=probs)
    law.validate()
    mass = 1.0 if kind is Bernoulli else 0.25
    assert law.log_prob(torch.tensor(possible)).exp().item() == pytest.approx(mass)
    assert law.log_prob(torch.tensor(impossible)).exp().item() < 1e-30
    assert not (draws_of(law, 2000) == torch.tensor(impossible)).reshape(2000, -1).all(-1).any()
    reference = torch.special.entr(torch.stack([probs, 1 - probs]) if kind is Bernoulli else probs).sum()
    torch.testing.assert_close(law.entropy(), reference, atol=1e-5, rtol=1e-5)
    kl = (torch.xlogy(probs, probs) - torch.xlogy(probs, other)).sum()
    kl = kl + (torch.xlogy(1 - probs, 1 - probs) - torch.xlogy(1 - probs, 1 - other)).sum() * (
        kind is Bernoulli
    )
    torch.testing.assert_close(law.kl(kind(probs=other)), kl, atol=1e-5, rtol=1e-5)

    def everything(probs: torch.Tensor) -> torch.Tensor:
        law = kind(probs=probs)
        return law.log_prob(torch.tensor(possible)) + law.entropy() + law.kl(kind(probs=other))

    assert torch.func.grad(everything)(probs).isfinite().all()


def test_the_mass_of_a_one_hot_vector_is_differentiable_in_all_its_entries() -> None:
    """Estimators that differentiate f at a hard sample also differentiate a log mass in f, zeros included."""
    logits = torch.tensor([0.3, -1.0, -torch.inf])
    slope = torch.func.grad(OneHotCategorical(logits=logits).log_prob)(torch.tensor([1.0, 0.0, 0.0]))
    torch.testing.assert_close(slope, torch.tensor([*logits[:2].log_softmax(-1).tolist(), 0.0]))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Bernoulli(probs=torch.tensor([0.2, 1.5])), "Bernoulli's probs must be in [0, 1]"),
        (lambda: Bernoulli(logits=torch.tensor([torch.nan])), "Bernoulli's logits must be finite"),
        (lambda: Bernoulli(logits=torch.tensor([torch.inf])), "Bernoulli's logits must be finite"),
        (lambda: Categorical(probs=torch.tensor([0.2, -0.1])), "Categorical's probs must be ≥ 0"),
        (lambda: Categorical(logits=torch.tensor([0.0, torch.nan])), "Categorical's logits must be numbers"),
        (lambda: OneHotCategorical(probs=torch.tensor([-0.1, 1.0])), "OneHotCategorical's probs must be ≥ 0"),
        (
            lambda: OneHotCategorical(probs=torch.tensor([0.0, 0.0])),
            "OneHotCategorical's logits must be numbers",
        ),
        (lambda: Normal(torch.tensor(torch.inf), torch.tensor(1.0)), "Normal's loc must be finite"),
        (lambda: Normal(torch.tensor(0.0), torch.tensor(-1.0)), "Normal's scale must be positive"),
        (
            lambda: RelaxedBernoulli(0.0, logits=torch.zeros(2)),
            "RelaxedBernoulli's temperature must be positive",
        ),
        (
            lambda: RelaxedOneHotCategorical(1.0, probs=torch.tensor([0.0, 1.0])),
            "RelaxedOneHotCategorical's logits must be finite",
        ),
        (lambda: RelaxedBernoulli(1.0, probs=torch.tensor([2.0])), "Bernoulli's probs must be in [0, 1]"),
        (
            lambda: Laplace(torch.zeros(2), torch.tensor([1.0, 0.0])),
            "Laplace's scale must be positive and finite",
        ),
        (
            lambda: Gumbel(torch.tensor([torch.nan]), torch.ones(1)),
            "Gumbel's loc must be finite, but holds nan",
        ),
        (
            lambda: LogNormal(torch.zeros(1), torch.tensor([torch.inf])),
            "LogNormal's scale must be positive and",
        ),
        (
            lambda: Exponential(torch.tensor([-1.0])),
            "Exponential's rate must be positive and finite, but holds -1",
        ),
        (
            lambda: Weibull(torch.ones(1), torch.zeros(1)),
            "Weibull's concentration must be positive and finite",
        ),
        (
            lambda: Kumaraswamy(torch.ones(1), torch.zeros(1)),
            "Kumaraswamy's concentration0 must be positive and",
        ),
        (
            lambda: Uniform(torch.ones(2), torch.tensor([2.0, 1.0])),
            "Uniform's high must be above low, but holds 1",
        ),
        (
            lambda: Gamma(torch.tensor([1.0, 0.0]), torch.ones(2)),
            "Gamma's concentration must be positive and finite, but holds 0",
        ),
        (
            lambda: Beta(torch.ones(1), torch.tensor([torch.inf])),
            "Beta's concentration0 must be positive and finite",
        ),
        (lambda: Dirichlet(torch.tensor([1.0, -2.0])), "Dirichlet's concentration must be positive and"),
        (
            lambda: StudentT(torch.zeros(1), torch.zeros(1), torch.ones(1)),
            "StudentT's df must be positive and",
        ),
        (
            lambda: StudentT(torch.ones(1), torch.tensor([torch.nan]), torch.ones(1)),
            "StudentT's loc must be finite, but holds nan",
        ),
        (
            lambda: VonMises(torch.zeros(1), torch.zeros(1)),
            "VonMises's concentration must be positive and finite, but holds 0",
        ),
        (
            lambda: VonMises(torch.tensor([torch.inf]), torch.ones(1)),
            "VonMises's loc must be finite",
        ),
        (lambda: Uniform(torch.tensor([-torch.inf]), torch.ones(1)), "Uniform's low must be finite"),
    ],
)
def test_parameters_out_of_their_support_are_refused(make: Callable[[], Law], message: str) -> None:
    with pytest.raises(ReparamError) as caught:
        make().validate()
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("kind", [Bernoulli, Categorical, OneHotCategorical])
def test_a_law_takes_exactly_one_of_probs_and_logits(kind: type[Law]) -> None:
    with pytest.raises(ReparamError, match="exactly one of probs and logits"):
        kind()
    with pytest.raises(ReparamError, match="exactly one of probs and logits"):
        kind(probs=torch.tensor([0.5, 0.5]), logits=torch.zeros(2))
    probs = torch.tensor([0.25, 0.75])
    torch.testing.assert_close(kind(probs=probs).probs, probs)


def test_a_choice_needs_the_axis_of_its_categories() -> None:
    for kind in (Categorical, OneHotCategorical):
        with pytest.raises(ReparamError, match="at least one axis"):
            kind(logits=torch.tensor(0.0))
        with pytest.raises(
            ReparamError, match=r"at least one category, and its parameters have shape \(2, 0\)"
        ):
            kind(logits=torch.zeros(2, 0))
    with pytest.raises(ReparamError, match="at least 1"):
        OneHotCategorical(logits=torch.zeros(3), event_dims=0)


def test_the_pathwise_derivative_of_the_normal_is_exact() -> None:
    """dz/dloc = 1, dz/dscale = ε."""
    epsilon = torch.tensor([0.5, -2.0])

    def path(loc, scale):
        return Normal(loc, scale).path({"normal": epsilon})

    dloc, dscale = torch.func.jacrev(path, (0, 1))(torch.zeros(2), torch.ones(2))
    assert torch.equal(dloc, torch.eye(2))
    assert torch.equal(dscale, torch.diag(epsilon))


@pytest.mark.parametrize("name", LAWS)
def test_a_traced_law_is_the_eager_law(name: str) -> None:
    """Samples and masses over a vmapped axis of draws, rebuilt as a graph of plain operations."""
    law = LAWS[name].law
    noise = draw_block({"z": law.noise()}, ("traced",), 5, dtype=torch.float64)["z"]

    def both(noise):
        def one(noise):
            z = law.path(noise)
            return z, law.log_prob(z)

        return torch.vmap(one)(noise)

    torch.testing.assert_close(build(both, (noise,), "traced")(noise), both(noise))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: distributions.Normal(torch.zeros(2), 1.0),
            r"Normal: its parameters must be tensors, got 1\.0; write torch\.tensor\(1\.0\)",
        ),
        (lambda: distributions.Bernoulli(probs=0.3), r"Bernoulli: its parameters must be tensors, got 0\.3"),
        (lambda: distributions.Categorical(logits=[0.1, 0.9]), "Categorical: its parameters must be tensors"),
        (
            lambda: distributions.Laplace(torch.zeros(2), torch.ones(3)),
            r"Laplace: its parameters have shapes \(2,\), \(3,\), which do not broadcast",
        ),
    ],
)
def test_parameters_that_cannot_be_are_told_in_one_line(make, message: str) -> None:
    with pytest.raises(ReparamError, match=message) as caught:
        make()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", [name for name in LAWS if hasattr(LAWS[name].law, "kl")])
def test_a_divergence_to_a_law_of_another_kind_is_refused(name: str) -> None:
    """Attributes of the same names would give a number: Beta to Kumaraswamy, Normal to Laplace."""
    law = LAWS[name].law
    other = distributions.Logistic.example()
    with pytest.raises(
        ReparamError, match=f"{type(law).__name__}.kl has a closed form to .*, not to Logistic"
    ):
        law.kl(other)
