"""The toy of independent bits: its program and exact mean against enumeration, and its options."""

import math
from itertools import product

import pytest
import torch

from reparam import tasks
from reparam.engine import learners
from reparam.errors import ReparamError
from reparam.noise import generator
from reparam.oracles import objectives


def toy(**options: object) -> object:
    return tasks.make({"name": "bits", **options})


def test_mean_cost_is_that_of_every_state() -> None:
    task = toy(target=0.3, dimension=3)
    logits = torch.tensor([-1.0, 0.2, 2.0], dtype=torch.float64)
    p = [1 / (1 + math.exp(-x)) for x in logits.tolist()]
    exact = sum(
        math.prod(q if b else 1 - q for q, b in zip(p, bits, strict=True))
        * sum((b - 0.3) ** 2 for b in bits)
        / 3
        for bits in product((0, 1), repeat=3)
    )
    params = {"bits.logits": logits}
    assert task.expectation(params).item() == pytest.approx(exact, rel=1e-12)
    value = objectives.expectation(task.program(task.train), params)
    assert value.shape == (1,) and value.item() == pytest.approx(exact, rel=1e-12)


@pytest.mark.parametrize(("sense", "sign"), [("minimise", -1), ("maximise", 1)])
def test_one_step_moves_against_or_along_the_gradient(sense: str, sign: int) -> None:
    """Plain gradient steps of length 1 from θ = 0.5: ± p (1 − p) (1 − 2t) / D."""
    task = toy(target=0.45, dimension=2, sense=sense, start=0.5)
    learner = learners.make(task, {"name": "exact"}, {"optimiser": {"name": "sgd", "rate": 1.0}})
    params = task.init(generator("test"))
    state = learner.init(params, task.train, generator("test"))
    after, metrics = learner.step(state, task.train, torch.zeros(1, dtype=torch.int64), {})
    p = 1 / (1 + math.exp(-0.5))
    moved = (after["params"]["bits.logits"] - 0.5).tolist()
    assert moved == pytest.approx([sign * p * (1 - p) * 0.1 / 2] * 2, rel=1e-4)
    assert metrics["objective"].item() == pytest.approx(p * 0.55**2 + (1 - p) * 0.45**2, rel=1e-5)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"sense": "down"}, "sense is 'down'; use one of minimise, maximise"),
        ({"dimension": 0}, "dimension is 0"),
        ({"target": math.inf}, "target must be a finite number"),
        ({"targt": 0.4}, "did you mean 'target'"),
    ],
)
def test_wrong_options_are_refused(options: dict, says: str) -> None:
    with pytest.raises(ReparamError, match=says):
        toy(**options)


def test_a_task_that_needs_data_says_so() -> None:
    with pytest.raises(ReparamError, match="task 'gaussian_vae' lacks its option 'data'"):
        tasks.make({"name": "gaussian_vae"})
