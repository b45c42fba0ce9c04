"""Sample means and variances of estimators against exact ones, per coordinate.

Every number is tested at BOUND standard errors, two-sided level 1e-7; there are fewer than 2,000, so that right
estimators fail with probability at most 2e-4. The standard error of a sample variance is √((m₄ − s⁴) / N).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch

from reparam import estimators
from reparam.distributions import Bernoulli
from reparam.engine.gradient import estimate_gradient
from reparam.measure.contract.cases import Case, estimates, noise_of
from reparam.noise import draw_block
from reparam.oracles import one_bit, variance
from reparam.program import describe

DRAWS, BOUND = 40_000, 5.33


def agrees(draws: torch.Tensor, mean: torch.Tensor, spread: torch.Tensor) -> None:
    """Draws [N, …] of one estimate have this mean and this variance."""
    draws = draws.double()
    centred = draws - draws.mean(0)
    found = draws.var(0)
    error = (draws.var(0) / DRAWS).sqrt()
    assert ((draws.mean(0) - mean).abs() <= BOUND * error + 1e-6 * (1 + mean.abs())).all(), (
        draws.mean(0),
        mean,
    )
    error = ((centred**4).mean(0) - found**2).clamp_min(0).div(DRAWS).sqrt()
    off = (found - spread).abs() / (error + 1e-6 * (1 + spread))
    assert (off <= BOUND).all(), (off, found, spread)


LOO = {"baseline": "leave_one_out", "samples": 2}
ONE_BIT = {
    "reinforce": ("score_function", {}, one_bit.reinforce),
    "rloo": ("score_function", LOO, one_bit.leave_one_out),
    "arm": ("arm", {}, one_bit.arm),
    "disarm": ("disarm", {}, one_bit.disarm),
}
PROBABILITIES, TARGETS = (0.05, 0.3, 0.6, 0.9), (0.1, 0.45, 0.8)


@pytest.mark.parametrize("key", ONE_BIT)
def test_on_one_bit_it_has_the_closed_form_variance(key: str) -> None:
    """All probabilities and targets as the data of one program."""
    name, options, closed = ONE_BIT[key]
    grid = torch.cartesian_prod(torch.tensor(PROBABILITIES), torch.tensor(TARGETS))
    p, t = grid[:, :1], grid[:, 1:]
    params = {"logits": torch.logit(p)}

    def program(params: Mapping[str, torch.Tensor], sample: Any) -> torch.Tensor:
        return (sample("z", Bernoulli(logits=params["logits"])) - t).square().sum(-1)

    estimator = estimators.make(name, options)
    noise = draw_block(estimator.noise(describe(program, params)), ("variance", "one bit"), DRAWS)
    draws = torch.vmap(lambda n: estimate_gradient(estimator, program, params, n).gradient["logits"])(noise)
    agrees(draws, one_bit.mean(p.double(), t.double()), closed(p.double(), t.double()))


SCORED = (
    "bits_one_layer",
    "bits_two_layers",
    "one_hot_two_layers",
    "index_above_bits",
    "bits_log_weight",
    "normal_one_layer",
    "bits_above_normal",
)
ENUMERATED = {
    "none": ({}, lambda case: variance.score_function(*_where(case))),
    "two samples": ({"samples": 2}, lambda case: variance.score_function(*_where(case), samples=2)),
    "moving average": (
        {"baseline": "moving_average"},
        lambda case: variance.score_function(*_where(case), baseline=_average(case)),
    ),
    "leave one out": (LOO, lambda case: variance.leave_one_out(*_where(case))),
}


@pytest.mark.parametrize(
    ("key", "title"),
    [
        (key, title)
        for key in ENUMERATED
        for title in SCORED
        if (key, title)
        != ("leave one out", "normal_one_layer")  # the pairs of quadrature points are too many
    ],
)
def test_the_score_function_has_the_enumerated_variance(key: str, title: str) -> None:
    options, exact = ENUMERATED[key]
    check(Case(estimators.get("score_function"), options, title), exact)


@pytest.mark.parametrize(
    "title", ["normal_one_layer", "normal_two_layers", "normal_log_weight", "logistic_one_layer"]
)
def test_pathwise_has_the_variance_of_quadrature(title: str) -> None:
    check(Case(estimators.get("pathwise"), {}, title), lambda case: variance.pathwise(*_where(case)))


def check(case: Case, exact: Any) -> None:
    gradients, _ = estimates(case, noise_of(case, DRAWS, "variance"), case.state)
    found = exact(case)
    for name, draws in gradients.items():
        agrees(draws, found.mean[name], found.variance[name])


def _where(case: Case) -> tuple:
    return case.problem.program, {name: p.double() for name, p in case.problem.params.items()}


def _average(case: Case) -> float:
    """The baseline that the held memory makes: one number, as every site has the same signal."""
    memory = case.state.memory
    (baseline,) = {round(float(average / memory["weight"]), 6) for average in memory["total"].values()}
    return baseline
