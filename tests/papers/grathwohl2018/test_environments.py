"""CartPole against gymnasium's, roll-outs, and the environments that need a simulator."""

import math
import sys

import numpy as np
import pytest

from reparam.errors import ReparamError
from reparam.papers.grathwohl2018 import environments
from reparam.papers.grathwohl2018.environments import CartPole, rewards_to_go, roll_out

AXES = ("test", "environments")


@pytest.fixture
def theirs():
    """CartPole-v0 of gymnasium; it is in the locked environment."""
    gymnasium = pytest.importorskip("gymnasium")
    with pytest.warns(DeprecationWarning, match="CartPole-v0"):
        return gymnasium.make("CartPole-v0")


def test_transitions_and_ends_are_gymnasiums(theirs) -> None:
    """From 600 states on both sides of every edge, one cart at a time and all at once."""
    source = np.random.default_rng(0)
    states = source.uniform(-1.1, 1.1, (4, 600)) * np.array([2.4, 3.0, 12 * math.pi / 180, 3.0])[:, None]
    actions = source.integers(0, 2, 600)
    ours, reward, over = CartPole().step(states, actions)
    ended = 0
    for i in range(600):
        theirs.reset()
        theirs.unwrapped.state = states[:, i].copy()
        _, their_reward, terminated, _, _ = theirs.unwrapped.step(int(actions[i]))
        np.testing.assert_allclose(ours[:, i], theirs.unwrapped.state, rtol=0, atol=1e-12)
        one, _, over_one = CartPole().step(states[:, i], int(actions[i]))
        np.testing.assert_allclose(one, theirs.unwrapped.state, rtol=0, atol=1e-12)
        assert terminated == over[i] == over_one and reward == their_reward == 1.0
        ended += terminated
    assert 100 < ended < 500


def test_a_whole_episode_is_gymnasiums(theirs) -> None:
    """A controller that keeps the pole up: 200 steps and no more, the return 200; a lazy one falls at the same step."""
    for gain, falls in ((1.0, False), (0.0, True)):

        def act(state, _, gain=gain):
            return (gain * (state[2] + state[3]) > 0) * 1

        found = roll_out(CartPole(), act, np.zeros((200, 2)), AXES)
        theirs.reset()
        theirs.unwrapped.state = CartPole().reset(AXES, 1)
        for step in range(1, 201):
            state = np.array(theirs.unwrapped.state)
            np.testing.assert_allclose(found.states[step - 1], state, rtol=0, atol=1e-12)
            _, _, terminated, truncated, _ = theirs.step(act(state, None))
            if terminated or truncated:
                break
        assert found.lengths == step == found.rewards.sum()
        assert terminated == falls and truncated != falls
        assert not found.states[step:].any() and not found.rewards[step:].any()


def test_first_states_have_gymnasiums_law(theirs) -> None:
    """U(−0.05, 0.05), by the largest distance from its CDF, √n D < 2.7 (Kolmogorov–Smirnov, 1e-6): ours and theirs."""
    theirs.reset(seed=0)
    for states in (
        CartPole().reset(AXES, 500),
        np.stack([theirs.unwrapped.reset()[0] for _ in range(500)], -1),
    ):
        ranks = np.sort(states.ravel()) * 10 + 0.5
        assert ranks.min() >= -1e-6 and ranks.max() <= 1 + 1e-6
        grid = np.arange(1, len(ranks) + 1) / len(ranks)
        assert math.sqrt(len(ranks)) * np.abs(ranks - grid).max() < 2.7


def test_several_episodes_at_once_are_those_one_by_one() -> None:
    cart = CartPole()
    perturbations = np.random.default_rng(1).gumbel(size=(200, 2, 6))
    starts = cart.reset(AXES, 6)
    together = roll_out(cart, lambda state, noise: np.argmax(noise, 0), perturbations, AXES)
    assert len(set(together.lengths)) > 2
    for i in range(6):
        state, steps = starts[:, i], 0
        for t in range(200):
            np.testing.assert_array_equal(together.states[t, :, i], state)
            state, _, over = cart.step(state, int(np.argmax(perturbations[t, :, i])))
            steps += 1
            if over:
                break
        assert together.lengths[i] == steps == together.rewards[:, i].sum()


def test_a_real_action_pushes_as_far_as_ten_newton() -> None:
    free, state = CartPole(discrete=False), np.array([0.1, 0.2, 0.03, -0.4])
    for force, action in ((1.0, 1), (7.0, 1), (-1.0, 0)):
        found, _, _ = free.step(state, np.array([force]))
        np.testing.assert_array_equal(found, CartPole().step(state, action)[0])
    middle = free.step(state, np.array([0.0]))[0]
    ends = [CartPole().step(state, action)[0] for action in (0, 1)]
    np.testing.assert_allclose(middle, np.mean(ends, 0), atol=1e-15)


def test_rewards_to_go_are_discounted_sums() -> None:
    rewards = np.array([[1.0, 2.0], [0.0, -1.0], [4.0, 0.5]])
    expected = [[1 + 0.81 * 4, 2 - 0.9 + 0.81 * 0.5], [0.9 * 4, -1 + 0.9 * 0.5], [4, 0.5]]
    np.testing.assert_allclose(rewards_to_go(rewards, 0.9), expected, rtol=1e-15)


def test_what_is_missing_or_unknown_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ReparamError, match="unknown environment 'cartpol'; did you mean 'cartpole'"):
        environments.make("cartpol")
    monkeypatch.setitem(sys.modules, "gymnasium", None)
    with pytest.raises(ReparamError) as caught:
        environments.make("lunar_lander")
    assert str(caught.value) == (
        "LunarLander-v3 needs gymnasium with its box2d environments: pip install 'reparam[rl]'"
    )


@pytest.mark.parametrize(
    ("name", "module", "sizes", "limit"),
    [("lunar_lander", "Box2D", (8, 4), 1000), ("inverted_pendulum", "mujoco", (4, 1), 1000)],
)
def test_simulated_environments_start_by_their_stream_and_end(name, module, sizes, limit) -> None:
    pytest.importorskip("gymnasium")
    pytest.importorskip(module, reason="an optional extra: pip install 'reparam[rl]'")
    made = environments.make(name)
    assert (made.observations, made.actions) == sizes and made.limit == limit
    perturbations = np.zeros((60, made.actions, 2))
    found, again = (
        roll_out(made, lambda state, noise: 0 if made.discrete else noise, perturbations, AXES)
        for _ in range(2)
    )
    np.testing.assert_array_equal(found.states, again.states)
    assert (found.states[0, :, 0] != found.states[0, :, 1]).any()
    assert all(10 < length <= 60 for length in found.lengths)
