"""Both forms of App. F against each other and against a closed form."""

from types import SimpleNamespace

import torch

from reparam import tasks
from reparam.noise import draw, generator
from reparam.program import Params, describe, follow, run

DRAWS = 20_000


def tiny(kl: str) -> tuple[object, dict[str, torch.Tensor]]:
    train = (draw("uniform", (5, 3), generator("test", "full-vb")) < 0.5).float()
    data = SimpleNamespace(name="tiny", train=train, test=train, shape=(1, 3))
    options = {"name": "full_vb", "data": "tiny", "hidden": 2, "latent": 1, "kl": kl}
    task = tasks.get("full_vb")(options, data)
    params = {n: p.double() for n, p in task.init(generator("test", "full-vb", "init")).items()}
    params = {n: p + 3 if n.endswith("log_variance") else 40 * p for n, p in params.items()}
    task.train = task.train.double()
    return task, params


def draws(task: object, params: Params) -> torch.Tensor:
    """The per-datum bound under DRAWS draws of all noise: [DRAWS, N]."""
    program = task.program(task.train)
    source = generator("test", "full-vb", "noise")
    noise = {
        name: {"normal": draw("normal", (DRAWS, *site.law.shape), source, torch.float64)}
        for name, site in describe(program, params).items()
    }
    return torch.vmap(lambda one: run(program, params, follow(one)).value)(noise)


def test_the_closed_form_has_the_same_mean_and_less_variance() -> None:
    """Paired z-score of the mean difference below 4.5: false alarm 7e-6 per datum, five data."""
    naive, closed = (draws(*tiny(kl)) for kl in ("sampled", "analytic"))
    difference = naive - closed
    score = difference.mean(0) / (difference.std(0) / DRAWS**0.5)
    assert score.abs().max() < 4.5
    assert closed.sum(1).var() < 0.8 * naive.sum(1).var()


def test_the_four_gaussian_terms_are_integrated_exactly() -> None:
    """With weights pinned at zero the bound is App. F's formula and has no noise left."""
    task, params = tiny("analytic")
    for name, value in params.items():
        if name.startswith("posterior"):
            params[name] = torch.full_like(value, -200.0 if name.endswith("log_variance") else 0.0)
    values = draws(task, params)
    q = task.encode(params, task.train)
    codes = 0.5 * (1 + q.variance.log() - q.mean**2 - q.variance).sum(-1)
    count = sum(p.numel() for n, p in params.items() if n.startswith("posterior") and n.endswith(".mean"))
    weights = 0.5 * count * (1 - 200.0)
    expected = -3 * torch.log(torch.tensor(2.0, dtype=torch.float64)) + codes + weights / 5
    torch.testing.assert_close(values.mean(0), expected, rtol=1e-9, atol=1e-9)
    assert values.std(0).max() < 1e-9


def test_gradient_reaches_every_parameter() -> None:
    task, params = tiny("analytic")
    program = task.program(task.train)
    noise = {
        name: {"normal": torch.ones(site.law.shape, dtype=torch.float64)}
        for name, site in describe(program, params).items()
    }
    grads = torch.func.grad(lambda p: run(program, p, follow(noise)).value.sum())(params)
    assert all(g.abs().max() > 0 for g in grads.values())
