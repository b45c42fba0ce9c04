"""The semi-supervised VAE: its value by hand, which rows have a class, and gradients against enumeration."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from small_tasks import in_doubles
from torch.nn.functional import binary_cross_entropy_with_logits

from reparam import estimators, gradient_moments, measure, tasks
from reparam.distributions import Normal
from reparam.engine.gradient import estimate_gradient
from reparam.errors import ReparamError
from reparam.noise import Noise, draw, generator
from reparam.oracles import objectives
from reparam.program import Params, Program, Sample, describe, run

PIXELS = 4


def dataset() -> SimpleNamespace:
    train = (draw("uniform", (8, PIXELS), generator("test", "pixels")) < 0.4).float()
    labels = torch.tensor([1, 1, 0, 1, 0, 0, 1, 0])
    return SimpleNamespace(
        name="tiny",
        train=train,
        test=train[:3],
        valid=None,
        shape=(2, 2),
        train_labels=labels,
        test_labels=labels[:3],
    )


def tiny(**options: object) -> tuple[object, dict[str, torch.Tensor]]:
    given = {
        "data": "tiny",
        "labelled": 4,
        "classes": 2,
        "latent": 1,
        "channels": [2],
        "alpha": 0.7,
        **options,
    }
    task = tasks.get("semi_supervised_vae")(given, dataset())
    return in_doubles(task, "semi", by=0.3)


def test_rows_pair_images_with_labelled_ones() -> None:
    """Two rows of each class, in turn, beside every image; the classes of other rows are not looked at."""
    task, _ = tiny(valid_size=1)
    data = dataset()
    image, partner, label = task.train.float().split([PIXELS, PIXELS, 2], -1)
    assert torch.equal(image, data.train[:7])
    assert torch.equal(partner, data.train[torch.tensor([2, 0, 4, 1, 2, 0, 4])])
    assert label.argmax(-1).tolist() == [0, 1, 0, 1, 0, 1, 0] and torch.equal(label.sum(-1), torch.ones(7))
    assert torch.equal(task.valid[:, :PIXELS], data.train[7:]) and task.valid_labels.tolist() == [0]
    assert not task.test[:, PIXELS:].any() and torch.equal(task.test_labels, data.test_labels)


@pytest.mark.parametrize("labelled", [True, False])
def test_the_value_by_hand(labelled: bool) -> None:
    task, p = tiny()
    rows = task.train[:3].clone()
    if not labelled:
        rows[:, PIXELS:] = 0
    image, partner, label = rows.split([PIXELS, PIXELS, 2], -1)
    samples = {
        "y": [[0, 1], [1, 0], [0, 1]],
        "z": [[0.3], [-1.2], [2.0]],
        "z_labelled": [[0.1], [0.9], [-0.4]],
    }
    z = {name: torch.tensor(value).double() for name, value in samples.items()}
    trace = run(task.program(rows), p, lambda name, law: z[name])

    def bits(x: torch.Tensor, y: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
        logits = task.decode(p, y, z).logits
        return -binary_cross_entropy_with_logits(logits, x, reduction="none").sum(-1)

    def style(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        q = task.encode(p, x, y)
        return 0.5 * (1 + 2 * q.scale.log() - q.loc**2 - q.scale**2).sum(-1)

    def log_q(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (task.classify(p, x).logits.log_softmax(-1) * y).sum(-1)

    expected = bits(image, z["y"], z["z"]) + style(image, z["y"]) - math.log(2) - log_q(image, z["y"])
    if labelled:
        expected += bits(partner, label, z["z_labelled"]) + style(partner, label) - math.log(2)
        expected += 0.7 * log_q(partner, label)
    torch.testing.assert_close(trace.value, expected)


SITES = {"z": "pathwise", "z_labelled": "pathwise"}


def at_styles(program: Program, noise: Noise) -> Program:
    """The program with the styles on their path from this noise, so that the class alone is random."""

    def value(params: Params, sample: Sample) -> torch.Tensor:
        def some(name: str, law: Any, context: Any = None) -> torch.Tensor:
            return law.path(noise[name]) if name in noise else sample(name, law, context=context)

        return program(params, some)

    return value


@pytest.mark.parametrize("alone", [True, False])
def test_gradients_through_the_task_are_those_of_the_sum_over_classes(alone: bool) -> None:
    """With `mixed` enumerating the class exactly, and the score function's mean of 4,000 draws within 6 standard errors
    (false alarm below 1e-6 for all entries)."""
    task, params = tiny()
    x = task.train[:2] if not alone else task.test[:2].double()
    program = task.program(x)
    noise = {
        name: {"normal": draw("normal", (2, 1), generator("test", name), torch.float64)} for name in SITES
    }
    exact = torch.func.grad(lambda p: objectives.expectation(at_styles(program, noise), p).sum())(params)
    enumerated = estimators.make("mixed", {"sites": {"y": "exact", **SITES}})
    ones = {name: {role: entry[None] for role, entry in roles.items()} for name, roles in noise.items()}
    found = estimate_gradient(enumerated, program, params, ones).gradient
    for entry, truth in exact.items():
        torch.testing.assert_close(found[entry], truth, rtol=1e-9, atol=1e-9)
    loo = estimators.make("score_function", {"baseline": "leave_one_out", "samples": 2})
    drawn = gradient_moments(at_styles(program, noise), params, loo, draws=4_000)
    for entry, truth in exact.items():
        off = (drawn.mean[entry] - truth).abs()
        assert (off <= 6 * drawn.standard_error[entry] + 1e-9 * (1 + truth.abs())).all(), entry


def test_relaxed_classes_reach_every_parameter() -> None:
    task, params = tiny()
    made = estimators.make("mixed", {"sites": {"y": "gumbel_softmax", **SITES}})
    found = gradient_moments(task.program(task.train), params, made, draws=200)
    assert all(found.mean[entry].isfinite().all() and found.mean[entry].any() for entry in params)


def test_accuracy_is_that_of_the_most_probable_class() -> None:
    task, params = tiny(valid_size=2)
    params |= {
        "classifier.y.weight": torch.zeros(2, 2).double(),
        "classifier.y.bias": torch.tensor([0.0, 1.0]).double(),
    }
    context = measure.Context(task, None, params, ("test",), torch.device("cpu"), {}, 4)
    task.test, task.valid = task.test.double(), task.valid.double()
    found = measure.get("accuracy")(context, {"splits": ["valid", "test"]}).metrics
    assert found == {"accuracy/valid": 50.0, "accuracy/test": pytest.approx(200 / 3)}
    with pytest.raises(ReparamError, match="train_labels"):
        measure.get("accuracy")(context, {"splits": ["train"]})


def test_reconstructions_are_images() -> None:
    task, params = tiny()
    params = {name: entry.float() for name, entry in params.items()}
    context = measure.Context(task, None, params, ("test",), torch.device("cpu"), {}, 4)
    arrays = measure.get("reconstructions")(context, {"points": 2}).arrays
    assert arrays["data"].shape == arrays["reconstructions"].shape == (2, 2, 2)
    assert (arrays["data"].reshape(2, 4) == dataset().test[:2].numpy()).all()
    assert arrays["reconstructions"].min() > 0 and arrays["reconstructions"].max() < 1


def test_random_labels_are_balanced_and_need_none() -> None:
    data = dataset()
    data.train_labels = data.test_labels = None
    given = {"data": "tiny", "labelled": 4, "classes": 4, "channels": [2]}
    task = tasks.get("semi_supervised_vae")({**given, "labels": "random"}, data)
    assert task.train[:, 2 * PIXELS :].sum(0).tolist() == [2.0] * 4
    with pytest.raises(ReparamError, match="has no classes"):
        tasks.get("semi_supervised_vae")(given, data)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"labelled": 3}, "share evenly"),
        ({"labelled": 12}, "are not in the data"),
        ({"classes": 1, "labelled": 1}, "are not in the data"),
        ({"channels": []}, "list of widths"),
        ({"alpha": -1.0}, "alpha"),
        ({"labels": "none"}, "data, random"),
        ({"valid_size": -1}, "valid_size is -1, but .* training rows"),
    ],
)
def test_wrong_options_are_refused(options: dict, words: str) -> None:
    with pytest.raises(ReparamError, match=words):
        tiny(**options)


def test_only_y_and_the_styles_are_sampled() -> None:
    task, params = tiny()
    sites = describe(task.program(task.train), params)
    assert list(sites) == ["y", "z", "z_labelled"]
    assert isinstance(sites["z"].law, Normal)
