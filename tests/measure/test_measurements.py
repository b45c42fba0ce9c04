"""The registered measurements on a small VAE."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import stats

from reparam import measure, tasks
from reparam.errors import ReparamError
from reparam.measure.pictures import inverse_cdf_grid
from reparam.measure.rows import rows
from reparam.noise import draw, generator
from reparam.program import follow, run

HMC = {"posterior_samples": 50, "warmup": 60, "leapfrogs": 4, "candidates": 50}


def context(latent: int = 2, **options: object) -> measure.Context:
    train = (draw("uniform", (50, 6), generator("test", "measure")) < 0.4).float()
    test = (draw("uniform", (30, 6), generator("test", "measure", "other")) < 0.7).float()
    data = SimpleNamespace(name="tiny", train=train, test=test, shape=(2, 3))
    given = {"name": "gaussian_vae", "data": "tiny", "hidden": 5, "latent": latent, **options}
    task = tasks.get("gaussian_vae")(given, data)
    params = task.init(generator("test", "measure", "init"))
    params = {n: (80 if n.startswith("decoder") else 20) * p for n, p in params.items()}
    return measure.Context(task, None, params, ("test", "measure"), torch.device("cpu"), {}, 10)


def by_quadrature(where: measure.Context, split: str) -> tuple[float, float]:
    """(mean log p(x), mean bound) over the first 30 rows, on a fine grid over the two codes."""
    axis = torch.linspace(-6, 6, 121)
    grid = torch.cartesian_prod(axis, axis)
    cell = 2 * (axis[1] - axis[0]).log()
    x = getattr(where.task, split)[:30]
    joint = where.task.log_joint(where.params, x[:, None], grid)
    q = where.task.encode(where.params, x)
    log_q = torch.distributions.Normal(q.loc[:, None], q.scale[:, None]).log_prob(grid).sum(-1)
    bound = (log_q.exp() * (joint - log_q)).sum(-1) * cell.exp()
    return (torch.logsumexp(joint, -1) + cell).mean().item(), bound.mean().item()


def test_bound_is_that_of_quadrature() -> None:
    """Within 4.5 of its own standard errors (199 degrees of freedom): false alarm 1.2e-5 each. The splits differ."""
    where = context()
    found = measure.get("bound")(where, {"points": 30, "samples": 200}).metrics
    exact = {split: by_quadrature(where, split)[1] for split in ("train", "test")}
    assert abs(exact["train"] - exact["test"]) > 0.3
    for split in exact:
        error = (found[f"elbo_mc_variance/{split}"] / 200) ** 0.5
        assert abs(found[f"elbo/{split}"] - exact[split]) < 4.5 * error
        assert error < 0.05


def test_variance_of_the_bound_is_that_of_one_draw_per_datum() -> None:
    """Var(mean over data) = Σ_data Var / points², by other draws; within 40 % (4 standard errors at 199 d.f.)."""
    where = context()
    found = measure.get("bound")(where, {"points": None, "samples": 200}).metrics
    x = where.task.test.expand(2000, -1, -1)
    noise = draw("normal", (2000, 30, 2), generator("test", "measure", "spread"))
    values = run(where.task.program(x), where.params, follow({"z": {"normal": noise}})).value
    assert abs(found["elbo_mc_variance/test"] / (values.var(0).sum().item() / 30**2) - 1) < 0.4


def test_rows_are_the_first_ones_and_dynamic_bits_stay_the_same() -> None:
    where = context()
    assert torch.equal(rows(where, "train", 7), where.task.train[:7])
    assert torch.equal(rows(where, "test", None), where.task.test)
    where.task.binarisation = "dynamic"
    where.task.train = torch.full((2000, 6), 0.3)
    bits = rows(where, "train", None)
    assert set(bits.unique().tolist()) == {0.0, 1.0}
    assert abs(bits.mean() - 0.3) < 4.5 * (0.21 / 12_000) ** 0.5
    assert torch.equal(bits, rows(where, "train", None))


def test_likelihood_estimates_are_those_of_quadrature() -> None:
    where = context()
    for proposal in ("encoder", "hmc"):
        options = {"points": 30, "methods": ["iw", "hmc"], "proposal": proposal, "samples": 2000, **HMC}
        found = measure.get("likelihood")(where, options).metrics
        for split in ("train", "test"):
            exact, _ = by_quadrature(where, split)
            assert abs(found[f"log_likelihood_iw/{split}"] - exact) < 0.03
            assert abs(found[f"log_likelihood_hmc/{split}"] - exact) < 0.1
            assert abs(found[f"hmc_acceptance/{split}"] - 0.9) < 0.06
            assert 1 < found[f"effective_samples/{split}"] <= 2000


def test_a_fitted_proposal_does_not_hang_on_the_encoder() -> None:
    """An encoder that looks four prior deviations away: Monte Carlo EM's is never trained."""
    where = context()
    where.params["encoder.mean.bias"] = where.params["encoder.mean.bias"] + 4
    options = {"points": 30, "methods": ["iw"], "proposal": "hmc", "samples": 500, **HMC}
    found = measure.get("likelihood")(where, options).metrics
    assert abs(found["log_likelihood_iw/test"] - by_quadrature(where, "test")[0]) < 0.05
    assert found["effective_samples/test"] > 250


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
