"""The environments of the policy gradients, and roll-outs in them: noise first, and no gradient.

Everything is in double precision on the CPU, so that the actions of a roll-out are those that its law's path makes of
the same noise afterwards. Arrays of one episode have no axis for it; of B episodes it is the last one.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
import torch

from reparam.errors import ReparamError
from reparam.noise import draw, generator, stream_seed
from reparam.registry import nearest

Axes = tuple[str | int, ...]
Act = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(state [S(, B)], perturbation [A(, B)]) → action: the index of a choice, or [A(, B)] real numbers."""


class Environment(Protocol):
    """What an agent acts in."""

    @property
    def observations(self) -> int:
        """Entries of a state."""
        ...

    @property
    def actions(self) -> int:
        """The choices of a discrete environment, or the dimensions of a real action."""
        ...

    @property
    def discrete(self) -> bool: ...

    @property
    def limit(self) -> int:
        """Steps after which an episode is cut."""
        ...

    @property
    def solved(self) -> float:
        """The mean return of 100 episodes above which the task counts as solved."""
        ...

    @property
    def batched(self) -> bool:
        """Whether several episodes can be stepped at once."""
        ...

    def reset(self, axes: Axes, count: int) -> np.ndarray:
        """The first states of `count` episodes from the stream with these axes: [S] of one, [S, count] of several."""
        ...

    def step(self, state: Any, action: Any) -> tuple[np.ndarray, Any, Any]:
        """(next state, reward, whether the episode is over)."""
        ...


@dataclass(frozen=True)
class CartPole:
    """CartPole-v0 of gymnasium (Barto, Sutton & Anderson 1983): 1 per step until the pole falls, 200 steps at most.

    Its transition for any number of carts at once. With `discrete` False the force is 10 N times a real action, cut at
    ±1: a continuous task that needs no simulator, ours and in no paper.
    """

    discrete: bool = True
    observations: ClassVar[int] = 4
    limit: ClassVar[int] = 200
    solved: ClassVar[float] = 195.0
    batched: ClassVar[bool] = True

    @property
    def actions(self) -> int:
        return 2 if self.discrete else 1

    def reset(self, axes: Axes, count: int) -> np.ndarray:
        uniform = draw("uniform", (self.observations, count), generator(*axes), torch.float64).numpy()
        start = 0.1 * uniform - 0.05
        return start[:, 0] if count == 1 else start

    def step(self, state: Any, action: Any) -> tuple[np.ndarray, Any, Any]:
        single = state.ndim == 1  # Python's own numbers are four times as fast, one by one
        x, speed, angle, turn = state.tolist() if single else state
        force = 20.0 * action - 10.0 if self.discrete else 10.0 * np.clip(action[0], -1, 1)
        cos, sin = (math.cos(angle), math.sin(angle)) if single else (np.cos(angle), np.sin(angle))
        pushed = (force + 0.05 * (turn * turn) * sin) / 1.1
        turning = (9.8 * sin - cos * pushed) / (0.5 * (4.0 / 3.0 - 0.1 * (cos * cos) / 1.1))
        rolling = pushed - 0.05 * turning * cos / 1.1
        x, angle = x + 0.02 * speed, angle + 0.02 * turn
        state = np.array([x, speed + 0.02 * rolling, angle, turn + 0.02 * turning])
        return state, 1.0, (abs(x) > 2.4) | (abs(angle) > 12 * 2 * np.pi / 360)


@dataclass(frozen=True)
class Gymnasium:
    """An environment of gymnasium, one episode at a time; real actions are cut to its bounds."""

    name: str
    extra: str
    discrete: bool
    solved: float
    batched: ClassVar[bool] = False
    _made: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        mend = f"{self.name} needs gymnasium with its {self.extra} environments: pip install 'reparam[rl]'"
        try:
            import gymnasium
        except ImportError:
            raise ReparamError(mend) from None
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                object.__setattr__(self, "_made", gymnasium.make(self.name))
        except (gymnasium.error.DependencyNotInstalled, ImportError):
            raise ReparamError(mend) from None

    @property
    def observations(self) -> int:
        return int(self._made.observation_space.shape[0])

    @property
    def actions(self) -> int:
        space = self._made.action_space
        return int(space.n if self.discrete else space.shape[0])

    @property
    def limit(self) -> int:
        return int(self._made.spec.max_episode_steps)

    def reset(self, axes: Axes, count: int) -> np.ndarray:
        state, _ = self._made.reset(seed=stream_seed(*axes) % 2**32)
        return np.asarray(state, np.float64)

    def step(self, state: Any, action: Any) -> tuple[np.ndarray, Any, Any]:
        space = self._made.action_space
        given = int(action) if self.discrete else np.clip(action, space.low, space.high).astype(space.dtype)
        found, reward, terminated, _, _ = self._made.step(given)
        return np.asarray(found, np.float64), float(reward), bool(terminated)


ENVIRONMENTS: dict[str, Callable[[], Environment]] = {
    "cartpole": CartPole,
    "cartpole_force": lambda: CartPole(discrete=False),
    "lunar_lander": lambda: Gymnasium("LunarLander-v3", "box2d", discrete=True, solved=200.0),
    "inverted_pendulum": lambda: Gymnasium("InvertedPendulum-v5", "mujoco", discrete=False, solved=950.0),
}


def make(name: str) -> Environment:
    """The environment of this name; ReparamError for an unknown one, or where its simulator is not installed."""
    if name not in ENVIRONMENTS:
        raise ReparamError(f"unknown environment {name!r}{nearest(str(name), ENVIRONMENTS)}")
    return ENVIRONMENTS[name]()


class Episodes(NamedTuple):
    """Roll-outs, padded with zeros to the environment's limit."""

    states: np.ndarray
    """[T, S(, B)]"""
    rewards: np.ndarray
    """[T(, B)]"""
    lengths: np.ndarray
    """[(B)]"""


def roll_out(environment: Environment, act: Act, perturbations: np.ndarray, axes: Axes) -> Episodes:
    """One episode for perturbations [T, A], B at once for [T, A, B]; the first states are from the stream `axes`."""
    count = perturbations.shape[2:]
    if count and not environment.batched:
        found = [
            roll_out(environment, act, perturbations[..., i], (*axes, i))
            for i in range(perturbations.shape[2])
        ]
        return Episodes(*(np.stack(part, -1) for part in zip(*found, strict=True)))
    steps = len(perturbations)
    states = np.zeros((steps, environment.observations, *count))
    rewards = np.zeros((steps, *count))
    lengths, alive = np.zeros(count, np.int64), np.ones(count, np.bool_)
    state = environment.reset(axes, count[0] if count else 1)
    for t in range(steps):
        states[t] = state
        state, rewards[t], over = environment.step(state, act(state, perturbations[t]))
        lengths = lengths + alive
        alive = alive & np.logical_not(over)
        if not alive.any():
            break
    met = np.arange(steps).reshape(-1, *(1 for _ in count)) < lengths
    return Episodes(states * met[:, None], rewards * met, lengths)


def rewards_to_go(rewards: np.ndarray, discount: float) -> np.ndarray:
    """Σ_{t' ≥ t} discount^{t' − t} r_{t'} along the first axis."""
    found, total = np.empty_like(rewards), np.zeros(rewards.shape[1:])
    for t in reversed(range(len(rewards))):
        total = rewards[t] + discount * total
        found[t] = total
    return found
