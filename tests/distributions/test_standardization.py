"""Laws by a user's own CDF or standardisation map: samples, densities and implicit derivatives."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats
from torch import Tensor

from reparam import Pathwise
from reparam.distributions import (
    FromCDF,
    FromStandardization,
    FromTriangularStandardization,
    MultivariateNormal,
    Normal,
)
from reparam.engine.gradient import estimate_gradient
from reparam.engine.paths import build
from reparam.errors import ReparamError
from reparam.noise import draw, draw_block, generator

LEVEL = 1e-5
"""Probability that a right law fails one Kolmogorov–Smirnov test; there are eight."""
LOC = torch.tensor([0.3, -1.0, 4.0], dtype=torch.float64)
SCALE = torch.tensor([1.0, 0.2, 3.0], dtype=torch.float64)
WEIGHTS = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)


def mixture_cdf(z: Tensor, weights: Tensor, loc: Tensor, scale: Tensor) -> Tensor:
    """Of a mixture of three Normal laws."""
    return (weights * torch.special.ndtr((z.unsqueeze(-1) - loc) / scale)).sum(-1)


def mixture(weights: Tensor, loc: Tensor, scale: Tensor) -> FromCDF:
    return FromCDF(mixture_cdf, (weights, loc, scale), shape=(4,))


def test_a_mixture_by_its_cdf() -> None:
    """Samples, density, and the derivative of E[z²] in all parameters: Σ w (loc² + scale²) within 5 standard errors."""
    law = mixture(WEIGHTS, LOC, SCALE)
    law.validate()
    u = draw("uniform", (3000, 4), generator("mixture"), torch.float64)
    z = law.path({"uniform": u})
    assert stats.kstest(mixture_cdf(z, WEIGHTS, LOC, SCALE).flatten().numpy(), "uniform").pvalue > LEVEL
    density = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(WEIGHTS), torch.distributions.Normal(LOC, SCALE)
    )
    torch.testing.assert_close(law.log_prob(z[:9]), density.log_prob(z[:9]).sum(-1))
    entry = u[:, 0]

    def squares(u: Tensor, *parameters: Tensor) -> Tensor:
        return mixture(*parameters).path({"uniform": u.expand(4)})[0].square()

    found = torch.vmap(torch.func.grad(squares, (1, 2, 3)), (0, None, None, None))(entry, WEIGHTS, LOC, SCALE)
    # In the weights along directions that keep their sum: against the last one.
    exact = (LOC**2 + SCALE**2, 2 * WEIGHTS * LOC, 2 * WEIGHTS * SCALE)
    found = (found[0] - found[0][:, -1:], *found[1:])
    exact = (exact[0] - exact[0][-1], *exact[1:])
    for draws, truth in zip(found, exact, strict=True):
        assert ((draws.mean(0) - truth).abs() <= 5 * draws.std(0) / len(draws) ** 0.5 + 1e-12).all()


def test_the_derivative_of_a_cdf_s_sample_against_finite_differences() -> None:
    u = torch.tensor([0.1, 0.5, 0.9, 0.99], dtype=torch.float64)
    parameters = (WEIGHTS, LOC, SCALE)
    found = torch.func.jacrev(lambda *p: mixture(*p).icdf(u), (0, 1, 2))(*parameters)
    step = 1e-6
    for i, parameter in enumerate(parameters):
        for j in range(3):

            def moved(sign: int, i: int = i, j: int = j, parameter: Tensor = parameter) -> Tensor:
                shifted = parameter + sign * step * torch.eye(3, dtype=torch.float64)[j]
                return mixture(*(shifted if i == k else p for k, p in enumerate(parameters))).icdf(u)

            torch.testing.assert_close(
                found[i][:, j], (moved(1) - moved(-1)) / (2 * step), rtol=1e-6, atol=1e-7
            )


def test_second_derivatives_of_a_standardised_sample_are_exact() -> None:
    """sinh⁻¹ standardisation: z = scale · sinh(ε) + loc has none in loc, and none in scale twice."""
    epsilon = draw("normal", (3,), generator("sinh"), torch.float64)

    def path(loc: Tensor, log_scale: Tensor) -> Tensor:
        law = FromStandardization(lambda z, m, s: torch.asinh((z - m) * torch.exp(-s)), (loc, log_scale))
        return law.path({"normal": epsilon}).sum()

    def explicit(loc: Tensor, log_scale: Tensor) -> Tensor:
        return (log_scale.exp() * epsilon.sinh() + loc).sum()

    arguments = (LOC, SCALE.log())
    torch.testing.assert_close(path(*arguments), explicit(*arguments))
    for derivative in (torch.func.grad, torch.func.hessian):
        torch.testing.assert_close(
            derivative(path, (0, 1))(*arguments),
            derivative(explicit, (0, 1))(*arguments),
            rtol=1e-9,
            atol=1e-9,
        )


def test_the_base_law_must_be_known() -> None:
    with pytest.raises(ReparamError, match="base must be 'normal' or 'uniform', got 'cauchy'"):
        FromStandardization(lambda z, m: z - m, (LOC,), base="cauchy")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: FromCDF(lambda z, m: torch.sigmoid(m - z), (LOC,)),
            "FromCDF's function must be continuous and rise through 0.01 on (-inf, inf), but holds",
        ),
        (
            lambda: FromCDF(lambda z, m: ((z > m) * 1.0).double() + 0 * z, (LOC,)),
            "FromCDF's function must be continuous and rise through 0.01 on (-inf, inf), but holds 0",
        ),
        (
            lambda: FromCDF(lambda z, m: torch.sigmoid(z - m), (LOC,), support=(5.0, 6.0)),
            "FromCDF's function must be continuous and rise through 0.01 on (5, 6), but holds",
        ),
        (
            lambda: FromCDF(lambda z, m: torch.sigmoid(z - m).detach(), (LOC,)),
            "The derivative of FromCDF's function must be positive, but holds 0",
        ),
        (
            lambda: FromStandardization(lambda z, m: (z - m).sum(-1), (LOC,)),
            "FromStandardization's function must act on entries and broadcast over leading axes, but it turns shape "
            "(2, 3) into (2,)",
        ),
        (
            lambda: FromTriangularStandardization(lambda z, m: z - m + z.roll(1, -1), (LOC,), shape=(3,)),
            "FromTriangularStandardization's function must",
        ),
    ],
)
def test_a_function_that_standardises_nothing_is_refused(make, message: str) -> None:
    with pytest.raises(ReparamError) as caught:
        make().validate()
    assert str(caught.value).startswith(message)


def test_entries_that_look_ahead_are_refused() -> None:
    """Invertible by luck at the sample found, but not triangular."""
    law = FromTriangularStandardization(
        lambda z, m: z - m + 1e-9 * (z.sum(-1, keepdim=True) - z.cumsum(-1)), (LOC,), shape=(3,)
    )
    with pytest.raises(ReparamError, match="in later entries must be 0, but holds 1e-09"):
        law.validate()


TRIL = torch.tensor([[1.3, 0.0, 0.0], [0.5, 0.4, 0.0], [-2.0, 1.0, 2.2]], dtype=torch.float64)


def whiten(z: Tensor, loc: Tensor, tril: Tensor) -> Tensor:
    return torch.linalg.solve_triangular(tril, (z - loc).unsqueeze(-1), upper=False).squeeze(-1)


def whitened(loc: Tensor, tril: Tensor) -> FromTriangularStandardization:
    return FromTriangularStandardization(whiten, (loc, tril), shape=loc.shape)


def test_a_triangular_map_to_normal_noise_is_the_multivariate_normal() -> None:
    """Samples, density, and first and second derivatives of both in mean and factor."""
    law, explicit = whitened(LOC, TRIL), MultivariateNormal(LOC, scale_tril=TRIL)
    law.validate()
    epsilon = draw("normal", (5, 3), generator("whitened"), torch.float64)
    z = torch.vmap(lambda e: law.path({"normal": e}))(epsilon)
    torch.testing.assert_close(z, explicit.path({"normal": epsilon}))
    z = 2 * epsilon
    torch.testing.assert_close(torch.vmap(law.log_prob)(z), explicit.log_prob(z))

    def value(make, loc: Tensor, tril: Tensor, e: Tensor) -> Tensor:
        law = make(loc, tril.tril())
        sample = law.path({"normal": e})
        return sample.sin().sum() + law.log_prob(sample) + law.log_prob(e)

    def normal(loc: Tensor, tril: Tensor) -> MultivariateNormal:
        return MultivariateNormal(loc, scale_tril=tril)

    for derivative in (torch.func.grad, torch.func.hessian):
        for e in epsilon[:2]:
            torch.testing.assert_close(
                derivative(lambda m, t, e=e: value(whitened, m, t, e), (0, 1))(LOC, TRIL),
                derivative(lambda m, t, e=e: value(normal, m, t, e), (0, 1))(LOC, TRIL),
                rtol=1e-8,
                atol=1e-8,
            )


def test_vectors_in_float32() -> None:
    """Samples and derivatives against those of float64."""
    epsilon = draw("normal", (3,), generator("float32"), torch.float64)

    def slopes(dtype: torch.dtype) -> tuple[Tensor, tuple[Tensor, ...]]:
        value, pullback = torch.func.vjp(
            lambda m, t: whitened(m, t).path({"normal": epsilon.to(dtype)}), LOC.to(dtype), TRIL.to(dtype)
        )
        return value, pullback(torch.ones_like(value))

    torch.testing.assert_close(
        slopes(torch.float32), slopes(torch.float64), rtol=1e-5, atol=1e-5, check_dtype=False
    )


def banana(z: Tensor, bend: Tensor, scale: Tensor) -> Tensor:
    """z₁ = s₁ ε₁, z₂ = b z₁² + s₂ ε₂."""
    first, second = z.unbind(-1)
    return torch.stack([first / scale[..., 0], (second - bend * first**2) / scale[..., 1]], -1)


def test_a_nonlinear_triangular_map_over_a_plate() -> None:
    """dz/db and dz/ds in closed form, traced = eager, and the density by the change of variables."""
    bend = torch.tensor([0.5, -2.0], dtype=torch.float64)
    scale = torch.tensor([[1.0, 0.3], [2.0, 1.5]], dtype=torch.float64)
    epsilon = draw("normal", (2, 2), generator("banana"), torch.float64)

    def path(bend: Tensor, scale: Tensor) -> Tensor:
        law = FromTriangularStandardization(banana, (bend, scale), shape=(2, 2))
        return law.path({"normal": epsilon})

    z = path(bend, scale)
    first = scale[:, 0] * epsilon[:, 0]
    torch.testing.assert_close(z, torch.stack([first, bend * first**2 + scale[:, 1] * epsilon[:, 1]], -1))
    to_bend, to_scale = torch.func.jacrev(path, (0, 1))(bend, scale)
    for i in range(2):
        torch.testing.assert_close(to_bend[i, :, i], torch.stack([torch.zeros_like(first[i]), first[i] ** 2]))
        slope = 2 * bend[i] * first[i] * epsilon[i, 0]
        exact = torch.stack([torch.stack([epsilon[i, 0], 0 * slope]), torch.stack([slope, epsilon[i, 1]])])
        torch.testing.assert_close(to_scale[i, :, i], exact)
        assert to_bend[i, :, 1 - i].abs().max() == to_scale[i, :, 1 - i].abs().max() == 0
    law = FromTriangularStandardization(banana, (bend, scale), shape=(2, 2))
    law.validate()
    assert law.plate == (2,)
    expected = Normal(0 * scale, scale).log_prob(torch.stack([z[:, 0], z[:, 1] - bend * z[:, 0] ** 2], -1))
    torch.testing.assert_close(law.log_prob(z), expected)

    def gradient(bend: Tensor, scale: Tensor) -> tuple[Tensor, ...]:
        return torch.func.grad(lambda b, s: path(b, s).sin().sum(), (0, 1))(bend, scale)

    traced = build(gradient, (bend, scale), "traced")(bend, scale)
    torch.testing.assert_close(traced, gradient(bend, scale))


def test_conditional_cdfs_are_a_triangular_map_to_uniform_noise() -> None:
    """z₁ ~ Exponential(rate), z₂ given z₁ ~ Exponential(z₁): both CDFs of the draws are uniform."""

    def conditional(z: Tensor, rate: Tensor) -> Tensor:
        return -torch.expm1(-torch.stack([rate * z[..., 0], z[..., 0] * z[..., 1]], -1))

    rate = torch.tensor(0.7, dtype=torch.float64)
    law = FromTriangularStandardization(
        conditional, (rate,), shape=(2,), base="uniform", support=(0.0, math.inf)
    )
    law.validate()
    u = draw_block({"z": law.noise()}, ("conditional",), 4000, dtype=torch.float64)["z"]["uniform"]
    z = torch.vmap(lambda v: law.path({"uniform": v}))(u)
    for i in range(2):
        assert stats.kstest(conditional(z, rate)[:, i].numpy(), "uniform").pvalue > LEVEL
    assert stats.kstest(z[:, 0].numpy(), stats.expon(scale=1 / 0.7).cdf).pvalue > LEVEL
    expected = (rate.log() - rate * z[:, 0]) + (z[:, 0].log() - z[:, 0] * z[:, 1])
    torch.testing.assert_close(torch.vmap(law.log_prob)(z), expected)


def test_the_vector_s_axis_belongs_to_the_event() -> None:
    with pytest.raises(ReparamError, match="at least 1"):
        FromTriangularStandardization(whiten, (LOC, TRIL), shape=(3,), event_dims=0)


def test_the_pathwise_estimator_takes_a_law_of_one_s_own() -> None:
    """E[Σ z²] = Σ loc² + scale² π²/3 for logistic entries; within 5 standard errors."""

    def program(params, sample):
        law = FromCDF(lambda z, m, s: torch.sigmoid((z - m) / s), (params["loc"], params["scale"]))
        return sample("z", law).square().sum(-1)

    params = {"loc": LOC, "scale": SCALE}
    block = draw_block({"z": FromCDF.example().noise()}, ("own",), 4000, dtype=torch.float64)
    noise = {"z": {"uniform": block["z"]["uniform"].unsqueeze(1)}}
    found = torch.vmap(lambda n: estimate_gradient(Pathwise(), program, params, n).gradient)(noise)
    exact = {"loc": 2 * LOC, "scale": 2 * SCALE * math.pi**2 / 3}
    for name, truth in exact.items():
        error = found[name].std(0) / len(found[name]) ** 0.5
        assert ((found[name].mean(0) - truth).abs() < 5 * error).all()
