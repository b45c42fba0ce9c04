"""Flows: log-determinants against the Jacobian, inverse ∘ forward, invertible for all parameters; their laws."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from torch import Tensor

from reparam import gradient_moments
from reparam.distributions import (
    Beta,
    Categorical,
    Flow,
    FromCDF,
    Logistic,
    LogitRelaxedBernoulli,
    MixtureSameFamily,
    Normal,
    NormalizingFlow,
    PlanarFlow,
    RadialFlow,
    RelaxedBernoulli,
    TransformFlow,
    Uniform,
)
from reparam.engine.paths import build
from reparam.errors import ReparamError
from reparam.noise import draw, generator

SIZE, COUNT = 3, 200


def numbers(name: str, *shape: int, scale: float = 1.0) -> Tensor:
    return scale * draw("normal", shape, generator("flows", name), torch.float64)


def planar(scale: float) -> Flow:
    """Half of these have w·u < −1, where the unconstrained map is not invertible."""
    weight = numbers("w", COUNT, SIZE)
    shift = numbers("u", COUNT, SIZE) - 2 * weight * torch.linspace(0, 1, COUNT).unsqueeze(-1)
    return PlanarFlow(weight, scale * shift, numbers("b", COUNT))


def radial(scale: float) -> Flow:
    return RadialFlow(numbers("c", COUNT, SIZE), numbers("a", COUNT).exp(), scale * numbers("beta", COUNT))


FLOWS = pytest.mark.parametrize("make", [planar, radial])


@FLOWS
@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0])
def test_the_log_determinant_is_that_of_the_jacobian(make, scale: float) -> None:
    flow, x = make(scale), numbers("x", COUNT, SIZE)
    _, log_det = flow.forward(x)
    whole = torch.func.jacrev(lambda x: flow.forward(x)[0].sum(0))(x)  # rows act on their own x alone
    sign, expected = torch.linalg.slogdet(whole.movedim(1, 0))
    assert (sign > 0).all()
    torch.testing.assert_close(log_det, expected, rtol=1e-8, atol=1e-8)


@FLOWS
@pytest.mark.parametrize("scale", [0.1, 1.0, 5.0])
def test_the_inverse_undoes_the_map_and_is_differentiable(make, scale: float) -> None:
    flow, x = make(scale), numbers("x", COUNT, SIZE)
    y, _ = flow.forward(x)
    torch.testing.assert_close(flow.inverse(y), x, rtol=1e-8, atol=1e-8)
    back = torch.func.jacrev(lambda y: flow.inverse(y).sum(0))(y).movedim(1, 0)
    there = torch.func.jacrev(lambda x: flow.forward(x)[0].sum(0))(x).movedim(1, 0)
    torch.testing.assert_close(back, torch.linalg.inv(there), rtol=1e-6, atol=1e-6)


def test_the_constraint_is_that_of_the_paper() -> None:
    """w·û = log(1 + e^{w·u}) − 1, and û − u along w; β̂ = log(1 + e^β) − α."""
    flow = planar(1.0)
    x, zero = torch.zeros(COUNT, SIZE, dtype=torch.float64), torch.zeros(COUNT, dtype=torch.float64)
    raised = PlanarFlow(flow.weight, flow.scale, zero + math.inf).forward(x)[0]  # tanh = 1: the map adds û
    inner = (flow.weight * flow.scale).sum(-1)
    assert (inner < -1).sum() > COUNT / 4
    torch.testing.assert_close((flow.weight * raised).sum(-1), inner.exp().log1p() - 1)
    change = raised - flow.scale
    cosine = torch.nn.functional.cosine_similarity(change, flow.weight).abs()
    torch.testing.assert_close(cosine, torch.ones_like(cosine))
    given = radial(1.0)
    point = given.center + 0.7 * torch.nn.functional.normalize(numbers("p", COUNT, SIZE), dim=-1)
    moved = (given.forward(point)[0] - point).norm(dim=-1)
    expected = 0.7 * (given.beta.exp().log1p() - given.alpha).abs() / (given.alpha + 0.7)
    torch.testing.assert_close(moved, expected)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_parameters_leave_everything_finite_and_invertible(dtype: torch.dtype) -> None:
    ones = torch.ones(2, dtype=dtype)
    for size in (1e-3, 1.0, 40.0):
        for other in (-80.0, 0.0, 80.0):
            flows = (
                lambda p, s=size: PlanarFlow(s * ones, p * ones / s, 0 * p),
                lambda p, s=size: RadialFlow(0 * ones, s * ones[0], p),
            )
            for make in flows:
                x = 0.3 * ones

                def both(p: Tensor, make=make, x: Tensor = x) -> tuple[Tensor, Tensor, Tensor]:
                    y, log_det = make(p).forward(x)
                    return y.sum(), log_det, make(p).inverse(y.detach()).sum()

                values, pullback = torch.func.vjp(both, torch.tensor(other, dtype=dtype))
                slopes = pullback(tuple(map(torch.ones_like, values)))
                assert all(v.isfinite().all() for v in (*values, *slopes)), (size, other, values, slopes)


def stack(params: dict[str, Tensor]) -> NormalizingFlow:
    """Two data with parameters of their own, as an encoder would give them."""
    base = Normal(params["loc"], params["log_scale"].exp())
    return NormalizingFlow(
        base,
        [
            PlanarFlow(params["weight"], params["shift"], params["bias"]),
            RadialFlow(params["center"], params["log_alpha"].exp(), params["beta"]),
        ],
    )


PARAMS = {
    name: numbers(name, *shape)
    for name, shape in {
        "loc": (2, SIZE),
        "log_scale": (2, SIZE),
        "weight": (2, SIZE),
        "shift": (2, SIZE),
        "bias": (2,),
        "center": (2, SIZE),
        "log_alpha": (2,),
        "beta": (2,),
    }.items()
}


def test_the_density_of_an_own_sample_needs_no_inverse_and_equals_that_with_one(monkeypatch) -> None:
    law = stack(PARAMS)
    law.validate()
    z = law.path({"normal": numbers("noise", 2, SIZE)})
    with_inverse = law.log_prob(z.clone())
    for kind in (PlanarFlow, RadialFlow):
        monkeypatch.delattr(kind, "inverse")
    torch.testing.assert_close(law.log_prob(z), with_inverse)
    assert law.log_prob(z).shape == law.plate == (2,)


def test_the_density_integrates_to_one() -> None:
    """In two dimensions, by the trapezoidal rule."""
    flows = [
        PlanarFlow(torch.tensor([1.0, -1.0]), torch.tensor([-0.5, 0.3]), torch.tensor(0.3)),
        RadialFlow(torch.tensor([0.4, 0.1]), torch.tensor(0.7), torch.tensor(-1.0)),
    ]
    axis = torch.linspace(-9, 9, 451)
    z = torch.cartesian_prod(axis, axis)
    base = Normal(torch.zeros(len(z), 2), torch.ones(len(z), 2))
    mass = NormalizingFlow(base, flows).log_prob(z).double().exp().sum() * (axis[1] - axis[0]) ** 2
    assert mass.item() == pytest.approx(1, abs=1e-3)


def test_several_vectors_of_one_event_add_up() -> None:
    params = {name: p.unsqueeze(0) for name, p in PARAMS.items()}
    base = Normal(params["loc"], params["log_scale"].exp(), event_dims=2)
    flows = [PlanarFlow(params["weight"], params["shift"], params["bias"])]
    together, apart = (
        NormalizingFlow(base, flows),
        NormalizingFlow(Normal(params["loc"], base.scale), flows),
    )
    z = together.path({"normal": numbers("noise", 1, 2, SIZE)})
    assert together.log_prob(z).shape == together.plate == (1,)
    torch.testing.assert_close(together.log_prob(z), apart.log_prob(z).sum(-1))
    torch.testing.assert_close(together.log_prob(z.clone()), apart.log_prob(z).sum(-1))


def test_pathwise_and_score_function_gradients_agree() -> None:
    """Two routes to one number, with and without the inverse; per entry at |z| < 6: a false alarm in 10⁷ runs."""

    def program(params, sample):
        law = stack(params)
        z = sample("z", law)
        return torch.tanh(z).sum(-1) - 0.1 * law.log_prob(z)

    pathwise = gradient_moments(program, PARAMS, estimator="pathwise", draws=4000)
    score = gradient_moments(program, PARAMS, estimator="score_function", draws=4000)
    for name in PARAMS:
        error = (pathwise.standard_error[name].square() + score.standard_error[name].square()).sqrt()
        assert ((pathwise.mean[name] - score.mean[name]).abs() < 6 * error).all(), name
        assert (pathwise.mean[name].abs() > 6 * pathwise.standard_error[name]).any(), name


def gradient(params: dict[str, Tensor], noise: Tensor, inverse: bool) -> dict[str, Tensor]:
    def loss(params: dict[str, Tensor]) -> Tensor:
        law = stack(params)
        z = law.path({"normal": noise})
        other = law.log_prob(z.detach()).sum() if inverse else torch.zeros(())
        return z.sin().sum() + law.log_prob(z).sum() + other

    return torch.func.grad(loss)(params)


def test_traced_gradients_equal_eager() -> None:
    arguments, step = (PARAMS, numbers("noise", 2, SIZE)), partial(gradient, inverse=True)
    torch.testing.assert_close(build(step, arguments, "traced")(*arguments), step(*arguments))


@pytest.mark.slow
def test_compiled_gradients_equal_eager() -> None:
    """Without the inverse of the planar flow: its bisection takes the compiler most of a minute."""
    arguments, step = (PARAMS, numbers("noise", 2, SIZE)), partial(gradient, inverse=False)
    torch.testing.assert_close(build(step, arguments, "compiled")(*arguments), step(*arguments))


def test_transforms_of_torch_are_flows() -> None:
    x = numbers("x", 4, SIZE)
    flow = TransformFlow(torch.distributions.SigmoidTransform())
    y, log_det = flow.forward(x)
    torch.testing.assert_close(log_det, (y * (1 - y)).log().sum(-1))
    torch.testing.assert_close(flow.inverse(y), x)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: PlanarFlow(torch.zeros(2), torch.ones(2), torch.zeros(())).validate(),
            "The length of PlanarFlow's weight must be positive and finite, but holds 0",
        ),
        (
            lambda: PlanarFlow(torch.ones(2), torch.tensor([1.0, torch.nan]), torch.zeros(())).validate(),
            "PlanarFlow's scale must be finite",
        ),
        (
            lambda: RadialFlow(torch.ones(2), torch.zeros(()), torch.zeros(())).validate(),
            "RadialFlow's alpha must be positive and finite, but holds 0",
        ),
        (
            lambda: RadialFlow(torch.ones(2), torch.ones(()), torch.tensor(torch.inf)).validate(),
            "RadialFlow's beta must be finite",
        ),
        (
            lambda: NormalizingFlow(Normal(torch.zeros(()), torch.ones(())), []),
            "the base law needs event_dims of at least 1",
        ),
        (
            lambda: NormalizingFlow(
                Normal(torch.zeros(2), torch.ones(2)),
                [TransformFlow(torch.distributions.AffineTransform(torch.zeros(5, 2), 1))],
            ).path({"normal": torch.zeros(2)}),
            r"TransformFlow turns shape \(2,\) into \(5, 2\); its parameters must broadcast",
        ),
    ],
)
def test_bad_input_is_refused_in_one_line(make, message: str) -> None:
    with pytest.raises(ReparamError, match=message):
        make()


def test_a_density_kept_from_a_draw_without_derivatives_is_found_anew() -> None:
    w = torch.tensor([0.5, 0.4], requires_grad=True)
    law = NormalizingFlow(
        Normal(torch.zeros(2), torch.ones(2)), [PlanarFlow(torch.ones(2), w, torch.zeros(()))]
    )
    with torch.no_grad():
        z = law.path({"normal": torch.tensor([0.3, -0.8])})
        kept = law.log_prob(z)
    found = law.log_prob(z)
    assert found.requires_grad and not kept.requires_grad
    torch.testing.assert_close(found, kept)


PLANAR = PlanarFlow(torch.ones(2), torch.ones(2), torch.zeros(()))
SIGMOID = torch.distributions.SigmoidTransform()
AFFINE = torch.distributions.AffineTransform(torch.zeros(2), torch.ones(2))
SQUASHED = torch.distributions.ComposeTransform([SIGMOID, AFFINE])


@pytest.mark.parametrize(
    ("base", "flows", "fixed"),
    [
        (Normal, [PLANAR], True),
        (Logistic, [PLANAR, TransformFlow(AFFINE)], True),
        (Uniform, [PLANAR], False),
        (Uniform, [], False),
        (Normal, [PLANAR, TransformFlow(SIGMOID)], True),
        (Normal, [TransformFlow(SIGMOID), PLANAR], False),
        (Normal, [TransformFlow(SQUASHED)], False),
        (Normal, [TransformFlow(torch.distributions.IndependentTransform(SQUASHED, 1))], False),
        (lambda low, high: RelaxedBernoulli(0.5, low), [PLANAR], False),
        (lambda low, high: LogitRelaxedBernoulli(0.5, low), [PLANAR], True),
        (lambda low, high: FromCDF(torch.sigmoid, (), shape=(2,)), [PLANAR], True),
        (lambda low, high: FromCDF(torch.sigmoid, (), (0.0, 1.0), (2,)), [PLANAR], False),
        (lambda low, high: MixtureSameFamily(Categorical(low), Normal(low, high)), [PLANAR], True),
        (lambda low, high: MixtureSameFamily(Categorical(low), Beta(high, high)), [PLANAR], False),
        (lambda *given: NormalizingFlow(Normal(*given), [PLANAR]), [PLANAR], True),
        (lambda *given: NormalizingFlow(Normal(*given), [TransformFlow(SIGMOID)]), [PLANAR], False),
    ],
)
def test_flows_move_the_edges_that_they_meet(base, flows: list[Flow], fixed: bool) -> None:
    given = torch.full((2, 2), 0.5), torch.ones(2, 2)
    assert NormalizingFlow(base(*given), flows).fixed_support == fixed
