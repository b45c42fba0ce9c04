"""Every optimiser against torch.optim, step by step."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from reparam.engine import optimisers
from reparam.errors import ReparamError

PAIRS = [
    (
        {"name": "sgd", "rate": 0.1, "momentum": 0.9},
        lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
        1e-12,
    ),
    (
        {"name": "adagrad", "rate": 0.1, "eps": 1e-20},
        lambda p: torch.optim.Adagrad(p, lr=0.1, eps=1e-10),
        1e-7,
    ),
    ({"name": "rmsprop", "rate": 0.01}, lambda p: torch.optim.RMSprop(p, lr=0.01), 1e-12),
    ({"name": "adam", "rate": 0.05}, lambda p: torch.optim.Adam(p, lr=0.05), 1e-12),
]


@pytest.mark.parametrize(("options", "reference", "tolerance"), PAIRS, ids=[p[0]["name"] for p in PAIRS])
def test_twenty_steps_equal_torch(options: dict, reference, tolerance: float) -> None:
    source = torch.Generator().manual_seed(0)
    start = torch.randn(6, generator=source, dtype=torch.float64)
    theirs = start.clone().requires_grad_()
    torch_optimiser = reference([theirs])
    ours, params = optimisers.make(options), {"p": start}
    state = ours.init(params)
    for _ in range(20):
        gradient = torch.randn(6, generator=source, dtype=torch.float64)
        theirs.grad = gradient.clone()
        torch_optimiser.step()
        params, state = ours.update({"p": gradient}, state, params)
    torch.testing.assert_close(params["p"], theirs.detach(), rtol=tolerance, atol=tolerance)


def test_a_horizon_lets_the_rate_fall_as_a_cosine() -> None:
    optimiser = optimisers.make({"name": "sgd", "rate": 0.1, "horizon": 3})
    params = {"p": torch.zeros(1, dtype=torch.float64)}
    state, path = optimiser.init(params), [0.0]
    for _ in range(5):
        params, state = optimiser.update({"p": torch.ones(1, dtype=torch.float64)}, state, params)
        path.append(params["p"].item())
    steps = [before - after for before, after in pairwise(path)]
    assert steps == pytest.approx([0.1, 0.1 * 0.75**0.5, 0.05, 0, 0], abs=1e-9)


def test_the_first_steps_of_adagrad_only_accumulate() -> None:
    optimiser = optimisers.make({"name": "adagrad", "rate": 0.1, "warmup": 3})
    params = {"p": torch.ones(1)}
    state = optimiser.init(params)
    path = []
    for _ in range(5):
        params, state = optimiser.update({"p": torch.full((1,), 2.0)}, state, params)
        path.append(params["p"].item())
    assert path[:3] == [1.0, 1.0, 1.0]
    assert path[3] == pytest.approx(1 - 0.1 * 2 / 16**0.5)


def path(options: dict, gradients: list[float], start: float = 0.3) -> list[float]:
    """A number under these gradients, one after another."""
    optimiser, params = optimisers.make(options), {"p": torch.tensor([start], dtype=torch.float64)}
    state, found = optimiser.init(params), [start]
    for gradient in gradients:
        params, state = optimiser.update({"p": torch.tensor([gradient]).double()}, state, params)
        found.append(params["p"].item())
    return found


@pytest.mark.parametrize("name", ["adam", "burda_adam"])
def test_stages_triple_and_their_rates_fall_to_a_tenth(name: str) -> None:
    """With β₁ = β₂ = 0 a step at a constant gradient is the rate, in stages of 1, 3, … steps of 3,280 (8 stages)."""
    options = {"name": name, "rate": 0.001, "beta1": 0.0, "beta2": 0.0, "eps": 0.0, "tripling": 3280}
    places = path(options, [2.0] * 3300)
    begin = 1 if name == "burda_adam" else 0  # its first step has no moments yet
    steps = [before - after for before, after in pairwise(places)][begin:]
    stages = [i for i in range(8) for _ in range(3**i)]
    expected = [0.001 * 10 ** (-i / 7) for i in stages] + [1e-4] * 20
    assert steps == pytest.approx(expected[begin:], rel=1e-6)


@pytest.mark.parametrize("start", [1.0, 0.0])
def test_burda_s_adam_by_hand(start: float) -> None:
    """Three steps as the released code takes them: moments of before the gradient, v from 1, eps beside √v."""
    gradients, m, v, p, expected = [3.0, -1.0, 0.5], 0.0, start, 0.3, [0.3]
    for t, g in enumerate(gradients, start=1):
        p -= 0.1 * (1 - 0.999**t) ** 0.5 / (1 - 0.99**t) * m / (v**0.5 + 1e-4)
        m, v = 0.99 * m + 0.01 * g, 0.999 * v + 0.001 * g * g
        expected.append(p)
    options = {"name": "burda_adam", "rate": 0.1, **({} if start else {"start": start})}
    assert path(options, gradients) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(
    ("options", "message"), [({"name": "adm"}, "'adam'"), ({"name": "sgd", "rat": 1}, "'rate'")]
)
def test_misspelt_options_name_the_nearest(options: dict, message: str) -> None:
    with pytest.raises(ReparamError, match=message):
        optimisers.make(options)


@pytest.mark.parametrize("horizon", [0, 2])
def test_groups_may_have_rates_of_their_own(horizon: int) -> None:
    whole = optimisers.make({"name": "sgd", "rate": 0.1, "momentum": 0.5, "horizon": horizon})
    split = optimisers.make(
        {"name": "sgd", "rate": 0.1, "momentum": 0.5, "horizon": horizon, "factors": {"q": 0.2}}
    )
    params = {"q.weight": torch.ones(2), "p.weight": torch.ones(2)}
    gradient = {name: torch.tensor([1.0, -2.0]) for name in params}
    ends = []
    for optimiser in (whole, split):
        now, state = dict(params), optimiser.init(params)
        for _ in range(2):
            now, state = optimiser.update(gradient, state, now)
        ends.append(now)
    torch.testing.assert_close(ends[1]["p.weight"], ends[0]["p.weight"])
    torch.testing.assert_close(ends[1]["q.weight"] - 1, 0.2 * (ends[0]["q.weight"] - 1))
