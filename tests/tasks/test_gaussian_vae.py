"""The VAE's bound against quadrature over the code, and its options."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from reparam import tasks
from reparam.errors import ReparamError
from reparam.noise import draw, generator
from reparam.program import follow, run


def dataset(points: int = 6, pixels: int = 4) -> SimpleNamespace:
    train = (draw("uniform", (points, pixels), generator("test", "pixels")) < 0.4).float()
    return SimpleNamespace(name="tiny", train=train, test=train[:2], shape=(2, 2))


def tiny(**options: object) -> tuple[object, dict[str, torch.Tensor]]:
    given = {"name": "gaussian_vae", "data": "tiny", "hidden": 3, "latent": 1, **options}
    task = tasks.get("gaussian_vae")(given, dataset())
    params = {n: 60 * p.double() for n, p in task.init(generator("test", "vae")).items()}
    task.train = task.train.double()
    return task, params


def gauss_hermite(points: int = 100) -> tuple[torch.Tensor, torch.Tensor]:
    """Nodes and weights of E[f(ε)] for ε ~ N(0, 1)."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(points)
    return torch.from_numpy(nodes), torch.from_numpy(weights / weights.sum())


def bounds(task: object, params: dict[str, torch.Tensor], nodes: torch.Tensor) -> torch.Tensor:
    """The bound of each datum at each noise value: [nodes, N]."""
    program = task.program(task.train)
    return torch.stack(
        [run(program, params, follow({"z": {"normal": node.expand(6, 1)}})).value for node in nodes]
    )


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
def test_both_bounds_have_the_mean_that_quadrature_gives(likelihood: str) -> None:
    nodes, weights = gauss_hermite()
    means = {}
    for kl in ("analytic", "sampled"):
        task, params = tiny(kl=kl, likelihood=likelihood)
        values = bounds(task, params, nodes)
        assert values.shape == (100, 6)
        means[kl] = weights @ values
    q = task.encode(params, task.train)
    posterior = torch.distributions.Normal(q.loc, q.scale)
    exact = torch.zeros(6, dtype=torch.float64)
    for node, weight in zip(nodes, weights, strict=True):
        z = q.loc + q.scale * node
        joint = task.log_joint(params, task.train, z)
        exact += weight * (joint - posterior.log_prob(z).sum(-1))
    torch.testing.assert_close(means["analytic"], exact, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(means["sampled"], exact, rtol=1e-6, atol=1e-6)


def test_the_bound_lies_below_the_marginal_likelihood() -> None:
    nodes, weights = gauss_hermite()
    task, params = tiny()
    bound = weights @ bounds(task, params, nodes)
    likelihood = torch.stack([task.decode(params, node.expand(6, 1)).log_prob(task.train) for node in nodes])
    marginal = torch.logsumexp(likelihood + weights.log()[:, None], dim=0)
    assert (bound < marginal).all()


def test_log_prior_is_the_standard_normal_density_of_all_weights() -> None:
    task, params = tiny()
    entries = torch.cat([p.flatten() for p in params.values()])
    exact = torch.distributions.Normal(0.0, 1.0).log_prob(entries).sum()
    torch.testing.assert_close(task.log_prior(params), exact)
    without, params = tiny(weight_prior=False)
    assert without.log_prior(params) == 0


def test_train_size_and_grey_levels() -> None:
    assert len(tiny(train_size=4)[0].train) == 4
    spread = tiny(grey_levels=17)[0].train
    assert len(spread.unique()) > 2
    torch.testing.assert_close(((spread * 17).floor() / 16).float(), dataset().train)
    with pytest.raises(ReparamError, match="6 training points"):
        tiny(train_size=7)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hiden": 3}, "did you mean 'hidden'"),
        ({"likelihood": "poisson"}, "bernoulli, gaussian"),
        ({"latent": 0}, "at least 1"),
    ],
)
def test_bad_options_are_named(options: dict[str, object], message: str) -> None:
    with pytest.raises(ReparamError, match=message):
        tiny(**options)
