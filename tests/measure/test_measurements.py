"""The registered measurements on a small VAE."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import stats

from reparam import measure, tasks
from reparam.errors import ReparamError
from reparam.measure.pictures import inverse_cdf_grid
from reparam.noise import draw, generator

HMC = {"posterior_samples": 50, "warmup": 60, "leapfrogs": 4, "candidates": 50}


def context(latent: int = 2, **options: object) -> measure.Context:
    train = (draw("uniform", (50, 6), generator("test", "measure")) < 0.4).float()
    data = SimpleNamespace(name="tiny", train=train, test=train[:30], shape=(2, 3))
    given = {"name": "gaussian_vae", "data": "tiny", "hidden": 5, "latent": latent, **options}
    task = tasks.get("gaussian_vae")(given, data)
    params = task.init(generator("test", "measure", "init"))
    params = {n: (80 if n.startswith("decoder") else 20) * p for n, p in params.items()}
    return measure.Context(task, None, params, ("test", "measure"), torch.device("cpu"), {}, 10)


def by_quadrature(where: measure.Context) -> tuple[float, float]:
    """(mean log p(x), mean bound) over the test rows, on a fine grid over the two codes."""
    axis = torch.linspace(-6, 6, 121)
    grid = torch.cartesian_prod(axis, axis)
    cell = 2 * (axis[1] - axis[0]).log()
    x = where.task.test
    joint = where.task.log_joint(where.params, x[:, None], grid)
    q = where.task.encode(where.params, x)
    log_q = torch.distributions.Normal(q.loc[:, None], q.scale[:, None]).log_prob(grid).sum(-1)
    bound = (log_q.exp() * (joint - log_q)).sum(-1) * cell.exp()
    return (torch.logsumexp(joint, -1) + cell).mean().item(), bound.mean().item()


def test_bound_is_that_of_quadrature() -> None:
    """Within 4.5 of its own standard errors (199 degrees of freedom): false alarm 1.2e-5."""
    where = context()
    found = measure.get("bound")(where, {"points": None, "samples": 200}).metrics
    error = (found["elbo_mc_variance/test"] / 200) ** 0.5
    assert abs(found["elbo/test"] - by_quadrature(where)[1]) < 4.5 * error
    assert error < 0.05


def test_likelihood_estimates_are_those_of_quadrature() -> None:
    where = context()
    exact, _ = by_quadrature(where)
    for proposal in ("encoder", "hmc"):
        options = {"points": 30, "methods": ["iw", "hmc"], "proposal": proposal, "samples": 2000, **HMC}
        found = measure.get("likelihood")(where, options).metrics
        assert abs(found["log_likelihood_iw/test"] - exact) < 0.03
        assert abs(found["log_likelihood_hmc/test"] - exact) < 0.1
        assert abs(found["hmc_acceptance/test"] - 0.9) < 0.06
        assert 1 < found["effective_samples/test"] <= 2000


def test_harmonic_estimate_is_refused_above_three_dimensions() -> None:
    options = {"points": 10, "methods": ["hmc"], "samples": 10, **HMC}
    with pytest.raises(ReparamError, match="at most 3 dimensions, not 4"):
        measure.get("likelihood")(context(latent=4), options)


def test_pictures_have_the_image_s_shape() -> None:
    found = measure.get("pictures")(context(), {"samples": 7, "grid": 4}).arrays
    assert found["samples"].shape == (7, 2, 3) and found["manifold"].shape == (16, 2, 3)
    assert found["manifold"].min() >= 0 and found["manifold"].max() <= 1
    assert "manifold" not in measure.get("pictures")(context(latent=3), {"samples": 7, "grid": 4}).arrays


def test_manifold_grid_is_even_in_probability() -> None:
    grid = inverse_cdf_grid(4).numpy()
    np.testing.assert_allclose(stats.norm.cdf(grid[:4, 1]), [0.125, 0.375, 0.625, 0.875])
    np.testing.assert_allclose(stats.norm.cdf(grid[::4, 0]), [0.125, 0.375, 0.625, 0.875])
