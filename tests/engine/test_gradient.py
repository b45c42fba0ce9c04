"""The engine's part: coefficients per tensor, tunables with their own loss or the variance objective."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from reparam.distributions import Normal
from reparam.engine.gradient import estimate_gradient
from reparam.estimators.base import Estimator, Terms, path_noise
from reparam.program import follow

PARAMS = {"loc": torch.tensor([[0.5]]), "shift": torch.tensor([2.0])}


def program(params, sample):
    z = sample("z", Normal(params["loc"], torch.ones(1, 1)))
    return z.square().sum(-1) + params["shift"].square()


@dataclass(frozen=True)
class Weighted(Estimator):
    """Two losses: one with a number, one with a coefficient per tensor that is itself a tunable."""

    own_loss: bool = False

    def noise(self, sites):
        return path_noise(sites, 1)

    def estimate(self, run, params, noise, tunables, memory):
        value = run(params, follow({"z": {"normal": noise["z"]["normal"][0]}})).value
        coefficient = {"loc": tunables["a"], "shift": torch.tensor(3.0)}
        loss = (tunables["a"] - 4).square() if self.own_loss else None
        return Terms(value, (value, value), (2.0, coefficient), 1, memory, loss, tune_variance=loss is None)


def estimate(a: float, own_loss: bool):
    noise = {"z": {"normal": torch.full((1, 1, 1), 0.25)}}
    return estimate_gradient(Weighted(own_loss), program, PARAMS, noise, {"a": torch.tensor(a)}, {})


def test_each_tensor_has_its_own_coefficient() -> None:
    found = estimate(-0.5, own_loss=False)
    assert found.gradient["loc"].item() == (2 - 0.5) * 2 * 0.75
    assert found.gradient["shift"].item() == (2 + 3) * 2 * 2.0


def test_the_variance_objective_is_the_squared_norm_of_the_gradient() -> None:
    """d/da [(2 + a)² · 1.5²] = 2 (2 + a) · 2.25."""
    assert estimate(-0.5, own_loss=False).tunable_gradient["a"].item() == 2 * 1.5 * 2.25


def test_tunables_may_have_a_loss_of_their_own() -> None:
    assert estimate(-0.5, own_loss=True).tunable_gradient["a"].item() == -9.0
