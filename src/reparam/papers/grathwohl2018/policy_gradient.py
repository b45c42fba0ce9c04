"""Policy gradients: roll out, hand the returns to an estimator as signals, move, and measure the variance."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from itertools import count
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._pytree import tree_leaves, tree_map

from reparam.cells.procedures import Findings, Row, procedure
from reparam.engine import optimisers
from reparam.estimators import make
from reparam.noise import Noise, draw_block
from reparam.papers.grathwohl2018.agents import Agent, Critic, Start
from reparam.papers.grathwohl2018.environments import Axes, Episodes, rewards_to_go, roll_out

WINDOW = 100
"""Episodes whose mean return says whether a task is solved."""
BLOCK = 50
"""Episodes whose noise is drawn at once; part of what makes a run what it is."""

TRACED_FROM = 100
"""Updates, at least, for which tracing pays."""
LEAST_TRACED = 2
"""States from which the traced step holds: symbolic shapes take an axis of one entry for a special case."""

Update = Callable[[Start, Tensor, Noise, Tensor], tuple[dict[str, Tensor], dict[str, Tensor], Any]]


@procedure("policy_gradient")
def policy_gradient(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """Train a policy by ascent on the expected return, one estimate per update, on the CPU.

    An update takes the least number of whole episodes with `training.batch` steps. The signal of an action is the
    discounted sum of the rewards from it on; with `task.critic` it is the advantage, Σ_l (γλ)^l (r + γ V(s') − V(s)),
    of a critic V that is fitted to those sums after each update. Nothing is added for what an episode that is cut at
    the limit would still have brought. No γ^t weighs the states, as usual.

    Rows every `evaluation.every` episodes and at the end, step counts episodes: episodes, frames, return (mean since
    the last row), return/100, and after `evaluation.episodes` further episodes with the same policy, of which nothing
    is learned, log_variance (ln of the mean over all parameters of the variance of one episode's gradient),
    log_variance/plain (that of the bare score function with the same signals) and log_variance/mean (of the readings so
    far). At the end: return/mean over all episodes; episodes_to_solve and frames_to_solve, until the mean of 100
    returns first exceeds what counts as solved (∞ if never). All are NaN if a parameter is not finite any more.
    """
    with torch.no_grad():
        return Run(spec, seed).findings()


class Run:
    """One training: an agent, what it has learned, and what was read on the way."""

    def __init__(self, spec: Mapping[str, Any], seed: int) -> None:
        self.task, self.training, self.reading = spec["task"], spec["training"], spec["evaluation"]
        self.axes: Axes = (spec["paper"], spec["experiment"], seed)
        self.agent = Agent.of(spec)
        self.start = self.agent.start(self.axes)
        self.specs = self.agent.noise()
        self.critic = self._critic()
        optimiser = self.training["optimiser"]
        self.optimiser = optimisers.make(optimiser)
        self.tunable_optimiser = optimisers.make(self.training.get("tunable_optimiser") or optimiser)
        self.moved = self.optimiser.init(self.start.params)
        self.tuned = self.tunable_optimiser.init(self.start.tunables) if self.start.tunables else {}
        frames, episodes = budget(self.task, self.training)
        updates = min(episodes, frames / max(self.agent.environment.limit, int(self.training["batch"])))
        self.update = update_for(json.dumps([spec["task"], spec["method"]]), updates >= TRACED_FROM)
        self.returns: list[float] = []
        self.lengths: list[int] = []
        self.variances: list[float] = []
        self.rows: list[Row] = []
        self.read = 0
        """Episodes at the last reading."""

    def findings(self) -> Findings:
        every, episodes = int(self.reading["every"]), self._episodes()
        most_frames, most_episodes = budget(self.task, self.training)
        due = 0
        while sum(self.lengths) < most_frames and len(self.returns) < most_episodes and self._finite():
            if len(self.returns) >= due:
                self._read()
                due += every
            self._learn(episodes)
        self._read()
        self._end()
        return Findings(self.rows, {"returns": np.array(self.returns), "lengths": np.array(self.lengths)})

    def _critic(self) -> Critic | None:
        options = self.task.get("critic")
        if options is None:
            return None
        hidden = tuple(options["hidden"])
        inputs = self.agent.environment.observations
        return Critic(hidden, int(options["fits"]), float(options["rate"]), inputs, self.axes)

    def _episodes(self) -> Any:
        """Noise of episode after episode: (number, {site: {role: […, T, A]}})."""
        for block in count():
            noise = draw_block(self.specs, (*self.axes, "episodes", block), BLOCK, dtype=torch.float64)
            for i in range(BLOCK):
                yield block * BLOCK + i, tree_map(lambda leaf, i=i: leaf[i], noise)

    def _learn(self, episodes: Any) -> None:
        """One update."""
        act = self.agent.acting(self.start.params, batched=False)
        batch: list[tuple[Tensor, Noise, Tensor, Tensor]] = []
        steps = 0
        while steps < int(self.training["batch"]):
            number, noise = next(episodes)
            found = roll_out(
                self.agent.environment, act, self._perturbations(noise), (*self.axes, "reset", number)
            )
            length = int(found.lengths)
            states = torch.from_numpy(found.states[:length])
            to_go, signals = self._signals(found)
            kept = tree_map(lambda leaf, length=length: leaf[..., :length, :], noise)
            batch.append((states, kept, signals[:length], to_go[:length]))
            self.returns.append(float(found.rewards.sum()))
            self.lengths.append(length)
            steps += length
        every_state, every_noise, every_signal, every_return = zip(*batch, strict=True)
        states, signals = torch.cat(every_state), torch.cat(every_signal)
        noise = tree_map(lambda *parts: torch.cat(parts, -2), *every_noise)
        self._move(states, noise, signals)
        if self.critic is not None:
            self.critic.fit(states, torch.cat(every_return))

    def _move(self, states: Tensor, noise: Noise, signals: Tensor) -> None:
        gradient, tunable_gradient, memory = self.update(self.start, states, noise, signals)
        uphill = {name: -entry for name, entry in gradient.items()}
        params, self.moved = self.optimiser.update(uphill, self.moved, self.start.params)
        tunables = self.start.tunables
        if tunable_gradient:
            tunables, self.tuned = self.tunable_optimiser.update(tunable_gradient, self.tuned, tunables)
        self.start = Start(params, tunables, memory)

    def _perturbations(self, noise: Noise) -> np.ndarray:
        limit, actions = self.agent.environment.limit, self.agent.environment.actions
        return self.agent.perturbations(noise).reshape(limit, actions)

    def _signals(self, found: Episodes) -> tuple[Tensor, Tensor]:
        """Rewards to go and signals, [T(, B)]."""
        discount = float(self.task["discount"])
        to_go = torch.from_numpy(rewards_to_go(found.rewards, discount))
        if self.critic is None:
            return to_go, to_go
        alive = np.arange(len(found.rewards)).reshape(-1, *(1,) * found.lengths.ndim) < found.lengths
        states = torch.from_numpy(np.moveaxis(found.states, 1, -1))
        values = np.where(alive, self.critic.values(states).numpy(), 0.0)
        later = np.concatenate([values[1:], np.zeros_like(values[:1])])
        errors = found.rewards + discount * later - values
        advantages = rewards_to_go(errors, discount * float(self.task["critic"]["trace"]))
        return to_go, torch.from_numpy(advantages)

    def _finite(self) -> bool:
        return all(bool(leaf.isfinite().all()) for leaf in tree_leaves(self.start))

    def _read(self) -> None:
        """Rows at this number of episodes, once."""
        number = len(self.returns)
        if self.rows and number == self.read:
            return
        found = {"episodes": float(number), "frames": float(sum(self.lengths))}
        if number:
            finite = self._finite()
            found["return"] = float(np.mean(self.returns[self.read :])) if finite else math.nan
            found["return/100"] = float(np.mean(self.returns[-WINDOW:])) if finite else math.nan
        if self.reading["episodes"]:
            own, plain = self._log_variances(number)
            self.variances.append(own)
            mean = float(np.mean(self.variances))
            found |= {"log_variance": own, "log_variance/plain": plain, "log_variance/mean": mean}
        self.rows += [(number, metric, value) for metric, value in found.items()]
        self.read = number

    def _log_variances(self, number: int) -> tuple[float, float]:
        """Of the agent's estimator and of the bare score function, on the same further episodes."""
        env, size = self.agent.environment, int(self.reading["episodes"])
        noise = draw_block(self.specs, (*self.axes, "further", number), size, dtype=torch.float64)
        drawn = self.agent.perturbations(noise).reshape(size, env.limit, env.actions)
        act = self.agent.acting(self.start.params, batched=env.batched)
        found = roll_out(env, act, np.moveaxis(drawn, 0, -1), (*self.axes, "further reset", number))
        states = torch.from_numpy(np.moveaxis(found.states, -1, 0).copy())
        signals = self._signals(found)[1].T.contiguous()
        alive = torch.from_numpy(np.arange(env.limit)[None, :] < found.lengths[:, None])
        plain = make("score_function", {})
        spread = []
        for estimator in (None, plain):

            def one(states: Tensor, noise: Noise, signals: Tensor, alive: Tensor, of: Any = estimator) -> Any:
                return self.agent.gradient(self.start, states, noise, signals, alive, False, of).gradient

            gradients = torch.vmap(one)(states, noise, signals, alive)
            flat = torch.cat([entry.flatten(1) for entry in gradients.values()], 1)
            spread.append(float(flat.var(0).mean().log()))
        return spread[0], spread[1]

    def _end(self) -> None:
        solved = episodes_to_solve(self.returns, self.agent.environment.solved)
        found = {
            "return/mean": float(np.mean(self.returns)),
            "episodes_to_solve": math.inf if solved is None else float(solved),
            "frames_to_solve": math.inf if solved is None else float(sum(self.lengths[:solved])),
        }
        number, finite = len(self.returns), self._finite()
        self.rows += [(number, metric, value if finite else math.nan) for metric, value in found.items()]


def episodes_to_solve(returns: Sequence[float], level: float) -> int | None:
    """The episodes after which the mean of the last 100 returns first exceeds the level; None if it never does."""
    totals = np.concatenate([[0.0], np.cumsum(returns)])
    means = (totals[WINDOW:] - totals[:-WINDOW]) / WINDOW
    above = np.flatnonzero(means > level + 1e-9)
    return int(above[0]) + WINDOW if len(above) else None


def budget(task: Mapping[str, Any], training: Mapping[str, Any]) -> tuple[float, float]:
    """The frames, which are given by environment, and the episodes that a training may take; ∞ where none are given."""
    frames = (training.get("frames") or {}).get(task["environment"], math.inf)
    return frames, training.get("episodes") or math.inf


@cache
def update_for(key: str, traced: bool) -> Update:
    """The gradient step of agents with this task and method (JSON), traced once for episodes of any length or eager."""
    task, method = json.loads(key)
    agent = Agent.of({"task": task, "method": method})
    graph: Any = None

    def step(start: Start, states: Tensor, noise: Noise, signals: Tensor) -> tuple[Any, Any, Any]:
        found = agent.gradient(start, states, noise, signals)
        return found.gradient, found.tunable_gradient, found.memory

    def update(start: Start, states: Tensor, noise: Noise, signals: Tensor) -> tuple[Any, Any, Any]:
        nonlocal graph
        if not traced or len(signals) < LEAST_TRACED:
            return step(start, states, noise, signals)
        if graph is None:
            # Tracing takes one tensor in two places for one input: averages that begin as the same zero, for instance.
            apart = tree_map(torch.clone, (start, states, noise, signals))
            graph = make_fx(step, tracing_mode="symbolic")(*apart)
            graph.graph.eliminate_dead_code()
            graph.recompile()
        return graph(start, states, noise, signals)  # type: ignore[no-any-return]

    return update
