"""The bandit's rewards and regrets by enumeration, agents that need no network, and what an agent learns from."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
import torch
from findings import Rows

from reparam import data
from reparam.cells import procedures
from reparam.papers.blundell2015 import bandit

CPU = torch.device("cpu")
STEPS = 30
TASK = {"name": "bayesian_network", "data": "breast_cancer", "width": 20, "depth": 1, "output_deviation": 1.0}
BBB = {
    "posterior": "gaussian",
    "weights": "shared",
    "prior": "mixture",
    "prior_deviations": [1.0, 0.1],
    "kl": "sampled",
}


def spec(method: str, task: dict[str, Any], **evaluation: Any) -> dict[str, Any]:
    """Of an agent that learns one minibatch of four a step."""
    options = {
        "steps": 6,
        "buffer": 4,
        "minibatches": 1,
        "epsilon": 0.0,
        "samples": 2,
        "readings": 2,
    }
    return {
        "paper": "blundell2015",
        "experiment": "test",
        "procedure": "bandit",
        "task": TASK | task,
        "method": {"name": method, "options": {}},
        "training": {"batch": 4, "gradient": "sum", "optimiser": {"name": "sgd", "rate": 1e-4}},
        "evaluation": options | evaluation,
    }


def played(given: dict[str, Any], seed: int = 0) -> Rows:
    rows = procedures.get("blundell2015", "bandit")(given, seed, CPU).rows
    return {(step, metric): value for step, metric, value in rows}


def test_regret_is_what_rewards_lack_on_average() -> None:
    """Over both classes, both actions and both faces of the coin; the best action loses nothing."""
    for edible, eat in itertools.product((True, False), repeat=2):
        lucks = torch.tensor([0.25, 0.75])
        both = [torch.full((2,), x) for x in (edible, eat)]
        mean = bandit.reward(*both, lucks).mean()
        assert bandit.regret(*both)[0] == (5.0 if edible else 0.0) - mean
        assert (bandit.regret(*both)[0] == 0) == (edible == eat)
    assert bandit.reward(*(torch.tensor([x]) for x in (False, True)), torch.tensor([0.75])) == -35


def test_regret_at_random_is_the_mean_over_a_table_and_a_coin() -> None:
    edible = torch.tensor([True, True, True, False, False])
    both = [bandit.regret(edible, torch.full((5,), eat)).mean().item() for eat in (True, False)]
    assert bandit.regret_at_random(edible) == pytest.approx(sum(both) / 2)
    assert bandit.regret_at_random(edible) == pytest.approx((3 * 2.5 + 2 * 7.5) / 5)


def test_who_tosses_a_coin_has_the_regret_of_one() -> None:
    """False alarms by Hoeffding's inequality over all runs, regrets in [0, 15] and coins of ±20: 2 · 10⁻⁷ and 10⁻⁶."""
    given = spec("backpropagation", {"posterior": "point"}, epsilon=1.0, steps=STEPS, samples=1)
    runs = bandit.play(json.dumps(given), 0, CPU)
    assert len(runs) == bandit.RUNS
    found = [{metric: value for step, metric, value in run.rows if step == STEPS} for run in runs]
    random = bandit.regret_at_random(data.load("breast_cancer").train_labels.bool())
    assert all(run["regret/random"] == pytest.approx(random * STEPS) for run in found)
    count = STEPS * len(runs)
    assert abs(sum(run["regret"] for run in found) / count - random) < 15 * (8 / count) ** 0.5
    luck = sum(run["regret/realised"] - run["regret"] for run in found)
    assert abs(luck) < 20 * (2 * 14.5 * count) ** 0.5


def test_who_knows_the_classes_has_no_regret(monkeypatch: pytest.MonkeyPatch) -> None:
    table = data.load("breast_cancer")
    known = torch.cat([table.train, table.train_labels[:, None] - 0.5], 1)
    monkeypatch.setattr(
        bandit.data,
        "load",
        lambda name: bandit.data.DataSet(name, known, known, None, (1, 31), table.train_labels),
    )

    def values(self: bandit.Agents, params: Any, x: torch.Tensor, noise: Any) -> torch.Tensor:
        return x[:, 30] * x[:, 32]  # columns, then the code of passing and of eating

    monkeypatch.setattr(bandit.Agents, "values", values)
    bandit.Agents.of.cache_clear()
    rows = played(spec("backpropagation", {"posterior": "point"}, steps=50))
    bandit.Agents.of.cache_clear()
    assert rows[50, "regret"] == 0 and rows[50, "regret/realised"] == 0


def test_an_agent_learns_from_what_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows of the last four steps: the columns, the code of the action, what it got, and the divergence's share.
    Another agent of the same seed meets the same rows, coins and luck."""
    seen: list[tuple[torch.Tensor, ...]] = []
    memory = bandit._memory

    def noting(agents: Any, *given: torch.Tensor) -> torch.Tensor:
        found = memory(agents, *given)
        seen.append((*(x.clone() for x in given), found))
        return found

    monkeypatch.setattr(bandit, "_memory", noting)
    agents = [played(spec("pathwise", BBB, epsilon=1.0), seed) for seed in (0, 1)]
    assert agents[0] != agents[1]
    table = data.load("breast_cancer").train
    for t, (rows, eaten, got, picked, found) in enumerate(seen):
        assert picked.min() >= max(0, t - 3) and picked.max() <= t
        step = picked[1, 0, 2]
        entry = found[1, 0, 2]
        assert torch.equal(entry[:30], table[rows[1, step]])
        assert entry[30:].tolist() == [not eaten[1, step], eaten[1, step], got[1, step], 1.0]
    other = spec("backpropagation", {"posterior": "point"}, epsilon=1.0, samples=1)
    assert [played(other, seed) for seed in (0, 1)] == agents


def test_a_step_and_the_one_beside_are_timed() -> None:
    given = {
        "paper": "blundell2015",
        "experiment": "test",
        "task": {**TASK, **BBB, "data": "digits"},
        "method": {"name": "pathwise", "options": {}},
        "training": {"batch": 4, "optimiser": {"name": "sgd"}},
        "evaluation": {
            "timings": 1,
            "beside": {
                "task": {"posterior": "point", "prior": "none", "prior_deviations": [1.0], "kl": "analytic"},
                "method": {"name": "backpropagation", "options": {}},
            },
        },
    }
    rows = procedures.get("blundell2015", "cost")(given, 0, CPU).rows
    assert [row[1] for row in rows] == ["seconds", "seconds/beside"] and min(row[2] for row in rows) > 0
