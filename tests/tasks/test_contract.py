"""What every task promises: a new one is tested by existing."""

from types import SimpleNamespace

import pytest
import torch

from reparam import tasks
from reparam.errors import ReparamError
from reparam.noise import draw, draw_block, generator
from reparam.program import describe, follow, run

TASKS = pytest.mark.parametrize("name", tasks.registry.names())
WITHOUT_DATA = {"bits", "gaussian_fit", "logistic_regression"}
SMALL: dict[str, dict[str, object]] = {
    "conditional_gaussian_vae": {"units": 2, "hidden": 6},
    "semi_supervised_vae": {"labelled": 2, "classes": 2, "latent": 2, "channels": [3]},
}
"""Options of tasks whose defaults need more data than there are, or nets so wide that the moved ones saturate."""
WITH_DATA = pytest.mark.parametrize("name", sorted({*tasks.registry.names()} - WITHOUT_DATA))


def build(name: str, **options: object) -> object:
    train = (draw("uniform", (6, 4), generator("test", "task")) < 0.4).float()
    if name in WITHOUT_DATA:
        return tasks.get(name)({"name": name, **options}, None)
    labels = torch.arange(6) % 2
    dataset = SimpleNamespace(
        name="tiny",
        train=train,
        test=train[:3],
        valid=None,
        shape=(2, 2),
        train_labels=labels,
        test_labels=labels[:3],
    )
    return tasks.get(name)({"name": name, "data": "tiny", **SMALL.get(name, {}), **options}, dataset)


def made(name: str) -> tuple[object, dict[str, torch.Tensor]]:
    task = build(name)
    return task, task.init(generator("test", "task", "init"))


def values(
    task: object, params: dict[str, torch.Tensor], x: torch.Tensor, axis: str = "noise"
) -> torch.Tensor:
    program = task.program(x)
    specs = {site: entry.law.noise() for site, entry in describe(program, params).items()}
    noise = draw_block(specs, ("test", "task", axis), 1)
    one = {site: {role: entry[0] for role, entry in roles.items()} for site, roles in noise.items()}
    return run(program, params, follow(one)).value


@TASKS
def test_the_value_is_per_datum_and_finite(name: str) -> None:
    task, params = made(name)
    found = values(task, params, task.train)
    assert found.shape == (len(task.train),) and found.isfinite().all()
    assert task.sense in (+1.0, -1.0) and isinstance(task.log_weight, bool)
    assert task.log_prior(params).shape == ()


@WITH_DATA
def test_a_datum_sees_no_other(name: str) -> None:
    """Another first row changes the first value only."""
    task, params = made(name)
    other = task.train.clone()
    other[0] = 1 - other[0]
    same = values(task, params, task.train) == values(task, params, other)
    assert same.tolist() == [False, *[True] * (len(other) - 1)]


@WITH_DATA
def test_the_start_follows_from_its_stream_alone(name: str) -> None:
    task, params = made(name)
    again = task.init(generator("test", "task", "init"))
    other = task.init(generator("test", "task", "another"))
    assert params.keys() == again.keys() and all("." in entry for entry in params)
    assert all(torch.equal(params[entry], again[entry]) for entry in params)
    assert any(not torch.equal(params[entry], other[entry]) for entry in params)


@TASKS
def test_every_parameter_is_used(name: str) -> None:
    """At a generic point, each parameter moves some value or some site's law."""
    task, params = made(name)
    source = generator("test", "task", "move")
    params = {n: p + 0.3 * draw("normal", tuple(p.shape), source) for n, p in params.items()}
    for entry in params:
        moved = {**params, entry: params[entry] + draw("normal", tuple(params[entry].shape), source)}
        changed = any(
            not torch.equal(values(task, params, task.train, f"{i}"), values(task, moved, task.train, f"{i}"))
            for i in range(20)
        )
        assert changed, entry


@TASKS
def test_an_unknown_option_is_refused(name: str) -> None:
    with pytest.raises(ReparamError, match="has no option 'hiden'"):
        build(name, hiden=3)
