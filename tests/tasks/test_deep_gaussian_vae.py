"""The log weight of Gaussian layers against one written out by hand, its units taken away, and its start."""

from types import SimpleNamespace

import pytest
import torch
from small_tasks import in_doubles
from torch.distributions import Bernoulli, Normal

from reparam import data, tasks
from reparam.errors import ReparamError
from reparam.noise import draw, generator
from reparam.program import run

PIXELS = 4
KEPT = {"z1": torch.tensor([0, 2, 3]), "z2": torch.tensor([1])}


def dataset(points: int = 5) -> SimpleNamespace:
    train = (draw("uniform", (points, PIXELS), generator("test", "pixels")) < 0.4).float()
    return SimpleNamespace(name="tiny", train=train, test=train[:2], valid=None, shape=(2, 2))


def tiny(**options: object) -> tuple[object, dict[str, torch.Tensor]]:
    given = {"data": "tiny", "units": 2, "hidden": 6, **options}
    return in_doubles(tasks.get("deep_gaussian_vae")(given, dataset()), "vae")


def affine(p: dict[str, torch.Tensor], name: str, inputs: torch.Tensor) -> torch.Tensor:
    return inputs @ p[f"{name}.weight"].T + p[f"{name}.bias"]


def hidden(p: dict[str, torch.Tensor], name: str, inputs: torch.Tensor) -> torch.Tensor:
    return affine(p, f"{name}.1", affine(p, f"{name}.0", inputs).tanh()).tanh()


def gaussian(p: dict[str, torch.Tensor], name: str, inputs: torch.Tensor) -> Normal:
    last = hidden(p, name, inputs)
    return Normal(affine(p, f"{name}.mean", last), affine(p, f"{name}.log_scale", last).exp())


def by_hand(
    p: dict[str, torch.Tensor], x: torch.Tensor, z1: torch.Tensor, z2: torch.Tensor, kept: dict
) -> torch.Tensor:
    """Only the kept units have densities; what is not kept is 0 in z1 and z2 already."""
    one, two = kept["z1"], kept["z2"]
    pixels = affine(p, "decoder.x.2", hidden(p, "decoder.x", z1))
    value = Bernoulli(logits=pixels).log_prob(x).sum(-1)
    value += gaussian(p, "decoder.z1", z2).log_prob(z1)[:, one].sum(-1)
    value += Normal(0.0, 1.0).log_prob(z2)[:, two].sum(-1)
    value -= gaussian(p, "encoder.z1", x).log_prob(z1)[:, one].sum(-1)
    return value - gaussian(p, "encoder.z2", z1).log_prob(z2)[:, two].sum(-1)


def test_two_layers_by_hand() -> None:
    task, p = tiny(layers=2)
    z = {s: draw("normal", (5, n), generator("test", s), torch.float64) for s, n in (("z1", 4), ("z2", 2))}
    found = run(task.program(task.train), p, lambda name, law: z[name])
    every = {"z1": torch.arange(4), "z2": torch.arange(2)}
    torch.testing.assert_close(found.value, by_hand(p, task.train, z["z1"], z["z2"], every))
    assert list(found.sites) == ["z1", "z2"]
    given = {**z, "x": task.train}
    joint = run(task.model(task.train), p, lambda name, law: given[name])
    assert list(joint.sites) == ["z2", "z1", "x"]
    log_q = sum(site.law.log_prob(site.z) for site in found.sites.values())
    torch.testing.assert_close(joint.value, found.value + log_q)


def test_units_that_leave_are_zero_and_have_no_density() -> None:
    task, p = tiny(layers=2)
    left = {s: draw("normal", (5, len(u)), generator("test", s), torch.float64) for s, u in KEPT.items()}
    found = run(task.program(task.train), task.without(p, KEPT), lambda name, law: left[name]).value
    z1, z2 = torch.zeros(5, 4).double(), torch.zeros(5, 2).double()
    z1[:, KEPT["z1"]], z2[:, KEPT["z2"]] = left["z1"], left["z2"]
    torch.testing.assert_close(found, by_hand(p, task.train, z1, z2, KEPT))


def test_one_layer_is_a_vae_with_a_sampled_kl() -> None:
    task, p = tiny()
    z = draw("normal", (5, 2), generator("test", "z"), torch.float64)
    value = Bernoulli(logits=affine(p, "decoder.x.2", hidden(p, "decoder.x", z))).log_prob(task.train).sum(-1)
    value += (Normal(0.0, 1.0).log_prob(z) - gaussian(p, "encoder.z1", task.train).log_prob(z)).sum(-1)
    torch.testing.assert_close(run(task.program(task.train), p, lambda name, law: z).value, value)
    fewer = run(task.program(task.train), task.without(p, {"z1": torch.tensor([1])}), lambda n, law: z[:, 1:])
    assert fewer.value.shape == (5,) and not torch.equal(fewer.value, value)


def test_the_nets_and_their_start_are_the_papers() -> None:
    start = tasks.get("deep_gaussian_vae")({"data": "tiny", "layers": 2}, dataset()).init(
        generator("test", "s")
    )
    shapes = {name: tuple(p.shape) for name, p in start.items() if name.endswith("weight")}
    assert shapes["encoder.z1.1.weight"] == (200, 200) and shapes["encoder.z1.log_scale.weight"] == (100, 200)
    assert shapes["encoder.z2.0.weight"] == (100, 100) and shapes["encoder.z2.mean.weight"] == (50, 100)
    assert shapes["decoder.z1.0.weight"] == (100, 50) and shapes["decoder.z1.mean.weight"] == (100, 100)
    assert shapes["decoder.x.0.weight"] == (200, 100) and shapes["decoder.x.2.weight"] == (PIXELS, 200)
    assert len(shapes) == 4 + 4 + 4 + 3
    assert start["encoder.z1.mean.weight"].abs().max() <= (6 / 300) ** 0.5
    assert abs(start["encoder.z1.mean.weight"].var().item() / (2 / 300) - 1) < 0.05
    means = dataset().train.mean(0).clamp(1e-3, 1 - 1e-3)
    torch.testing.assert_close(start["decoder.x.2.bias"].sigmoid(), means)
    assert not start["encoder.z1.mean.bias"].any()


@pytest.mark.parametrize("published", [False, True])
def test_it_may_train_on_all_rows_that_are_published_for_training(
    published: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that go back are grey, and binarised as training rows are: not before a step uses them."""
    grey = torch.full((6, PIXELS), 0.3)
    cut = data.DataSet("mnist", grey[:4], grey[:1], grey[4:], (2, 2))
    monkeypatch.setattr(data, "load", lambda name: cut)
    options = {"name": "deep_gaussian_vae", "data": "mnist", "published_split": published}
    task = tasks.make({**options, "binarisation": "dynamic"})
    assert torch.equal(task.train, grey if published else grey[:4])
    assert (task.valid is None) == published


@pytest.mark.parametrize(
    ("options", "words"), [({"depth": 0}, "depth is 0"), ({"activation": "sin"}, "tanh")]
)
def test_faulty_options_are_refused(options: dict[str, object], words: str) -> None:
    with pytest.raises(ReparamError, match=words):
        tiny(**options)
