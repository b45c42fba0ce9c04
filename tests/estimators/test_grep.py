"""G-REP: closed-form gradients, the law of the standardised sample, constants in f."""

from __future__ import annotations

import pytest
import torch
from scipy.stats import norm

from reparam import Beta, Dirichlet, Gamma, Grep, Normal, estimate, gradient_moments
from reparam.errors import ReparamError

BOUND = norm.isf(5e-9)
"""Each comparison has a false-alarm rate of 1e-8; all of the file's have less than 1e-6."""


def gamma_program(offset: float):
    def program(params, sample):
        z = sample("z", Gamma(params["shape"], params["rate"]))
        return (z.log() + 0.2 * z).sum(-1) + offset

    return program


@pytest.mark.parametrize("samples", [1, 2])
def test_gamma_gradients_are_the_closed_form(samples: int) -> None:
    """E[log z + z/5] = ψ(α) − log β + α/(5 β)."""
    shape, rate = (
        torch.tensor(p, dtype=torch.float64) for p in ([0.02, 0.4, 2.0, 30.0], [0.5, 1.0, 3.0, 2.0])
    )
    found = gradient_moments(
        gamma_program(0.0), {"shape": shape, "rate": rate}, Grep(samples=samples), draws=10_000
    )
    exact = {"shape": torch.polygamma(1, shape) + 0.2 / rate, "rate": -1 / rate - 0.2 * shape / rate**2}
    for name, truth in exact.items():
        assert ((found.mean[name] - truth).abs() < BOUND * found.standard_error[name]).all(), name


def beta_program(params, sample):
    z = sample("z", Beta(params["a"], params["b"]))
    return (z.log() + z).sum(-1)


def dirichlet_program(params, sample):
    z = sample("z", Dirichlet(params["concentration"]))
    return (z.log() * WEIGHTS + z * WEIGHTS.flip(-1)).sum(-1)


WEIGHTS = torch.tensor([1.0, -0.5, 2.0], dtype=torch.float64)
CONCENTRATION = torch.tensor([[0.4, 2.0, 7.0], [1.0, 1.0, 0.2]], dtype=torch.float64)
A, B = (torch.tensor(p, dtype=torch.float64) for p in ([0.3, 2.0, 40.0], [1.0, 0.5, 9.0]))


def beta_value(params):
    """E[log z + z]."""
    a, b = params["a"], params["b"]
    return (torch.digamma(a) - torch.digamma(a + b) + a / (a + b)).sum()


def dirichlet_value(params):
    """E[Σ w log z + v z]."""
    alpha = params["concentration"]
    total = alpha.sum(-1, keepdim=True)
    return ((torch.digamma(alpha) - torch.digamma(total)) * WEIGHTS + alpha / total * WEIGHTS.flip(-1)).sum()


@pytest.mark.parametrize(
    ("program", "value", "params"),
    [
        (beta_program, beta_value, {"a": A, "b": B}),
        (dirichlet_program, dirichlet_value, {"concentration": CONCENTRATION}),
    ],
)
def test_beta_and_dirichlet_gradients_are_the_closed_form(program, value, params) -> None:
    found = gradient_moments(program, params, "grep", draws=10_000, compiled=False)
    for name, truth in torch.func.grad(value)(params).items():
        assert ((found.mean[name] - truth).abs() < BOUND * found.standard_error[name]).all(), name


@pytest.mark.parametrize(
    ("program", "params"),
    [(beta_program, {"a": A, "b": B}), (dirichlet_program, {"concentration": CONCENTRATION})],
)
def test_their_samples_are_those_of_the_law_s_own_path_too(program, params) -> None:
    found, own = (estimate(program, params, name, 3).value for name in ("grep", "pathwise"))
    torch.testing.assert_close(found, own)


def test_a_constant_added_to_f_changes_the_variance() -> None:
    params = {"shape": torch.tensor([2.0]), "rate": torch.ones(1)}
    near, far = (
        gradient_moments(gamma_program(offset), params, "grep", draws=10_000).variance["shape"]
        for offset in (0.0, 20.0)
    )
    assert far > 2 * near


def test_the_samples_are_those_of_the_law_s_own_path() -> None:
    """So that comparisons with the pathwise estimator are paired."""
    params = {"shape": torch.tensor([0.7, 2.0]), "rate": torch.ones(2)}
    found, own = (estimate(gamma_program(0.0), params, name, 3).value for name in ("grep", "pathwise"))
    torch.testing.assert_close(found, own)


def test_other_laws_are_refused_in_one_line() -> None:
    def program(params, sample):
        return sample("z", Normal(params["m"], torch.ones(2))).sum(-1)

    with pytest.raises(
        ReparamError, match="grep needs a standardisation, and sample site 'z' has a Normal law"
    ):
        estimate(program, {"m": torch.zeros(2)}, "grep", 0)
    with pytest.raises(ReparamError, match="grep: samples must be an integer ≥ 1, got 0"):
        Grep(samples=0)
