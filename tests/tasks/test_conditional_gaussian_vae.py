"""The log weight of a predicted half by hand, and what the prediction sees."""

from types import SimpleNamespace

import torch
from small_tasks import in_doubles
from torch.distributions import Bernoulli, Normal

from reparam import tasks
from reparam.noise import draw, generator
from reparam.program import run

PIXELS, UPPER = 6, 4


def tiny() -> tuple[object, dict[str, torch.Tensor]]:
    train = (draw("uniform", (5, PIXELS), generator("test", "pixels")) < 0.4).float()
    data = SimpleNamespace(name="tiny", train=train, test=train[:2], valid=None, shape=(3, 2))
    options = {"data": "tiny", "units": 2, "hidden": 3}
    return in_doubles(tasks.get("conditional_gaussian_vae")(options, data), "conditional")


def affine(p: dict[str, torch.Tensor], name: str, inputs: torch.Tensor) -> torch.Tensor:
    return inputs @ p[f"{name}.weight"].T + p[f"{name}.bias"]


def hidden(p: dict[str, torch.Tensor], name: str, inputs: torch.Tensor) -> torch.Tensor:
    return affine(p, f"{name}.1", affine(p, f"{name}.0", inputs).tanh()).tanh()


def gaussian(p: dict[str, torch.Tensor], name: str, inputs: torch.Tensor) -> Normal:
    last = hidden(p, name, inputs)
    return Normal(affine(p, f"{name}.mean", last), affine(p, f"{name}.log_scale", last).exp())


def test_the_log_weight_by_hand() -> None:
    task, p = tiny()
    z = draw("normal", (5, 2), generator("test", "z"), torch.float64)
    upper, lower = task.train[:, :UPPER], task.train[:, UPPER:]
    logits = affine(p, "decoder.lower.2", hidden(p, "decoder.lower", torch.cat([z, upper], -1)))
    value = Bernoulli(logits=logits).log_prob(lower).sum(-1)
    value += gaussian(p, "prior.z", upper).log_prob(z).sum(-1)
    value -= gaussian(p, "encoder.z", task.train).log_prob(z).sum(-1)
    torch.testing.assert_close(run(task.program(task.train), p, lambda name, law: z).value, value)


def test_pixels_start_at_their_own_means() -> None:
    task, _ = tiny()
    start = task.init(generator("test", "start"))
    means = task.train[:, UPPER:].mean(0).clamp(1e-3, 1 - 1e-3).float()
    torch.testing.assert_close(start["decoder.lower.2.bias"].sigmoid().float(), means)
    assert {name.partition(".")[0] for name in start} == {"encoder", "prior", "decoder"}
