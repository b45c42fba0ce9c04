"""Steps without an estimator, against backward() on the program itself."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from reparam import tasks
from reparam.distributions import Bernoulli
from reparam.engine import learners
from reparam.errors import ReparamError
from reparam.noise import draw, draw_block, generator
from reparam.program import follow, run

ROWS, BATCH = 8, 4
X = draw("uniform", (ROWS, 3), generator("test", "backpropagation"))
LABELS = torch.arange(ROWS) % 2
DATA = SimpleNamespace(name="tiny", train=X, test=X, valid=None, train_labels=LABELS, test_labels=LABELS)
TRAINING: dict[str, Any] = {"optimiser": {"name": "sgd", "rate": 0.1}}
METHOD = {"name": "backpropagation"}


@pytest.mark.parametrize("posterior", ["point", "binary_dropout"])
def test_it_follows_the_derivative_at_the_noise(posterior: str) -> None:
    options = {"name": "bayesian_network", "data": "tiny", "posterior": posterior, "width": 5}
    task = tasks.get("bayesian_network")(options, DATA)
    params = task.init(generator("test", "init"))
    learner, x = learners.make(task, METHOD, TRAINING), task.train[:BATCH]
    specs = learner.noise(params, x)
    assert bool(specs) == (posterior == "binary_dropout")
    block = draw_block(specs, ("test", "backpropagation"), 1)
    noise = {site: {role: value[0] for role, value in roles.items()} for site, roles in block.items()}
    state = learner.init(params, x, generator("test", "method"))
    after, metrics = learner.step(state, x, torch.arange(BATCH), noise)
    followed = {n: p.clone().requires_grad_() for n, p in params.items()}
    once = {site: {role: value[0] for role, value in roles.items()} for site, roles in noise.items()}
    value = run(task.program(x), followed, follow(once)).value
    (ROWS / BATCH * value.sum()).backward()
    for name, p in followed.items():
        torch.testing.assert_close(after["params"][name], params[name] + 0.1 * p.grad)
    assert (
        metrics["objective"].item() == pytest.approx(value.mean().item()) and metrics["evaluations"] == BATCH
    )


def test_a_law_without_a_path_is_refused() -> None:
    def program(x):
        return lambda params, sample: sample("z", Bernoulli(logits=params["a.b"].expand(len(x), 1))).sum(-1)

    task = SimpleNamespace(program=program, train=X)
    with pytest.raises(ReparamError, match=r"needs .* path"):
        learners.make(task, METHOD, TRAINING).noise({"a.b": torch.zeros(1)}, X)


def test_it_has_no_options() -> None:
    with pytest.raises(ReparamError, match="backpropagation has no option 'samples'"):
        learners.make(SimpleNamespace(), {**METHOD, "options": {"samples": 2}}, TRAINING)
