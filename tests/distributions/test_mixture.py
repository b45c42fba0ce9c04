"""Mixtures: derivatives by closed forms, by mpmath's gamma variable, and of expectations."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats
from torch import Tensor

from reparam.distributions import (
    Categorical,
    Dirichlet,
    FromTriangularStandardization,
    Gamma,
    MixtureSameFamily,
    Normal,
    Uniform,
    VonMises,
    from_torch,
)
from reparam.distributions.incomplete_gamma import velocity
from reparam.engine.paths import build
from reparam.errors import ReparamError
from reparam.estimators.base import able
from reparam.noise import draw_block

LOGITS = torch.tensor([0.3, -1.0, 0.8], dtype=torch.float64)
LOC = torch.tensor([-2.0, 0.5, 3.0], dtype=torch.float64)
SCALE = torch.tensor([0.5, 2.0, 1.0], dtype=torch.float64)


def mixture(logits: Tensor, loc: Tensor, scale: Tensor) -> MixtureSameFamily:
    return MixtureSameFamily(Categorical(logits=logits), Normal(loc, scale, event_dims=0))


def noise_of(law: MixtureSameFamily, draws: int, name: str) -> dict[str, Tensor]:
    return draw_block({"z": law.noise()}, (name,), draws, dtype=torch.float64)["z"]


def test_derivatives_of_numbers_are_the_closed_forms() -> None:
    """With r_k = π_k p_k(z) / p(z): dz/dμ_k = r_k, dz/dσ_k = r_k (z − μ_k)/σ_k, dz/dlogit_k = −π_k (F_k − F)/p."""
    noise = noise_of(mixture(LOGITS, LOC, SCALE), 200, "numbers")
    given = tuple(p.expand(200, 3).clone() for p in (LOGITS, LOC, SCALE))
    z, pullback = torch.func.vjp(
        lambda *p: torch.vmap(lambda one, *q: mixture(*q).path(one))(noise, *p), *given
    )
    weights, parts = LOGITS.softmax(-1), torch.distributions.Normal(LOC, SCALE)
    wide = z.unsqueeze(-1)
    joint = weights * parts.log_prob(wide).exp()
    density = joint.sum(-1, keepdim=True)
    cdf = (weights * parts.cdf(wide)).sum(-1, keepdim=True)
    expected = (
        -weights * (parts.cdf(wide) - cdf) / density,
        joint / density,
        joint / density * (wide - LOC) / SCALE,
    )
    torch.testing.assert_close(pullback(torch.ones_like(z)), expected, rtol=1e-9, atol=1e-11)


def test_components_may_be_implicit_themselves() -> None:
    """dz/dα_k = r_k dx/dα_k, with the derivative of one gamma variable."""
    alpha, rate = torch.tensor([0.4, 5.0], dtype=torch.float64), torch.tensor([1.0, 2.0], dtype=torch.float64)

    def make(alpha: Tensor) -> MixtureSameFamily:
        return MixtureSameFamily(Categorical(logits=LOGITS[:2]), Gamma(alpha, rate, event_dims=0))

    noise = noise_of(make(alpha), 50, "gamma")
    z, pullback = torch.func.vjp(
        lambda a: torch.vmap(lambda one, a: make(a).path(one))(noise, a), alpha.expand(50, 2).clone()
    )
    x, a = (z.unsqueeze(-1) * rate), alpha.expand(50, 2)
    joint = LOGITS[:2].softmax(-1) * torch.distributions.Gamma(alpha, rate).log_prob(z.unsqueeze(-1)).exp()
    slope = z.unsqueeze(-1) * (velocity((x / a).log(), a)[0] + 1 / a)
    expected = joint / joint.sum(-1, keepdim=True) * slope
    torch.testing.assert_close(pullback(torch.ones_like(z))[0], expected, rtol=1e-8, atol=1e-10)


def vectors(logits: Tensor, loc: Tensor, scale: Tensor) -> MixtureSameFamily:
    return MixtureSameFamily(Categorical(logits=logits), Normal(loc, scale))


MEANS = torch.tensor([[-1.0, 2.0], [0.5, -0.5], [1.0, 1.5]], dtype=torch.float64)
SCALES = torch.tensor([[0.5, 1.0], [1.5, 0.7], [0.8, 0.6]], dtype=torch.float64)


def test_the_gradient_of_an_expectation_of_vectors_is_unbiased() -> None:
    """E[z₁ z₂²] = Σ π_k m_k1 (m_k2² + s_k2²): z-tests of all its derivatives, |z| < 5.5 (4e-8 each)."""
    given = (LOGITS, MEANS, SCALES)
    noise = noise_of(vectors(*given), 40_000, "vectors")

    def draw(one: dict[str, Tensor], *p: Tensor) -> Tensor:
        z = vectors(*p).path(one)
        return z[0] * z[1].square()

    slopes = torch.vmap(torch.func.grad(draw, (1, 2, 3)), (0, None, None, None))(noise, *given)
    exact = torch.func.grad(
        lambda w, m, s: (w.softmax(-1) * m[:, 0] * (m[:, 1].square() + s[:, 1].square())).sum(), (0, 1, 2)
    )(*given)
    for found, expected in zip(slopes, exact, strict=True):
        error = found.std(0) / math.sqrt(len(found))
        assert ((found.mean(0) - expected).abs() < 5.5 * error + 1e-12).all()
        assert (error < 0.1).all()


def test_the_transform_of_samples_is_uniform_and_independent() -> None:
    """Kolmogorov–Smirnov tests at 1e-6; the entries' correlation is within 5 standard errors."""
    law = vectors(LOGITS, MEANS, SCALES)
    noise = noise_of(law, 20_000, "transform")
    u = torch.vmap(lambda one: law.transform(law.path(one)))(noise)
    for i in range(2):
        assert stats.kstest(u[:, i].numpy(), "uniform").pvalue > 1e-6
    assert abs(torch.corrcoef(u.T)[0, 1]) < 5 / math.sqrt(20_000)


def test_second_derivatives_are_those_of_finite_differences() -> None:
    law = vectors(LOGITS, MEANS, SCALES)
    one = {role: entry[0] for role, entry in noise_of(law, 1, "second").items()}
    target = law.transform(law.path(one)).detach()
    start = law.path(one).detach()

    def path(logits: Tensor) -> Tensor:
        """The point where the transform keeps its value, by Newton's method."""
        z, moved = start, vectors(logits, MEANS, SCALES)
        for _ in range(30):
            jacobian = torch.func.jacrev(moved.transform)(z)
            z = z - torch.linalg.solve(jacobian, moved.transform(z) - target)
        return z.square().sum()

    def loss(logits: Tensor) -> Tensor:
        return vectors(logits, MEANS, SCALES).path(one).square().sum()

    gradient, hessian = torch.func.grad(loss)(LOGITS), torch.func.hessian(loss)(LOGITS)
    step, unit = 1e-4, torch.eye(3, dtype=torch.float64)
    for i in range(3):
        ahead, here, behind = (path(LOGITS + sign * step * unit[i]) for sign in (1, 0, -1))
        torch.testing.assert_close(gradient[i], (ahead - behind) / (2 * step), rtol=1e-6, atol=1e-8)
        torch.testing.assert_close(hessian[i, i], (ahead - 2 * here + behind) / step**2, rtol=1e-4, atol=1e-5)


def test_traced_gradients_equal_eager() -> None:
    noise = noise_of(vectors(LOGITS, MEANS, SCALES), 3, "traced")

    def slopes(noise: dict[str, Tensor], *p: Tensor) -> Tensor:
        grad = torch.func.grad(lambda m, one: vectors(LOGITS, m, SCALES).path(one).sin().sum())
        return torch.vmap(grad, (None, 0))(*p, noise)

    given = (noise, MEANS)
    torch.testing.assert_close(build(slopes, given, "traced")(*given), slopes(*given))


@pytest.mark.parametrize("kappa", [1e-4, 1.0, 1e5])
def test_extreme_components_leave_everything_finite(kappa: float) -> None:
    k = torch.full((3,), kappa)

    def everything(logits: Tensor, loc: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        law = MixtureSameFamily(Categorical(logits=logits), VonMises(loc, k, event_dims=0))
        noise = {role: torch.full(spec.shape, 0.3) for role, spec in law.noise().items()}
        z = law.path(noise)
        return z, law.log_prob(z)

    given = (torch.tensor([0.0, -30.0, 1.0]), LOC.float() / 3, k)
    values, pullback = torch.func.vjp(everything, *given)
    assert all(value.isfinite() for value in values)
    assert all(slope.isfinite().all() for slope in pullback(tuple(map(torch.ones_like, values))))


def test_a_mixture_converts_with_its_components() -> None:
    law = vectors(LOGITS, MEANS, SCALES)
    back = from_torch(law.to_torch())
    z = torch.tensor([0.3, -0.2], dtype=torch.float64)
    assert isinstance(back, MixtureSameFamily) and (back.plate, back.event_dims) == ((), 1)
    for one in (law.to_torch(), back):
        torch.testing.assert_close(one.log_prob(z), law.log_prob(z))
    torch.testing.assert_close((back.mean, back.variance), (law.mean, law.variance))


def test_what_does_not_fit_is_refused() -> None:
    weights = Categorical(logits=LOGITS)
    with pytest.raises(ReparamError, match="components need a cdf, which Dirichlet has not"):
        MixtureSameFamily(weights, Dirichlet(torch.ones(3, 2)))
    with pytest.raises(ReparamError, match="3 weights need components over the last axis of their plate"):
        MixtureSameFamily(weights, Normal(torch.zeros(2, 3), torch.ones(2, 3)))
    with pytest.raises(ReparamError, match="event_dims=0 is less than the components' 1"):
        MixtureSameFamily(weights, Normal(torch.zeros(3, 2), torch.ones(3, 2)), event_dims=0)
    with pytest.raises(ReparamError, match="Normal's scale must be positive"):
        MixtureSameFamily(weights, Normal(torch.zeros(3), -torch.ones(3), event_dims=0)).validate()
    assert not hasattr(FromTriangularStandardization, "cdf")


def test_further_axes_may_be_part_of_the_event() -> None:
    given = (LOGITS, LOC.expand(4, 3), SCALE)
    plate = mixture(*given)
    event = MixtureSameFamily(
        Categorical(logits=LOGITS), Normal(LOC.expand(4, 3), SCALE, event_dims=0), event_dims=1
    )
    z = torch.linspace(-1, 1, 4, dtype=torch.float64)
    assert (plate.plate, event.plate, event.shape) == ((4,), (), (4,))
    torch.testing.assert_close(event.log_prob(z), plate.log_prob(z).sum())


def test_vectors_far_apart_have_the_same_derivatives_in_single_precision() -> None:
    """The weights of entry d leave its own density out: as a sum of the others, for a difference would cancel."""
    loc = torch.tensor([[[0.0, 0.0], [0.3, 1e4]]], dtype=torch.float64)
    noise = {"choice": torch.tensor([0.3]), "normal": torch.tensor([[[0.4, -0.7], [1.1, 0.2]]])}

    def gradient(dtype: torch.dtype) -> torch.Tensor:
        def total(logits: torch.Tensor) -> torch.Tensor:
            law = MixtureSameFamily(
                Categorical(logits=logits), Normal(loc.to(dtype), torch.ones(1, 2, 2, dtype=dtype))
            )
            return law.path({role: draw.to(dtype) for role, draw in noise.items()})[..., 0].sum()

        return torch.func.grad(total)(torch.zeros(1, 2, dtype=dtype))

    exact = gradient(torch.float64)
    torch.testing.assert_close(gradient(torch.float32).double(), exact, rtol=1e-4, atol=1e-5)


def test_vectors_of_angles_and_moving_supports_are_told() -> None:
    angles = VonMises(torch.zeros(2, 3), torch.ones(2, 3))
    with pytest.raises(ReparamError, match="vectors of VonMises entries are not differentiated"):
        MixtureSameFamily(Categorical(logits=torch.zeros(2)), angles)
    weights, low = Categorical(logits=torch.zeros(2)), torch.zeros(2)
    assert not MixtureSameFamily(weights, Uniform(low, low + 1, event_dims=0)).fixed_support
    assert MixtureSameFamily(weights, Normal(low, low + 1, event_dims=0)).fixed_support


def test_muprop_refuses_the_circular_mean_of_mixed_angles() -> None:
    weights, low = Categorical(logits=torch.zeros(2)), torch.zeros(2)
    numbers, angles = (
        MixtureSameFamily(weights, kind(low, low + 1, event_dims=0)) for kind in (Normal, VonMises)
    )
    assert "muprop" in able(numbers)
    assert "muprop" not in able(angles)
