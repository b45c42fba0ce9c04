"""On an edge of the support the log density is its limit from inside, beyond it and at infinity it is −∞."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats
from torch import Tensor

from reparam.distributions import (
    Beta,
    Cauchy,
    Dirichlet,
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
    Uniform,
    Weibull,
)

SHAPES = torch.tensor([1e-3, 0.5, 1.0, 1.5, 2.0, 40.0], dtype=torch.float64)
OTHERS = torch.tensor([3.0, 0.2, 0.7, 1.0, 1.0, 5.0], dtype=torch.float64)
ONE = torch.ones(6, dtype=torch.float64)
HALF_LINE = {
    "Gamma": (Gamma(SHAPES, OTHERS, event_dims=0), stats.gamma(SHAPES, scale=1 / OTHERS)),
    "Weibull": (Weibull(OTHERS, SHAPES, event_dims=0), stats.weibull_min(SHAPES, scale=OTHERS)),
    "Exponential": (Exponential(OTHERS, event_dims=0), stats.expon(scale=1 / OTHERS)),
    "LogNormal": (LogNormal(ONE, OTHERS, event_dims=0), stats.lognorm(OTHERS, scale=math.e)),
}


@pytest.mark.parametrize("name", HALF_LINE)
def test_a_density_on_the_half_line_is_scipy_s_at_its_ends(name: str) -> None:
    law, reference = HALF_LINE[name]
    for z in (0.0, math.inf, -math.inf, -1.0):
        expected = torch.as_tensor(reference.logpdf(z)) if z <= 0 else torch.full((6,), -math.inf)
        torch.testing.assert_close(law.log_prob(z * ONE), expected.double(), rtol=1e-12, atol=1e-12)
        torch.testing.assert_close(law.cdf(z * ONE), (z > 0) * ONE)


@pytest.mark.parametrize("kind", [Beta, Kumaraswamy])
def test_a_density_on_the_unit_interval_is_its_limit_at_the_ends(kind: type[Law]) -> None:
    """a z^(a − 1) near 0 has the height b at a = 1, and the other way round near 1: the same for both laws."""
    law = kind(SHAPES, OTHERS, event_dims=0)
    for z, power, height in ((0.0, SHAPES, OTHERS), (1.0, OTHERS, SHAPES)):
        limit = [
            math.inf if p < 1 else -math.inf if p > 1 else math.log(h)
            for p, h in zip(power.tolist(), height.tolist(), strict=True)
        ]
        torch.testing.assert_close(law.log_prob(z * ONE), torch.tensor(limit).double())
        if kind is Beta:
            scipys = torch.as_tensor(stats.beta.logpdf(z, SHAPES, OTHERS))
            torch.testing.assert_close(law.log_prob(z * ONE), scipys)
    for z in (-0.5, 1.5, math.inf, -math.inf):
        assert (law.log_prob(z * ONE) == -math.inf).all()


@pytest.mark.parametrize(
    "law",
    [kind(ONE, OTHERS, event_dims=0) for kind in (Normal, Laplace, Logistic, Gumbel, Cauchy)]
    + [StudentT(SHAPES, ONE, OTHERS, event_dims=0), Uniform(ONE, ONE + OTHERS, event_dims=0)],
)
def test_no_density_is_left_at_infinity(law: Law) -> None:
    for z in (math.inf, -math.inf):
        assert (law.log_prob(z * ONE) == -math.inf).all()


def test_an_interval_has_its_ends() -> None:
    ends = torch.tensor([1.0, 3.0])
    law = Uniform(torch.tensor(1.0), torch.tensor(3.0), event_dims=0)
    torch.testing.assert_close(law.log_prob(ends), -torch.tensor([2.0, 2.0]).log())


@pytest.mark.parametrize("alpha", [(1.0, 1.0, 1.0), (0.5, 1.0, 2.0), (1.0, 0.5, 2.0), (2.0, 1.0, 3.0)])
@pytest.mark.parametrize("z", [(0.0, 0.5, 0.5), (0.25, 0.0, 0.75), (0.0, 0.0, 1.0), (0.2, 0.3, 0.5)])
def test_a_point_on_the_edge_of_the_simplex(alpha: tuple[float, ...], z: tuple[float, ...]) -> None:
    """As torch has it, which is the limit where there is one."""
    given, point = torch.tensor(alpha).double(), torch.tensor(z).double()
    reference = torch.distributions.Dirichlet(given, validate_args=False)
    torch.testing.assert_close(Dirichlet(given).log_prob(point), reference.log_prob(point))


def test_there_is_nothing_outside_the_simplex() -> None:
    z = torch.tensor([[-0.1, 0.6, 0.5], [-0.1, 0.0, 1.1]])
    for alpha in (0.5, 1.0, 2.0):
        assert (Dirichlet(torch.full((2, 3), alpha)).log_prob(z) == -math.inf).all()


@pytest.mark.parametrize(
    ("law", "ends"),
    [(Gamma, (0.0, math.inf)), (Weibull, (0.0, math.inf)), (Beta, (0.0, 1.0)), (Kumaraswamy, (0.0, 1.0))],
)
def test_derivatives_at_the_ends_are_finite(law: type[Law], ends: tuple[float, ...]) -> None:
    """In the parameters those of the limit, constant in the shape that decides it."""

    def total(first: Tensor, second: Tensor, z: Tensor) -> Tensor:
        found = law(first, second, event_dims=0).log_prob(z)
        return torch.where(found.isfinite(), found, 0.0).sum()

    for z in ends:
        slopes = torch.func.grad(total, (0, 1, 2))(SHAPES, OTHERS, z * ONE)
        assert all(slope.isfinite().all() for slope in slopes)
    rate = torch.tensor(2.0)
    found = torch.func.grad(lambda r: Gamma(torch.tensor(1.0), r).log_prob(torch.tensor(0.0)))(rate)
    assert found == 0.5
