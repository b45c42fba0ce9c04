"""The Gaussian fit: its program against torch.distributions, its exact value against quadrature."""

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from reparam import tasks
from reparam.errors import ReparamError
from reparam.noise import draw, generator
from reparam.oracles import objectives
from reparam.program import run
from reparam.tasks.gaussian_fit import GaussianFit


def made(dimension: int) -> tuple[GaussianFit, dict[str, torch.Tensor]]:
    task = GaussianFit({"name": "gaussian_fit", "dimension": dimension})
    source = generator("test", "gaussian_fit")
    return task, {n: draw("normal", (dimension,), source, torch.float64) for n in task.init(source)}


def test_value_and_mean_are_those_of_torch() -> None:
    task, params = made(3)
    target = task.target(torch.zeros(3, dtype=torch.float64))
    q = Normal(params["posterior.mean"], params["posterior.log_scale"].exp())
    p = Normal(target.loc, target.scale)
    z = torch.tensor([[0.3, -1.0, 2.0]], dtype=torch.float64)
    value = run(task.program(task.train), params, lambda name, law: z).value
    torch.testing.assert_close(value, (p.log_prob(z) - q.log_prob(z)).sum(-1))
    torch.testing.assert_close(task.expectation(params), -kl_divergence(q, p).sum())


def test_the_mean_agrees_with_quadrature() -> None:
    task, params = made(2)
    exact = objectives.expectation(task.program(task.train), params)
    torch.testing.assert_close(exact[0], task.expectation(params))


def test_the_target_is_a_fixed_point_of_its_own() -> None:
    task, _ = made(4)
    target = task.target(torch.zeros(4, dtype=torch.float64))
    params = {"posterior.mean": target.loc, "posterior.log_scale": target.scale.log()}
    assert abs(task.expectation(params).item()) < 1e-12
    again = GaussianFit({"dimension": 4}).target(target.loc)
    assert torch.equal(again.loc, target.loc) and not torch.equal(
        again.loc[:2], made(2)[0].target(again.loc[:2]).loc
    )
    assert 0.5 < GaussianFit({"dimension": 1000}).target(torch.zeros(1000)).scale.median() < 2


def test_wrong_options() -> None:
    with pytest.raises(ReparamError, match="dimension is 0"):
        tasks.make({"name": "gaussian_fit", "dimension": 0})
