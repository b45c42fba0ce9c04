"""A contextual bandit on a table of two classes, and agents that learn its rewards by a network (§5.3, App. A)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from reparam import data
from reparam.cells.procedures import Findings, Row, procedure
from reparam.engine import learners, paths
from reparam.noise import draw, draw_block, generator
from reparam.program import Params, Program, describe, follow, run
from reparam.tasks.bayesian_network import BayesianNetwork

EDIBLE, HARMFUL = 5.0, -35.0
"""Rewards of eating; what is poisonous does no harm every other time. Passing gives 0."""
RUNS, ENTRIES = 16, 2**16
"""Runs that go through one call, at most, and the parameters that they may have together: below that, calling takes the
time."""
OPTIONS = ("steps", "buffer", "minibatches", "epsilon", "samples", "readings")


def reward(edible: Tensor, eat: Tensor, luck: Tensor) -> Tensor:
    """What an agent gets for eating, or not, what is edible, or not (bool); `luck` is uniform in (0, 1)."""
    eaten = torch.where(edible | (luck < 0.5), EDIBLE, HARMFUL)
    return torch.where(eat, eaten, torch.zeros_like(eaten))


def regret(edible: Tensor, eat: Tensor) -> Tensor:
    """How much less an agent gets in expectation than who eats what is edible and nothing else: 5 for passing that, 15
    for eating the rest."""
    best = torch.where(edible, EDIBLE, 0.0)
    return best - torch.where(eat, torch.where(edible, EDIBLE, (EDIBLE + HARMFUL) / 2), 0.0)


def regret_at_random(edible: Tensor) -> float:
    """The mean regret of a step of who tosses a coin: half of what is edible is passed, half of the rest eaten."""
    share = edible.double().mean().item()
    return (share * EDIBLE - (1 - share) * (EDIBLE + HARMFUL) / 2) / 2


@procedure("bandit")
def bandit(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """One run of an agent. It sees a row of the table `task.data` (class 1 is edible), drawn uniformly, predicts the
    rewards of eating and passing from the row and a code of the action, does what promises more, or with probability
    `epsilon` either at random, and learns `minibatches` minibatches of `training.batch`, drawn from the last `buffer`
    steps. A network with random weights acts by the mean of `samples` samples of it (Thompson sampling).

    A minibatch bears its share of the divergence among the step's, one of `minibatches`. Agents of one seed meet the
    same rows and luck.

    Rows at `readings` steps, all cumulative: regret (expected, by `regret`), regret/realised (by what was got) and
    regret/random (`regret_at_random`); NaN once a parameter is not finite.
    """
    options = {name: spec["evaluation"][name] for name in OPTIONS}
    key = json.dumps({**spec, "evaluation": options}, sort_keys=True)
    count = Agents.of(key, device).runs
    return play(key, seed // count * count, device)[seed % count]


class Agents:
    """What the runs of one cell share: the table, the network and how it learns and acts."""

    def __init__(self, spec: Mapping[str, Any], device: torch.device) -> None:
        self.options, self.device = spec["evaluation"], device
        table = data.load(spec["task"]["data"])
        assert table.train_labels is not None
        self.edible = table.train_labels.bool().to(device)
        rows = len(table.train)
        actions = torch.eye(2).expand(rows, 2, 2)
        self.inputs = torch.cat([table.train[:, None].expand(-1, 2, -1), actions], -1).to(device)
        kept = torch.zeros(self.options["buffer"], self.inputs.shape[-1])
        memory = data.DataSet("bandit", kept, kept, None, (1, kept.shape[1]), kept[:, 0], kept[:, 0])
        self.task = BayesianNetwork(spec["task"], memory)
        self.batch = int(spec["training"]["batch"])
        self.learner = learners.make(self.task, spec["method"], spec["training"])
        room = ENTRIES // sum(entry.numel() for entry in self.initial("size").values())
        self.runs = max(1, min(RUNS, room))

    @staticmethod
    @lru_cache(maxsize=1)
    def of(key: str, device: torch.device) -> Agents:
        return Agents(json.loads(key), device)

    def initial(self, *axes: str | int) -> dict[str, Tensor]:
        params = self.task.init(generator(*axes, "init"))
        return {name: entry.to(self.device) for name, entry in params.items()}

    def program(self, x: Tensor) -> Program:
        """Predicted rewards [B] of rows x [B, columns]."""
        return lambda params, sample: self.task.network.outputs(params, x, sample).squeeze(-1)

    def values(self, params: Params, x: Tensor, noise: Any) -> Tensor:
        """Predicted rewards of the two actions, x [2, columns] → [2], the mean over samples of all weights."""
        drawn = [tree_map(lambda leaf, i=i: leaf[i], noise) for i in range(self.options["samples"])]
        return torch.stack([run(self.program(x), params, follow(each)).value for each in drawn]).mean(0)


@lru_cache(maxsize=1)
def play(key: str, first: int, device: torch.device) -> list[Findings]:
    """The runs of the seeds from `first` on that share a call; those of one cell are asked for one after the other."""
    agents, spec = Agents.of(key, device), json.loads(key)
    seeds = range(first, first + agents.runs)
    with torch.no_grad():
        return _play(agents, [(spec["paper"], "bandit", seed) for seed in seeds])


def _play(agents: Agents, runs: list[tuple[str | int, ...]]) -> list[Findings]:
    options, device = agents.options, agents.device
    steps, buffer, minibatches = (int(options[name]) for name in ("steps", "buffer", "minibatches"))
    size = agents.batch

    def uniform(purpose: str, *shape: int) -> Tensor:
        """[runs, *shape]"""
        return torch.stack([draw("uniform", shape, generator(*axes, purpose)) for axes in runs]).to(device)

    rows = (uniform("rows", steps) * len(agents.edible)).long()
    luck, exploring, tossed = (uniform(purpose, steps) for purpose in ("luck", "exploring", "coin"))
    edible = agents.edible[rows]
    eaten, got = torch.zeros_like(edible), torch.zeros_like(luck)

    starts = [agents.initial(*axes) for axes in runs]
    minibatch = torch.zeros(size, agents.inputs.shape[-1] + 2, device=device)
    begun = [
        agents.learner.init(start, minibatch, generator(*axes, "method"))
        for start, axes in zip(starts, runs, strict=True)
    ]
    state = tree_map(lambda *leaves: torch.stack(leaves), *begun)
    learning = agents.learner.noise(starts[0], minibatch)
    sites = describe(agents.program(agents.inputs[0]), starts[0])
    acting = {name: site.law.noise() for name, site in sites.items()}

    def noise(specs: Any, purpose: str, step: int, count: int) -> Any:
        """Leaves [runs, count, …]."""
        drawn = [draw_block(specs, (*axes, purpose, step), count, device) for axes in runs]
        return tree_map(lambda *leaves: torch.stack(leaves), *drawn)

    index = torch.zeros(len(runs), size, dtype=torch.int64, device=device)
    values = learn = None
    for t in range(steps):
        seen = (state["params"], agents.inputs[rows[:, t]], noise(acting, "act", t, options["samples"]))
        if values is None:
            values = paths.trace(torch.vmap(agents.values), seen)
        promised = values(*seen)
        best = promised[:, 1] > promised[:, 0]
        eaten[:, t] = torch.where(exploring[:, t] < options["epsilon"], tossed[:, t] < 0.5, best)
        got[:, t] = reward(edible[:, t], eaten[:, t], luck[:, t])
        kept = min(t + 1, buffer)
        picked = (uniform(f"memory {t}", minibatches, size) * kept).long() + (t + 1 - kept)
        batches = _memory(agents, rows, eaten, got, picked)
        drawn = noise(learning, "learn", t, minibatches)
        for i in range(minibatches):
            given = (state, batches[:, i], index, tree_map(lambda leaf, i=i: leaf[:, i], drawn))
            if learn is None:
                graph = paths.trace(torch.vmap(agents.learner.step), given)
                learn = paths.ready(graph, paths.choose_path(device, graph, steps * minibatches))
            state, _ = learn(*given)
    finite = torch.stack([p.flatten(1).isfinite().all(1) for p in state["params"].values()]).all(0)
    every_run = zip(edible.cpu(), eaten.cpu(), got.cpu(), finite.tolist(), strict=True)
    return [Findings(_readings(agents, *one), {}) for one in every_run]


def _memory(agents: Agents, rows: Tensor, eaten: Tensor, got: Tensor, picked: Tensor) -> Tensor:
    """Rows of the task, [runs, minibatches, batch, columns + 2], of these steps [runs, minibatches, batch]."""
    flat = picked.flatten(1)
    row, action, reward = (x.gather(1, flat).view_as(picked) for x in (rows, eaten.long(), got))
    share = torch.full_like(reward, len(agents.task.train) / picked[0].numel())
    return torch.cat([agents.inputs[row, action], torch.stack([reward, share], -1)], -1)


def _readings(agents: Agents, edible: Tensor, eaten: Tensor, got: Tensor, finite: bool) -> list[Row]:
    expected = regret(edible, eaten).double().cumsum(0)
    realised = (torch.where(edible, EDIBLE, 0.0) - got).double().cumsum(0)
    random = regret_at_random(agents.edible.cpu())
    found: list[Row] = []
    for step in np.unique(np.linspace(0, len(got), agents.options["readings"] + 1).round().astype(int))[1:]:
        for metric, total in (("regret", expected[step - 1]), ("regret/realised", realised[step - 1])):
            found.append((int(step), metric, total.item() if finite else float("nan")))
        found.append((int(step), "regret/random", random * int(step)))
    return found
