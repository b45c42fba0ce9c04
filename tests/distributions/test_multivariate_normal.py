"""The Normal law with a full covariance: both parametrisations, derivatives, ill-conditioned factors, refusals."""

from __future__ import annotations

import pytest
import torch
from scipy import stats
from torch import Tensor

from reparam.distributions import MultivariateNormal
from reparam.engine.paths import build
from reparam.errors import ReparamError
from reparam.noise import draw, generator

LEVEL = 1e-5
"""Probability that a right law fails one Kolmogorov–Smirnov test; there are twelve."""
LOC = torch.tensor([[0.3, -1.0, 4.0], [1e3, 0.0, -5.0]], dtype=torch.float64)
TRIL = torch.tensor(
    [
        [[1.3, 0.0, 0.0], [0.5, 0.4, 0.0], [-2.0, 1.0, 2.2]],
        [[1e-4, 0.0, 0.0], [3.0, 1e-3, 0.0], [-200.0, 1.0, 50.0]],
    ],
    dtype=torch.float64,
)
COVARIANCE = TRIL @ TRIL.mT


def noise(count: int, *axes: str, dtype: torch.dtype = torch.float64) -> Tensor:
    return draw("normal", (count, 2, 3), generator("multivariate", *axes), dtype)


def test_projections_of_the_samples_are_normal() -> None:
    """Kolmogorov–Smirnov test of the sample's entries and of their sum and difference."""
    law = MultivariateNormal(LOC, scale_tril=TRIL)
    z = law.path({"normal": noise(5000, "projections")})
    for direction in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0), (1.0, 1.0, 1.0), (1.0, -1.0, 0.0)):
        w = torch.tensor(direction, dtype=torch.float64)
        for i in range(2):
            scale = (w @ COVARIANCE[i] @ w).sqrt().item()
            expected = stats.norm((w @ LOC[i]).item(), scale)
            assert stats.kstest((z[:, i] @ w).numpy(), expected.cdf).pvalue > LEVEL


def test_both_parametrisations_give_one_law() -> None:
    by_factor = MultivariateNormal(LOC, scale_tril=TRIL)
    by_covariance = MultivariateNormal(LOC, COVARIANCE)
    by_covariance.validate()
    torch.testing.assert_close(by_covariance.scale_tril[0], TRIL[0])
    torch.testing.assert_close(by_factor.covariance_matrix, COVARIANCE)
    torch.testing.assert_close(by_factor.variance, COVARIANCE.diagonal(dim1=-2, dim2=-1))
    z = LOC + 1e-4 * noise(1, "parametrisations")[0]
    torch.testing.assert_close(by_covariance.log_prob(z)[0], by_factor.log_prob(z)[0])


def test_the_derivative_in_the_covariance_is_that_of_its_factor() -> None:
    """dE[zᵀ A z] / dΣ = A for symmetric directions; exactly, because the mean over ε = ±√3 and 0 is exact to ε⁵."""
    a = torch.tensor([[2.0, 0.5, -1.0], [0.5, 1.0, 0.3], [-1.0, 0.3, 4.0]], dtype=torch.float64)
    nodes = torch.tensor([-(3**0.5), 0.0, 3**0.5], dtype=torch.float64)
    weights = torch.tensor([1 / 6, 2 / 3, 1 / 6], dtype=torch.float64)
    grid, mass = (
        torch.cartesian_prod(nodes, nodes, nodes),
        torch.cartesian_prod(weights, weights, weights).prod(-1),
    )

    def expectation(covariance: Tensor) -> Tensor:
        z = MultivariateNormal(LOC[0], covariance).path({"normal": grid})
        return (mass * torch.einsum("ni,ij,nj->n", z, a, z)).sum()

    slope = torch.func.grad(expectation)(COVARIANCE[0])
    torch.testing.assert_close((slope + slope.mT) / 2, a)


def test_derivatives_of_the_path_are_the_noise() -> None:
    epsilon = noise(1, "derivatives")[0]

    def path(loc: Tensor, tril: Tensor) -> Tensor:
        return MultivariateNormal(loc, scale_tril=tril).path({"normal": epsilon})

    to_loc, to_tril = torch.func.jacrev(path, (0, 1))(LOC, TRIL)
    for i in range(2):
        torch.testing.assert_close(to_loc[i, :, i], torch.eye(3, dtype=torch.float64))
        for row in range(3):
            torch.testing.assert_close(to_tril[i, row, i, row], epsilon[i])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_ill_conditioned_factors_leave_everything_finite(dtype: torch.dtype) -> None:
    scales = torch.tensor([1e-10, 1e-3, 1.0, 1e10], dtype=dtype)
    tril = torch.diag(scales) + 0.5 * scales * torch.ones(4, 4, dtype=dtype).tril(-1)
    other = MultivariateNormal(torch.zeros(4, dtype=dtype), scale_tril=1.5 * tril)
    epsilon = torch.tensor([8.0, -8.0, 0.0, 1.0], dtype=dtype)

    def everything(loc: Tensor, tril: Tensor) -> tuple[Tensor, ...]:
        law = MultivariateNormal(loc, scale_tril=tril)
        z = law.path({"normal": epsilon})
        return z, law.log_prob(z), law.entropy(), law.kl(other)

    values, pullback = torch.func.vjp(everything, torch.zeros(4, dtype=dtype), tril)
    slopes = pullback(tuple(torch.ones_like(v) for v in values))
    assert all(x.isfinite().all() and x.dtype == dtype for x in (*values, *slopes))


def test_traced_and_stacked_gradients_equal_eager() -> None:
    """In mean, factor and covariance, with samples, densities, entropy and KL."""
    other = MultivariateNormal(LOC[0], scale_tril=TRIL[0])

    def loss(epsilon: Tensor, loc: Tensor, tril: Tensor, covariance: Tensor) -> Tensor:
        total = torch.zeros((), dtype=torch.float64)
        for law in (MultivariateNormal(loc, scale_tril=tril), MultivariateNormal(loc, covariance)):
            z = law.path({"normal": epsilon})
            total = (
                total
                + z.sin().sum()
                + law.log_prob(z)
                + law.log_prob(epsilon)
                + law.entropy()
                + law.kl(other)
            )
        return total

    arguments = (noise(4, "traced")[:, 0], 0.5 * LOC[0], 2 * TRIL[0], 3 * COVARIANCE[0])
    gradient = torch.func.grad(loss, (1, 2, 3))
    one_by_one = [gradient(e, *arguments[1:]) for e in arguments[0]]
    stacked = torch.vmap(gradient, (0, None, None, None))
    eager = stacked(*arguments)
    for i, slopes in enumerate(one_by_one):
        torch.testing.assert_close(tuple(s[i] for s in eager), slopes)
    torch.testing.assert_close(build(stacked, arguments, "traced")(*arguments), eager)


def test_shapes_broadcast_and_several_vectors_form_one_event() -> None:
    law = MultivariateNormal(torch.zeros(3), scale_tril=torch.eye(3).expand(5, 2, 3, 3), event_dims=2)
    z = law.path({"normal": torch.ones(law.noise()["normal"].shape)})
    assert z.shape == law.shape == law.mean.shape == law.variance.shape == (5, 2, 3)
    assert law.log_prob(z).shape == law.entropy().shape == law.kl(law).shape == law.plate == (5,)
    one = torch.distributions.MultivariateNormal(torch.zeros(3), torch.eye(3))
    torch.testing.assert_close(law.log_prob(z), one.log_prob(z).sum(-1))


EYE = torch.eye(2)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        (
            {"scale_tril": torch.tensor([[1.0, 0.0], [2.0, -1.0]])},
            "The diagonal of MultivariateNormal's scale_tril",
        ),
        (
            {"scale_tril": torch.tensor([[1.0, 0.5], [2.0, 1.0]])},
            "MultivariateNormal's scale_tril must be lower",
        ),
        ({"scale_tril": EYE * torch.nan}, "MultivariateNormal's scale_tril must be finite"),
        (
            {"loc": torch.tensor([torch.inf, 0.0]), "scale_tril": EYE},
            "MultivariateNormal's loc must be finite",
        ),
        (
            {"covariance_matrix": torch.tensor([[1.0, 2.0], [2.0, 1.0]])},
            "The smallest eigenvalue of MultivariateNormal's covariance_matrix must be positive, but holds -1",
        ),
        (
            {"covariance_matrix": torch.tensor([[1.0, 0.5], [0.4, 1.0]])},
            "MultivariateNormal's covariance_matrix must be symmetric",
        ),
        ({"covariance_matrix": EYE * torch.inf}, "MultivariateNormal's covariance_matrix must be finite"),
    ],
)
def test_parameters_out_of_their_support_are_refused(parameters: dict[str, Tensor], message: str) -> None:
    law = MultivariateNormal(**{"loc": torch.zeros(2), **parameters})
    with pytest.raises(ReparamError) as caught:
        law.validate()
    assert str(caught.value).startswith(message)


def test_a_covariance_without_a_factor_gives_no_numbers() -> None:
    law = MultivariateNormal(torch.zeros(2), torch.tensor([[1.0, 2.0], [2.0, 1.0]]))
    assert law.path({"normal": torch.ones(2)}).isnan().all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"loc": torch.zeros(2)}, "exactly one of covariance_matrix and scale_tril"),
        ({"loc": torch.zeros(2), "covariance_matrix": EYE, "scale_tril": EYE}, "exactly one of"),
        ({"loc": torch.tensor(0.0), "scale_tril": EYE}, "needs a vector and square matrices"),
        ({"loc": torch.zeros(2), "scale_tril": torch.ones(2, 3)}, "needs a vector and square matrices"),
        ({"loc": torch.zeros(3), "scale_tril": torch.ones(1, 1)}, "3 means but matrices of 1 rows"),
        ({"loc": torch.zeros(2), "scale_tril": EYE, "event_dims": 0}, "at least 1"),
    ],
)
def test_a_call_that_makes_no_law_is_refused(arguments: dict, message: str) -> None:
    with pytest.raises(ReparamError, match=message):
        MultivariateNormal(**arguments)
