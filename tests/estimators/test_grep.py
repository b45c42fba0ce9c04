"""G-REP: closed-form gradients, the law of the standardised sample, constants in f."""

from __future__ import annotations

import pytest
import torch
from closed_forms import SHARES, agree, gamma_gradients, gamma_program

from reparam import Grep, Normal, estimate, gradient_moments
from reparam.errors import ReparamError


@pytest.mark.parametrize("samples", [1, 2])
def test_gamma_gradients_are_the_closed_form(samples: int) -> None:
    shape, rate = (
        torch.tensor(p, dtype=torch.float64) for p in ([0.02, 0.4, 2.0, 30.0], [0.5, 1.0, 3.0, 2.0])
    )
    found = gradient_moments(
        gamma_program(0.0), {"shape": shape, "rate": rate}, Grep(samples=samples), draws=10_000
    )
    agree(found, gamma_gradients(shape, rate))


@pytest.mark.parametrize(("program", "value", "params"), SHARES)
def test_beta_and_dirichlet_gradients_are_the_closed_form(program, value, params) -> None:
    found = gradient_moments(program, params, "grep", draws=10_000, compiled=False)
    agree(found, torch.func.grad(value)(params))


@pytest.mark.parametrize(("program", "value", "params"), SHARES)
def test_their_samples_are_those_of_the_law_s_own_path_too(program, value, params) -> None:
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
