"""Learning signals that are given, as in reinforcement learning, and what they lead to.

Who takes them is part of the contract (`reparam.measure.contract.signals`).
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from scipy.stats import norm

from reparam import estimators
from reparam.distributions import Bernoulli, Categorical
from reparam.engine.gradient import estimate_gradient
from reparam.errors import ReparamError
from reparam.noise import draw_block, generator
from reparam.program import Params, describe

DRAWS = 40_000
FALSE_ALARM = 1e-6
"""Of one test of all coordinates, for a right estimator."""


# A Markov decision process of two steps: two states, three actions, everything about it a table.
FIRST = torch.tensor([0.6, 0.4])
NEXT = torch.tensor([[0.9, 0.2, 0.5], [0.3, 0.7, 0.1]])
"""The probability that the next state is 1, by state and action."""
REWARD = torch.tensor([[1.0, -2.0, 0.5], [3.0, 0.0, -1.0]])
DISCOUNT = 0.8
POLICY = {"policy": torch.tensor([[0.3, -0.2, 0.5], [-0.4, 0.6, 0.1]])}


def policy_gradient() -> torch.Tensor:
    """∇ E[r₀ + γ r₁] by enumeration of all trajectories."""
    logits = POLICY["policy"].clone().requires_grad_()
    action = logits.exp() / logits.exp().sum(-1, keepdim=True)
    total = torch.zeros(())
    for s0 in (0, 1):
        for a0 in range(3):
            for s1 in (0, 1):
                move = NEXT[s0, a0] if s1 else 1 - NEXT[s0, a0]
                for a1 in range(3):
                    mass = FIRST[s0] * action[s0, a0] * move * action[s1, a1]
                    total = total + mass * (REWARD[s0, a0] + DISCOUNT * REWARD[s1, a1])
    (gradient,) = torch.autograd.grad(total, logits)
    return gradient


def acting(states: torch.Tensor) -> Any:
    """The policy at these states, which are the plate; the reward is given and not computed."""

    def program(params: Params, sample: Any) -> torch.Tensor:
        features = (states.unsqueeze(-1) == torch.arange(2)).float()
        sample("action", Categorical(logits=features @ params["policy"]), context=features)
        return torch.zeros(states.shape)

    return program


def roll_out(uniform: torch.Tensor, world: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """States [2] and discounted rewards to go [2] from the actions' noise [2, 3] and the world's [2]."""

    def act(state: torch.Tensor, noise: torch.Tensor) -> torch.Tensor:
        return Categorical(logits=POLICY["policy"][state]).path({"uniform": noise})

    s0 = (world[0] < FIRST[1]).long()
    a0 = act(s0, uniform[0])
    s1 = (world[1] < NEXT[s0, a0]).long()
    r0, r1 = REWARD[s0, a0], DISCOUNT * REWARD[s1, act(s1, uniform[1])]
    return torch.stack([s0, s1]), torch.stack([r0 + r1, r1])


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("score_function", {}),
        ("score_function", {"baseline": "moving_average"}),
        ("nvil", {"normalise": False}),
    ],
)
def test_rewards_to_go_make_the_policy_gradient(name: str, options: dict[str, Any]) -> None:
    estimator = estimators.make(name, options)
    sites = describe(acting(torch.tensor([0, 1])), POLICY)
    noise = draw_block(estimator.noise(sites), ("policy", name), DRAWS)
    world = torch.rand(DRAWS, 2, generator=generator("policy", "world"))
    tunables, memory = estimator.start(POLICY, sites, generator("policy", "init"))
    source = generator("policy", "tunables")
    tunables = {key: torch.randn(entry.shape, generator=source) for key, entry in tunables.items()}

    def one(noise: Any, world: torch.Tensor, memory: Any) -> Any:
        states, togo = roll_out(noise["action"]["uniform"][0], world)
        return estimate_gradient(estimator, acting(states), POLICY, noise, tunables, memory, {"action": togo})

    for step in range(20):  # averages settle on the first draws, and then are held
        first = {"action": {"uniform": noise["action"]["uniform"][step]}}
        memory = one(first, world[step], memory).memory
    found = torch.vmap(lambda n, w: one(n, w, memory).gradient["policy"])(noise, world).double()
    bound = norm.isf(FALSE_ALARM / 2 / 6)
    z = (found.mean(0) - policy_gradient()).abs() / (found.std(0) / DRAWS**0.5)
    assert (z <= bound).all(), z


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("score_function", {"samples": 3}),
        ("score_function", {"samples": 3, "baseline": "leave_one_out"}),
        ("vargrad", {"samples": 3}),
    ],
)
def test_several_actions_per_state_have_a_signal_each(name: str, options: dict[str, Any]) -> None:
    """Three actions for each of two states, with their rewards given."""
    states = torch.tensor([0, 1])
    estimator = estimators.make(name, options)
    program = acting(states)
    noise = draw_block(estimator.noise(describe(program, POLICY)), ("bandit",), DRAWS)

    def one(noise: Any) -> torch.Tensor:
        uniform = noise["action"]["uniform"]
        actions = Categorical(logits=POLICY["policy"][states].expand(3, 2, 3)).path({"uniform": uniform})
        signals = {"action": REWARD[states.expand(3, 2), actions]}
        return estimate_gradient(estimator, program, POLICY, noise, signals=signals).gradient["policy"]

    found = torch.vmap(one)(noise).double()
    logits = POLICY["policy"].clone().requires_grad_()
    (exact,) = torch.autograd.grad((logits.softmax(-1) * REWARD).sum(), logits)
    z = (found.mean(0) - exact).abs() / (found.std(0) / DRAWS**0.5)
    assert (z <= norm.isf(FALSE_ALARM / 2 / 6)).all(), z


@pytest.mark.parametrize(
    ("options", "signals", "message"),
    [
        ({}, {"z": torch.ones(3)}, r"sample site 'z' has shape \(3,\), but .* make \(2,\)"),
        ({"samples": 3}, {"z": torch.ones(2)}, r"has shape \(2,\), but .* make \(3, 2\)"),
        ({}, {"x": torch.ones(2)}, "given for 'x', but the sampled sites are z"),
    ],
)
def test_signals_that_do_not_fit_are_refused(options: Any, signals: Any, message: str) -> None:
    def program(params: Params, sample: Any) -> torch.Tensor:
        return sample("z", Bernoulli(logits=params["logits"])).sum(-1)

    params = {"logits": torch.zeros(2, 1)}
    estimator = estimators.make("score_function", options)
    noise = {"z": {"uniform": torch.full((estimator.samples, 2, 1), 0.4)}}
    with pytest.raises(ReparamError, match=message) as caught:
        estimate_gradient(estimator, program, params, noise, signals=signals)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("score_function", {"baseline": "mean"}),
        ("score_function", {"baseline": "optimal"}),
        ("nvil", {"samples": 2}),
    ],
)
def test_options_that_need_values_of_f_refuse_signals(name: str, options: dict[str, Any]) -> None:
    """The baselines at fresh samples and the bound of several, though the defaults of both take signals."""
    with pytest.raises(
        ReparamError, match=f"{name} .*learning signals cannot be given to it; .*vargrad"
    ) as caught:
        estimate_gradient(
            estimators.make(name, options), acting(torch.zeros(2)), POLICY, {}, signals={"action": FIRST}
        )
    assert estimators.get(name).card.given_signal
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("options", [{}, {"samples": 2}])
def test_a_signal_with_a_graph_of_its_own_leaves_none_in_the_estimate(options: dict[str, Any]) -> None:
    """A critic's advantage, say: its graph is the caller's, and would be kept alive by what is returned."""
    program, estimator = acting(torch.tensor([0, 1])), estimators.make("score_function", options)
    block = draw_block(estimator.noise(describe(program, POLICY)), ("graph",), 1)
    noise = {site: {role: n[0] for role, n in roles.items()} for site, roles in block.items()}
    shape = (2, 2) if options else (2,)
    signal = {"action": torch.arange(1.0, 1 + torch.Size(shape).numel()).reshape(shape).requires_grad_()}
    found = estimate_gradient(estimator, program, POLICY, noise, signals=signal)
    assert found.gradient["policy"].any() and not found.gradient["policy"].requires_grad
