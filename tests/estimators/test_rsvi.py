"""RSVI: closed-form gradients of Gamma and von Mises–Fisher laws, the boost, constants in f, failed draws."""

from __future__ import annotations

import pytest
import torch
from closed_forms import SHARES, agree, gamma_gradients, gamma_program

from reparam import (
    Beta,
    Dirichlet,
    Gamma,
    HypersphericalUniform,
    Mixed,
    Normal,
    Rsvi,
    VonMises,
    VonMisesFisher,
    estimate,
    gradient_moments,
)
from reparam.distributions import ulrich
from reparam.distributions.bessel import log_bessel
from reparam.engine.gradient import estimate_gradient
from reparam.errors import ReparamError
from reparam.noise import draw_block
from reparam.program import describe

SHAPES = {
    "shape": torch.tensor([1e-2, 0.4, 2.0, 30.0], dtype=torch.float64),
    "rate": torch.tensor([0.5, 1.0, 3.0, 2.0], dtype=torch.float64),
}


@pytest.mark.parametrize("boost", [1, 4])
def test_gamma_gradients_are_the_closed_form(boost: int) -> None:
    found = gradient_moments(gamma_program(0.0), SHAPES, Rsvi(boost=boost), draws=10_000, compiled=False)
    agree(found, gamma_gradients(**SHAPES))


@pytest.mark.parametrize(("program", "value", "params"), SHARES)
@pytest.mark.parametrize("boost", [1, 4])
def test_laws_made_of_gamma_variables_have_closed_form_gradients_too(
    program, value, params, boost: int
) -> None:
    found = gradient_moments(program, params, Rsvi(boost=boost), draws=10_000, compiled=False)
    agree(found, torch.func.grad(value)(params))


def variance(estimator, offset: float = 0.0, shape: float = 2.0) -> float:
    params = {"shape": torch.tensor([shape]), "rate": torch.ones(1)}
    return (
        gradient_moments(gamma_program(offset), params, estimator, draws=10_000, compiled=False)
        .variance["shape"]
        .item()
    )


def test_a_constant_added_to_f_changes_the_variance() -> None:
    assert variance(Rsvi(), offset=100.0) > 2 * variance(Rsvi())
    assert variance("pathwise", offset=20.0) == pytest.approx(variance("pathwise"), rel=1e-3)


def test_without_the_boost_shapes_near_one_vary_more() -> None:
    params = {"shape": torch.tensor([1.0]), "rate": torch.ones(1)}
    program = gamma_program(1.0)
    bare, boosted = (
        gradient_moments(program, params, Rsvi(boost=b), draws=10_000, compiled=False)
        .variance["shape"]
        .item()
        for b in (0, 4)
    )
    assert bare > 3 * boosted


@pytest.mark.parametrize("m", [2, 3, 5, 20])
def test_von_mises_fisher_gradients_are_the_closed_form(m: int) -> None:
    """E[a·z] = A_m(κ) a·μ and the KL to the uniform law, in the mean direction and in κ."""
    weights = torch.linspace(-1, 1, m, dtype=torch.float64)
    params = {
        "direction": torch.linspace(0.2, 1.5, m, dtype=torch.float64),
        "kappa": torch.tensor(6.0, dtype=torch.float64),
    }

    def law(params):
        return VonMisesFisher(params["direction"], params["kappa"])

    def program(params, sample):
        own = law(params)
        return (weights * sample("z", own)).sum(-1) - own.kl(HypersphericalUniform(m))

    def exact(params):
        mean = log_bessel(m / 2 - 1, params["kappa"])[1]
        return mean * weights @ law(params).mean_direction - law(params).kl(HypersphericalUniform(m))

    truth = torch.func.grad(exact)(params)
    agree(gradient_moments(program, params, Rsvi(), draws=4000, compiled=False), truth)
    if m == 3:
        agree(gradient_moments(program, params, "pathwise", draws=4000, compiled=False), truth)
    agree(gradient_moments(program, params, "score_function", draws=4000, compiled=False), truth)


def test_von_mises_gradients_are_the_closed_form() -> None:
    """E[cos z + 2 sin z] = A(κ) (cos loc + 2 sin loc)."""
    params = {
        "loc": torch.tensor([0.3, 2.0, -1.0], dtype=torch.float64),
        "kappa": torch.tensor([0.1, 5.0, 300.0], dtype=torch.float64),
    }

    def program(params, sample):
        z = sample("z", VonMises(params["loc"], params["kappa"]))
        return (z.cos() + 2 * z.sin()).sum(-1)

    def exact(params):
        mean = log_bessel(0, params["kappa"])[1]
        return (mean * (params["loc"].cos() + 2 * params["loc"].sin())).sum()

    truth = torch.func.grad(exact)(params)
    agree(gradient_moments(program, params, Rsvi(), draws=10_000, compiled=False), truth)


def test_outside_three_dimensions_there_is_no_pathwise_gradient() -> None:
    def program(params, sample):
        return sample("z", VonMisesFisher(params["direction"], torch.ones(()))).sum(-1)

    with pytest.raises(
        ReparamError, match=r"pathwise needs a differentiable path.* estimators for it: .*rsvi"
    ):
        estimate(program, {"direction": torch.ones(4)}, "pathwise", 0)


def test_a_shared_site_sees_the_value_of_its_plate() -> None:
    """One gamma variable for three data: E Σ_b (z x_b) = (α/β) Σ x."""
    x = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)
    params = {
        "shape": torch.tensor([1.3], dtype=torch.float64),
        "rate": torch.tensor([0.7], dtype=torch.float64),
    }

    def program(params, sample):
        z = sample("z", Gamma(params["shape"], params["rate"], event_dims=1))
        local = sample("local", Gamma(torch.full((3, 1), 2.0).double(), (2 + z).expand(3, 1)))
        return z.sum() * x + 0 * local.sum(-1)

    found = gradient_moments(program, params, Rsvi(), draws=10_000, compiled=False)
    agree(
        found, {"shape": x.sum() / params["rate"], "rate": -x.sum() * params["shape"] / params["rate"] ** 2}
    )


def test_failed_draws_are_counted() -> None:
    params = {"shape": torch.full((3, 2), 2.0)}

    def program(params, sample):
        return sample("z", Gamma(params["shape"], torch.ones(3, 2))).sum(-1)

    estimator = Rsvi(samples=2)
    block = draw_block(estimator.noise(describe(program, params)), ("failed",), 1)
    noise = {site: {role: draw[0].clone() for role, draw in roles.items()} for site, roles in block.items()}
    assert estimate(program, params, estimator, noise).failed.item() == 0
    noise["z"]["proposal"][0, 1] = -30.0  # below every shape's support
    noise["z"]["proposal"][1, 2, 0] = -30.0
    assert estimate(program, params, estimator, noise).failed.item() == 2
    assert estimate(program, params, "pathwise", 0).failed is None


@pytest.mark.parametrize("site", ["top", "low"])
def test_failed_draws_of_every_site_are_counted(site: str) -> None:
    params = {"shape": torch.full((2,), 2.0)}

    def program(params, sample):
        top = sample("top", Gamma(params["shape"], torch.ones(2)))
        return top.sum() + sample("low", Gamma(params["shape"], 1 + top)).sum()

    block = draw_block(Rsvi().noise(describe(program, params)), ("sites",), 1)
    noise = {name: {role: draw[0].clone() for role, draw in roles.items()} for name, roles in block.items()}
    noise[site]["proposal"][0, 1] = -30.0
    assert estimate(program, params, Rsvi(), noise).failed.item() == 1


def test_failed_draws_are_counted_over_all_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """With one proposal instead of 26 a share of 1 − acceptance fails: within 6 standard errors of its own rate."""
    params, draws = {"kappa": torch.tensor(3.0)}, 2000

    def program(params, sample):
        law = VonMisesFisher(torch.tensor([1.0, 0.0, 0.0, 0.0]).expand(3, 4), params["kappa"])
        return sample("z", law)[..., 0]

    assert gradient_moments(program, params, "rsvi", draws=draws).failed == 0
    assert gradient_moments(program, params, "score_function", draws=draws).failed is None
    monkeypatch.setattr(ulrich, "PROPOSALS", 1)
    found = gradient_moments(program, params, "rsvi", draws=draws).failed
    singles = sum(estimate(program, params, "rsvi", seed).failed.item() for seed in range(100)) / 300
    error = (singles * (1 - singles) * (1 / 300 + 1 / (3 * draws))) ** 0.5
    assert 0.05 < singles < 0.6 and abs(found / (3 * draws) - singles) < 6 * error


def test_the_law_s_own_noise_comes_along() -> None:
    """By it `mixed` looks at the sites; everything else is the sampler's."""
    params = {"shape": torch.full((2,), 2.0)}

    def program(params, sample):
        return sample("z", Gamma(params["shape"], torch.ones(2))).sum(-1)

    noise = Rsvi(samples=3, boost=2).noise(describe(program, params))["z"]
    assert {role: (spec.shape, spec.copies) for role, spec in noise.items()} == {
        "uniform": ((2,), 3),
        "proposal": ((2, 10), 3),
        "accept": ((2, 10), 3),
        "boost": ((2, 2), 3),
    }


def test_single_precision_keeps_the_gradient() -> None:
    params = {name: p[1:] for name, p in SHAPES.items()}  # at 1e-2 samples underflow in single precision
    program = gamma_program(0.0)
    noise = draw_block(Rsvi().noise(describe(program, params)), ("precision",), 50, dtype=torch.float64)
    gradients = [
        torch.vmap(
            lambda n, dtype=dtype: estimate_gradient(
                Rsvi(), program, {k: p.to(dtype) for k, p in params.items()}, n
            ).gradient["shape"]
        )({"z": {role: draw.to(dtype) for role, draw in noise["z"].items()}})
        for dtype in (torch.float32, torch.float64)
    ]
    torch.testing.assert_close(gradients[0].double(), gradients[1], rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Rsvi(boost=-1), "rsvi: boost must be an integer ≥ 0, got -1"),
        (lambda: Rsvi(boost=1.5), "rsvi: boost must be an integer, got 1.5"),
        (lambda: Rsvi(samples=0), "rsvi: samples must be an integer ≥ 1, got 0"),
        (
            lambda: estimate(
                lambda p, s: s("z", Normal(p["m"], torch.ones(2))).sum(-1), {"m": torch.zeros(2)}, "rsvi", 0
            ),
            "rsvi needs a rejection sampler, and sample site 'z' has a Normal law",
        ),
    ],
)
def test_what_it_cannot_do_is_refused_in_one_line(make, message: str) -> None:
    with pytest.raises(ReparamError, match=message):
        make()


@pytest.mark.parametrize(
    "make",
    [
        lambda a: Gamma(a, torch.ones(2)),
        lambda a: Beta(torch.tensor(2.0), a),
        lambda a: Dirichlet(a),
    ],
)
def test_without_a_boost_shapes_below_one_are_refused(make) -> None:
    def program(params, sample):
        return sample("z", make(params["shape"])).sum(-1)

    small, large = ({"shape": torch.tensor([2.0, least])} for least in (0.25, 1.0))
    for estimator in (Rsvi(boost=0), Mixed({"z": Rsvi(boost=0)})):
        with pytest.raises(ReparamError, match=r"shapes of at least 1, and sample site 'z' has one of 0\.25"):
            estimate(program, small, estimator, 0)
        estimate(program, large, estimator, 0)
    estimate(program, small, Rsvi(boost=1), 0)
