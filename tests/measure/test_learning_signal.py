"""The learning signal's root mean square, by hand for VIMCO and NVIL."""

from types import SimpleNamespace

import pytest
import torch

from reparam import measure, tasks
from reparam.engine import learners
from reparam.errors import ReparamError
from reparam.noise import draw, draw_block, generator
from reparam.program import describe, follow, run

SGD = {"optimiser": {"name": "sgd", "rate": 0.01}}


def context(method: str, **options: object) -> measure.Context:
    train = (draw("uniform", (5, 4), generator("test", "signal")) < 0.4).float()
    data = SimpleNamespace(name="tiny", train=train, test=train, valid=None, shape=(2, 2))
    task = tasks.get("discrete_vae")({"data": "tiny", "units": 3, "layers": 2}, data)
    source = generator("test", "signal", "weights")
    params = {n: p + draw("normal", tuple(p.shape), source) for n, p in task.init(source).items()}
    learner = learners.make(task, {"name": method, "options": options}, SGD)
    state = learner.init(params, train, source)
    return measure.Context(task, learner, params, ("test", "signal"), torch.device("cpu"), state, 5)


def values(where: measure.Context, samples: int) -> torch.Tensor:
    """log weights [K, B] of the measurement's own noise."""
    program = where.task.program(where.task.train)
    specs = where.learner.estimator.noise(describe(program, where.params))
    block = draw_block(specs, where.axes, 1)
    each = [
        {site: {role: entry[0, k] for role, entry in roles.items()} for site, roles in block.items()}
        for k in range(samples)
    ]
    return torch.stack([run(program, where.params, follow(noise)).value for noise in each])


def test_vimco_measures_what_each_sample_adds() -> None:
    where = context("vimco", samples=3)
    f = values(where, 3)
    signals = []
    for k in range(3):
        other = f.clone()
        other[k] = (f.sum(0) - f[k]) / 2
        signals.append(f.logsumexp(0) - other.logsumexp(0))
    found = measure.get("learning_signal")(where, {}).metrics
    expected = torch.stack(signals).square().mean().sqrt().item()
    assert found == pytest.approx(dict.fromkeys(("signal_rms", "signal_rms/z1", "signal_rms/z2"), expected))


def test_nvil_measures_before_it_normalises() -> None:
    """A baseline that says 0, running means of −5 and −7, and deviations that do not matter."""
    where = context("nvil", samples=2)
    bound = values(where, 2).exp().mean(0).log()
    memory = where.state["memory"]
    memory["mean"] = {"z1": torch.tensor(-5.0), "z2": torch.tensor(-7.0)}
    memory["variance"] = {"z1": torch.tensor(100.0), "z2": torch.tensor(1.0)}
    found = measure.get("learning_signal")(where, {}).metrics
    first, second = ((bound - mean).square().mean() for mean in (-5.0, -7.0))
    assert found["signal_rms/z1"] == pytest.approx(first.sqrt().item())
    assert found["signal_rms"] == pytest.approx(((first + second) / 2).sqrt().item())


def test_methods_without_a_signal_have_nothing_to_measure() -> None:
    assert measure.get("learning_signal")(context("straight_through"), {}).metrics == {}
    with pytest.raises(ReparamError, match="gradient estimator"):
        measure.get("learning_signal")(context("wake_sleep"), {})
