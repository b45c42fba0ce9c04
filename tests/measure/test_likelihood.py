"""Estimators of the marginal likelihood against the linear-Gaussian closed form."""

import numpy as np
import pytest
import torch

from reparam.distributions import Normal
from reparam.measure import likelihood
from reparam.noise import draw, generator
from reparam.oracles.linear_gaussian import LinearGaussian

POINTS, PIXELS = 40, 12


def model(latent: int) -> tuple[LinearGaussian, torch.Tensor, likelihood.LogJoint]:
    """An oracle, data drawn from it [POINTS, PIXELS], and the torch joint density of these data."""
    source = generator("test", "likelihood", latent)
    weight = draw("normal", (PIXELS, latent), source)
    bias = draw("normal", (PIXELS,), source)
    sigma = 0.7
    z = draw("normal", (POINTS, latent), source)
    x = z @ weight.T + bias + sigma * draw("normal", (POINTS, PIXELS), source)

    def log_joint(z: torch.Tensor) -> torch.Tensor:
        observed = Normal(z @ weight.T + bias, torch.full((PIXELS,), sigma))
        prior = Normal(torch.zeros_like(z), torch.ones_like(z))
        return observed.log_prob(x) + prior.log_prob(z)

    return LinearGaussian(weight.double().numpy(), bias.double().numpy(), sigma), x, log_joint


def exact_samples(oracle: LinearGaussian, x: torch.Tensor, count: int, name: str) -> torch.Tensor:
    mean, covariance = (torch.from_numpy(a).float() for a in oracle.posterior(x.double().numpy()))
    root = torch.linalg.cholesky(covariance)
    return mean + draw("normal", (count, *mean.shape), generator("test", "exact", name)) @ root.T


def truth(oracle: LinearGaussian, x: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(oracle.log_likelihood(x.double().numpy())).float()


@pytest.mark.parametrize("latent", [1, 3])
def test_importance_weights_with_the_exact_posterior_have_no_variance(latent: int) -> None:
    oracle, x, log_joint = model(latent)
    mean, covariance = (torch.from_numpy(a).float() for a in oracle.posterior(x.double().numpy()))
    root = torch.linalg.cholesky(covariance).expand(POINTS, -1, -1)
    proposal = likelihood.FittedGaussian(mean, root)
    found = likelihood.importance_weighted(log_joint, proposal, 7, generator("test", "iw"), chunk=3)
    torch.testing.assert_close(found.log_likelihood, truth(oracle, x), rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(found.effective, torch.full((POINTS,), 7.0), rtol=1e-3, atol=1e-3)


def test_importance_weights_from_a_poor_proposal_still_agree() -> None:
    """Each datum within 5 standard errors √((K/ESS − 1)/K) of the closed form: false alarm 2e-5 in all."""
    oracle, x, log_joint = model(2)
    mean, covariance = (torch.from_numpy(a).float() for a in oracle.posterior(x.double().numpy()))
    proposal = Normal(mean + 0.1, 1.7 * covariance.diagonal().sqrt().expand(POINTS, 2))
    found = likelihood.importance_weighted(log_joint, proposal, 5000, generator("test", "iw"), chunk=512)
    error = ((5000 / found.effective - 1) / 5000).sqrt()
    assert ((found.log_likelihood - truth(oracle, x)) / error).abs().max() < 5
    assert found.effective.min() > 500


def test_chains_start_at_the_best_draw_and_drop_their_warm_up() -> None:
    _, _, log_joint = model(2)
    zero = torch.zeros(POINTS, 2)
    best = likelihood.best_of_prior(log_joint, zero, 20, generator("test", "best"))
    source = generator("test", "best")
    draws = torch.stack([zero, *(draw("normal", (POINTS, 2), source) for _ in range(20))])
    assert torch.equal(log_joint(best), log_joint(draws).max(0).values)
    assert likelihood.posterior_samples(log_joint, best, 7, 5, 2, source).z.shape == (7, POINTS, 2)


def test_every_transition_takes_a_random_part_of_the_tuned_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between a half and all of it, another part each time, so that no trajectory lasts exactly a period."""
    _, _, log_joint = model(1)
    steps, original = [], likelihood.hmc.transition
    monkeypatch.setattr(
        likelihood.hmc,
        "transition",
        lambda density, z, step, *rest: steps.append(step) or original(density, z, step, *rest),
    )
    monkeypatch.setattr(likelihood.paths, "build", lambda step, *_: step)
    likelihood.posterior_samples(log_joint, torch.zeros(POINTS, 1), 200, 10, 4, generator("test", "part"))
    parts = torch.stack(steps[10:])
    parts = parts / parts.max(0).values
    assert 0.5 <= parts.min() < 0.52 and abs(parts.mean() - 0.75) < 0.02


def test_chunks_do_not_change_the_definition() -> None:
    _, _, log_joint = model(2)
    proposal = Normal(torch.zeros(POINTS, 2), torch.ones(POINTS, 2))
    whole, parts = (
        likelihood.importance_weighted(log_joint, proposal, 60, generator("test", "chunks"), chunk)
        for chunk in (60, 7)
    )
    torch.testing.assert_close(whole.log_likelihood, parts.log_likelihood)
    torch.testing.assert_close(whole.effective, parts.effective)


def test_hmc_samples_have_the_posterior_s_moments() -> None:
    """40 chains of 300 samples; the pooled mean within 0.1 and variances within 15 % of the closed form."""
    oracle, x, log_joint = model(3)
    source = generator("test", "hmc")
    start = likelihood.best_of_prior(log_joint, torch.zeros(POINTS, 3), 50, source)
    found = likelihood.posterior_samples(log_joint, start, 300, 100, 4, source)
    mean, covariance = oracle.posterior(x.double().numpy())
    root = np.linalg.cholesky(covariance)
    standard = np.linalg.solve(root, (found.z.double().numpy() - mean).reshape(-1, 3).T)
    assert np.abs(standard.mean(1)).max() < 0.1
    np.testing.assert_allclose((standard @ standard.T) / standard.shape[1], np.eye(3), atol=0.15)
    assert abs(found.acceptance.mean() - 0.9) < 0.05


@pytest.mark.parametrize("latent", [1, 3])
def test_harmonic_estimate_agrees_in_low_dimension(latent: int) -> None:
    """Mean over 40 data within 0.15 nat, from 50 + 50 HMC samples of 4 leapfrog steps, as in App. D."""
    oracle, x, log_joint = model(latent)
    source = generator("test", "harmonic", latent)
    start = likelihood.best_of_prior(log_joint, torch.zeros(POINTS, latent), 50, source)
    z = likelihood.posterior_samples(log_joint, start, 100, 60, 4, source).z
    found = likelihood.harmonic(log_joint, z[:50], z[50:])
    assert abs((found - truth(oracle, x)).mean()) < 0.15


def test_harmonic_estimate_degrades_with_the_dimension() -> None:
    """Even from independent exact samples: error against the closed form at 2 and at 10 dimensions."""
    errors = {}
    for latent in (2, 10):
        oracle, x, log_joint = model(latent)
        fit, fresh = (exact_samples(oracle, x, 50, name) for name in ("fit", "fresh"))
        errors[latent] = (
            (likelihood.harmonic(log_joint, fit, fresh) - truth(oracle, x)).square().mean().sqrt()
        )
    assert errors[2] < 0.1
    assert errors[10] > 2 * errors[2]


def test_fitted_gaussian_is_a_normalised_density() -> None:
    samples = draw("normal", (30, 4, 2), generator("test", "fit"), torch.float64)
    fitted = likelihood.FittedGaussian.fit(samples, inflate=1.5)
    for m in range(4):
        covariance = 1.5 * torch.cov(samples[:, m].T)
        reference = torch.distributions.MultivariateNormal(samples[:, m].mean(0), covariance)
        torch.testing.assert_close(
            fitted.log_prob(samples)[:, m], reference.log_prob(samples[:, m]), rtol=1e-4, atol=1e-4
        )
