"""What the cards say of when to use an estimator, where no other test shows it; all by exact moments."""

from __future__ import annotations

import bit_grids
import pytest
import torch
from bit_grids import assert_unbiased, logits
from forced import moments

from reparam.distributions import Bernoulli, Normal
from reparam.engine.gradient import estimate_gradient
from reparam.estimators.arm import Arm, Disarm
from reparam.estimators.exact import Exact
from reparam.estimators.pathwise import Pathwise
from reparam.estimators.reinmax import ReinMax
from reparam.estimators.reweighted_wake_sleep import ReweightedWakeSleep
from reparam.estimators.score_function import ScoreFunction
from reparam.estimators.straight_through import Half, StraightThrough
from reparam.estimators.vimco import Vimco
from reparam.oracles import objectives
from reparam.program import describe

D = torch.float64


def chain(length: int):
    """A program of `length` bits, each above the next."""

    def program(params, sample):
        z = params["z"].new_zeros(1)
        for i in range(length):
            z = sample(f"z{i}", Bernoulli(logits=params["z"] + z))
        return z.sum(-1)

    return program


@pytest.mark.parametrize("sites", [1, 2, 3])
def test_disarm_with_two_samples_costs_what_arm_does(sites: int) -> None:
    found = describe(chain(sites), {"z": logits(0.4)})
    assert Arm.card.evaluations(Arm(), found) == Disarm.card.evaluations(Disarm(), found) == 1 + sites


def test_the_cost_of_enumeration_doubles_with_a_bit() -> None:
    counts = [
        estimate_gradient(Exact(), chain(sites), {"z": logits(0.4)}, {}).evaluations for sites in (1, 2, 3, 4)
    ]
    assert counts == [2, 4, 8, 16]


@pytest.mark.parametrize(
    ("estimator", "order"),
    [(StraightThrough(), 1), (ReinMax(), 2), (Half(), 2)],
    ids=["st", "reinmax", "half"],
)
def test_the_last_layer_is_exact_and_those_above_are_not(estimator, order: int) -> None:
    """Given the bits above, f is linear or quadratic in the last; of those above, its mean is no polynomial."""

    def program(params, sample):
        top = sample("top", Bernoulli(logits=params["top"]))
        low = sample("low", Bernoulli(logits=params["base"] + top * params["link"]))
        return (low.sum(-1) + 0.4 * top.sum(-1) - 0.3) ** order

    params = {"top": logits(0.2, 0.6), "base": logits(0.3), "link": torch.tensor([1.7, -0.6], dtype=D)}
    found = moments(estimator, program, params).mean
    exact = torch.func.grad(lambda params: objectives.expectation(program, params))(params)
    for name in ("base", "link"):
        torch.testing.assert_close(found[name], exact[name])
    assert ((found["top"] - exact["top"]).abs() > 1e-2 * exact["top"].abs().max()).any()


def test_straight_through_is_exact_for_products_of_variables() -> None:
    def product(params, sample):
        return sample("z", Bernoulli(logits=params["z"])).add(0.4).prod(-1)

    params = {"z": logits(0.2, 0.6)}
    assert_unbiased(bit_grids.estimates(StraightThrough(), product, params), product, params)


# ---- pathwise against the score function, by the midpoint rule over the quantiles of the noise -----------------------

QUANTILES = (torch.arange(20_000, dtype=D) + 0.5) / 20_000
LOC = {"loc": torch.tensor([0.3], dtype=D)}


def by_loc(estimator, f) -> torch.Tensor:
    def program(params, sample):
        return f(sample("z", Normal(params["loc"], torch.ones(1, dtype=D)))).sum(-1)

    noise = torch.special.ndtri(QUANTILES).reshape(-1, 1, 1)
    return torch.vmap(
        lambda n: estimate_gradient(estimator, program, LOC, {"z": {"normal": n}}).gradient["loc"][0]
    )(noise)


@pytest.mark.parametrize(("frequency", "pathwise_wins"), [(0.5, True), (5.0, False)])
def test_pathwise_loses_to_the_score_function_where_f_changes_quickly(
    frequency: float, pathwise_wins: bool
) -> None:
    path, score = (
        by_loc(estimator, lambda z: (frequency * z).sin()).var()
        for estimator in (Pathwise(), ScoreFunction())
    )
    assert (2 * path < score) if pathwise_wins else (path > 2 * score)


def test_pathwise_does_not_see_a_jump() -> None:
    """E[z + 1(z > 0)] has the slope 1 plus the density at 0."""

    def f(z):
        return z + (z > 0).to(z)

    density = torch.exp(-(LOC["loc"] ** 2) / 2).item() / (2 * torch.pi) ** 0.5
    assert by_loc(Pathwise(), f).mean().item() == pytest.approx(1.0)
    assert by_loc(ScoreFunction(), f).mean().item() == pytest.approx(1 + density, abs=1e-3)


# ---- the K-sample bound ----------------------------------------------------------------------------------------------


def log_weight(params, sample):
    """log p − log q of a bit."""
    z = sample("z", Bernoulli(logits=params["guide"]))
    log_p = (z * params["model"]).sum(-1) - params["model"].exp().log1p().sum()
    return log_p - Bernoulli(logits=params["guide"]).log_prob(z)


GUIDED = {"guide": torch.tensor([0.9], dtype=D), "model": torch.tensor([-0.7], dtype=D)}


def test_the_gradient_of_q_weakens_with_vimco_and_not_with_wake() -> None:
    vimco, wake = (
        [moments(kind(samples=k), log_weight, GUIDED).mean["guide"].abs().item() for k in (2, 4, 8)]
        for kind in (Vimco, ReweightedWakeSleep)
    )
    assert vimco[0] > 1.5 * vimco[1] > 1.5**2 * vimco[2]
    assert wake[0] < wake[1] < wake[2]


def test_wake_climbs_the_bound_in_the_model() -> None:
    wake = moments(ReweightedWakeSleep(samples=3), log_weight, GUIDED).mean["model"]
    exact = torch.func.grad(lambda params: objectives.bound(log_weight, params, 3))(GUIDED)["model"]
    torch.testing.assert_close(wake, exact)
