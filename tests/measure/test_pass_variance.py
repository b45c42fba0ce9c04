"""The variance over a pass: by hand without noise, by minibatch with it, and the order of the ways."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import cross_entropy, linear

from reparam import tasks
from reparam.engine.minibatch import minibatch_indices
from reparam.errors import ReparamError
from reparam.measure import get, pass_variance
from reparam.measure.base import Context
from reparam.noise import generator

AXES = ("test", "pass")
TASK = {
    "name": "bayesian_network",
    "data": "digits",
    "train_size": 210,
    "posterior": "relative",
    "width": 12,
    "depth": 1,
}
BOTTOM, TOP = "mean.0.weight", "mean.1.weight"


def context(**options) -> Context:
    task = tasks.make({**TASK, **options})
    params = task.init(generator("test", "init"))
    return Context(task, None, params, AXES, torch.device("cpu"), {}, 50)


def test_without_noise_it_is_the_variance_of_plain_gradients() -> None:
    """Four minibatches of 50 of 210 rows: N times the gradient of the mean log-likelihood, by autograd."""
    here = context()
    gradients = []
    params = {name: entry.clone().requires_grad_() for name, entry in here.params.items()}
    for index in minibatch_indices(AXES, 0, 4, 50, 210):
        x = here.task.train[index]
        hidden = linear(x[:, :-2], params[BOTTOM], params["mean.0.bias"]).relu()
        logits = linear(hidden, params[TOP], params["mean.1.bias"])
        loss = -210 * cross_entropy(logits, x[:, -2].long())
        gradients.append(torch.autograd.grad(loss, [params[BOTTOM], params[TOP]]))
    found = get("pass_variance")(here, {"weights": ["none"]}).metrics
    for i, name in enumerate(("bottom", "top")):
        exact = torch.stack([g[i] for g in gradients]).double().var(0).mean().item()
        assert found[f"pass_variance/none/{name}"] == pytest.approx(exact, rel=1e-4)


def test_noise_that_data_share_does_not_depend_on_the_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    here = context()
    arguments = here.task, "shared", here.params, [BOTTOM, TOP], here.task.train[:7], AXES
    whole = pass_variance.minibatch_gradient(*arguments)
    monkeypatch.setattr(pass_variance, "AT_ONCE", 1)
    parts = pass_variance.minibatch_gradient(*arguments)
    assert whole[BOTTOM].norm() > 0
    for name in (BOTTOM, TOP):
        torch.testing.assert_close(parts[name], whole[name])


@pytest.mark.parametrize("way", ["shared", "per_example", "local", "flipout"])
def test_a_datum_s_own_noise_is_new_in_every_part(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the third and the fourth of equal rows add to a gradient."""
    here = context()
    monkeypatch.setattr(pass_variance, "AT_ONCE", 1)
    equal = here.task.train[:1].repeat(4, 1)
    sums = [
        pass_variance.minibatch_gradient(here.task, way, here.params, [TOP], equal[:n], AXES)[TOP]
        for n in (2, 3, 4)
    ]
    assert torch.allclose(sums[1] - sums[0], sums[2] - sums[1], rtol=1e-3, atol=1e-5) == (way == "shared")


def test_sharing_noise_orders_the_variances() -> None:
    found = get("pass_variance")(context(), {"weights": ["none", "local", "shared"], "minibatch": 10}).metrics
    for layer in ("bottom", "top"):
        values = [found[f"pass_variance/{way}/{layer}"] for way in ("none", "local", "shared")]
        assert values == sorted(values)


@pytest.mark.parametrize(
    ("options", "given", "message"),
    [
        ({}, {"weights": ["global"]}, "weights 'global'"),
        ({}, {"weights": ["none"], "minibatch": 106}, "minibatches of 106 of 210 rows are not two"),
        ({"posterior": "point"}, {"weights": ["none"]}, "needs a task with random weights"),
    ],
)
def test_mistakes_are_said(options, given, message: str) -> None:
    with pytest.raises(ReparamError, match=message):
        get("pass_variance")(context(**options), given)
