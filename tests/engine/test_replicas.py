"""Seeds in one call, padded to a fixed height, give what each gives alone."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch.utils._pytree import tree_map

sys.path.insert(0, str(Path(__file__).parents[1] / "cells"))
import small

from reparam.cells.train import Training
from reparam.engine import paths, replicas


@pytest.mark.parametrize(
    "method", ["pathwise", "score_function", "wake_sleep", pytest.param("mcem", marks=pytest.mark.slow)]
)
def test_stacked_seeds_step_as_each_does_alone(method: str) -> None:
    """Ten steps of three seeds side by side; only rounding may differ between one call and three."""
    training = Training(small.spec(method), torch.device("cpu"))
    seeds = (0, 1, 5)
    index, noise = training.block(seeds, 0)

    def run(columns: list[int]) -> dict:
        state = replicas.stack([training.initial(seeds[c]) for c in columns])
        pick = (lambda leaf: leaf[columns]) if len(columns) > 1 else (lambda leaf: leaf[columns[0]])
        call = None
        for t in range(10):
            rows = pick(index[t])
            picked = tree_map(lambda leaf, t=t: pick(leaf[t]), noise)
            arguments = (state, training.task.train[rows], rows, picked)
            call = call or paths.build(replicas.lift(training.step, len(columns)), arguments, "traced")
            state, _ = call(*arguments)
        return state

    together = run([0, 1, 2])
    for column in range(3):
        alone = run([column])
        torch.testing.assert_close(
            replicas.unstack(together["params"], column, 3),
            alone["params"],
            rtol=1e-3,
            atol=1e-4,
        )
    first, second = (replicas.unstack(together["params"], c, 3) for c in (0, 1))
    assert any(not torch.equal(first[k], second[k]) for k in first)


@pytest.mark.parametrize("steps", [20])
def test_traced_steps_equal_eager_steps_in_float64(steps: int) -> None:
    """Twenty whole training steps: the traced graph is the eager computation, to rounding."""
    training = Training(small.spec(), torch.device("cpu"))
    double = lambda tree: tree_map(lambda x: x.double() if x.is_floating_point() else x, tree)  # noqa: E731
    index, noise = double(training.block((0,), 0))
    training.task.train = training.task.train.double()
    eager = traced = double(replicas.stack([training.initial(0)]))
    lifted, call = training.step, None
    for t in range(steps):
        picked = tree_map(lambda leaf, t=t: leaf[t], noise)
        rows = index[t]
        eager, _ = lifted(eager, training.task.train[rows], rows, picked)
        arguments = (traced, training.task.train[rows], rows, picked)
        call = call or paths.build(lifted, arguments, "traced")
        traced, _ = call(*arguments)
    torch.testing.assert_close(traced["params"], eager["params"], rtol=1e-12, atol=1e-12)


def test_a_seed_has_its_place_whoever_else_is_asked_for() -> None:
    assert replicas.stacks((0, 1, 5, 9, 3), 4) == [(0, 1, 3), (5,), (9,)]
    assert replicas.neighbours(6, 4) == (4, 5, 6, 7) and replicas.neighbours(2, 1) == (2,)


@pytest.mark.parametrize(
    ("entries", "height"), [(1, 32), (100, 16), (200, 8), (2049, 4), (65_536, 4), (65_537, 1)]
)
def test_only_small_parameters_are_stacked_on_a_cpu(entries: int, height: int) -> None:
    assert replicas.replicas_for(torch.device("cpu"), entries) == height


def test_long_runs_of_many_small_operations_are_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """A CPU compiles by steps times operations, and only if it has a compiler; a GPU always does."""
    monkeypatch.setattr(paths, "has_compiler", lambda: True)
    graph = paths.trace(lambda x: x.sin() + x.cos(), (torch.zeros(3),))
    enough = -(-paths.COMPILE_FROM_OPERATIONS // len(graph.graph.nodes))
    cpu = torch.device("cpu")
    assert paths.choose_path(cpu, graph, enough) == "compiled"
    assert paths.choose_path(cpu, graph, enough - 1) == "traced"
    monkeypatch.setattr(paths, "COMPILE_FROM_OPERATIONS", 1)
    for steps, path in ((paths.COMPILE_FROM_STEPS, "compiled"), (paths.COMPILE_FROM_STEPS - 1, "traced")):
        assert paths.choose_path(cpu, graph, steps) == path
    assert paths.choose_path(torch.device("cuda"), graph, 1) == "compiled"
    monkeypatch.setattr(paths, "has_compiler", lambda: False)
    assert paths.choose_path(cpu, graph, enough) == "traced"
