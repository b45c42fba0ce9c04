"""Bayesian logistic regression against torch's own losses and quadrature."""

from types import SimpleNamespace

import pytest
import torch
from torch.distributions import Normal, kl_divergence
from torch.nn.functional import binary_cross_entropy_with_logits

from reparam.errors import ReparamError
from reparam.noise import draw, generator
from reparam.program import run
from reparam.tasks.logistic_regression import LogisticRegression


def data(labels: list[int]) -> SimpleNamespace:
    rows = draw("normal", (len(labels), 2), generator("test", "logistic"))
    given = torch.tensor(labels)
    return SimpleNamespace(name="tiny", train=rows, test=rows[:2], train_labels=given, test_labels=given[:2])


def test_the_value_is_the_elbo_per_datum() -> None:
    tiny = data([0, 1, 1, 0])
    task = LogisticRegression({"data": "tiny"}, tiny)
    assert task.train.shape == (4, 4) and task.test.shape == (2, 4)
    source = generator("test", "logistic", "params")
    params = {name: draw("normal", (3,), source) for name in task.init(source)}
    w = torch.tensor([0.5, -1.0, 2.0])
    value = run(task.program(task.train), params, lambda name, law: w).value
    logits = tiny.train @ w[:2] + w[2]
    loss = binary_cross_entropy_with_logits(logits, tiny.train_labels.float(), reduction="none")
    q = Normal(params["mean.weights"], params["log_scale.weights"].exp())
    kl = kl_divergence(q, Normal(torch.zeros(3), torch.ones(3))).sum()
    torch.testing.assert_close(value, -loss - kl / 4)
    sampled = LogisticRegression({"data": "tiny", "kl": "sampled"}, tiny)
    value = run(sampled.program(task.train), params, lambda name, law: w).value
    ratio = (q.log_prob(w) - Normal(0.0, 1.0).log_prob(w)).sum()
    torch.testing.assert_close(value, -loss - ratio / 4)


def test_made_up_points_are_the_same_in_every_run() -> None:
    first, second = LogisticRegression({"points": 50}), LogisticRegression({"points": 50})
    assert first.train.shape == (50, 4) and torch.equal(first.train, second.train)
    assert (first.train[:, 2] == 1).all() and set(first.train[:, 3].tolist()) == {0.0, 1.0}


def test_labels_are_wanted() -> None:
    with pytest.raises(ReparamError, match="labels 0 and 1, which data set 'tiny' has not"):
        LogisticRegression({"data": "tiny"}, data([0, 1, 2, 0]))
    unlabelled = SimpleNamespace(
        name="bare", train=torch.zeros(2, 2), test=torch.zeros(2, 2), train_labels=None
    )
    with pytest.raises(ReparamError, match="'bare'"):
        LogisticRegression({"data": "bare"}, unlabelled)
