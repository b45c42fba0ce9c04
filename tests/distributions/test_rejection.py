"""Laws drawn by rejection: goodness of fit from flat to sharp, and refusals that are told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from torch import Tensor

from reparam.distributions import Beta, Dirichlet, Gamma, VonMises
from reparam.distributions.rejection import first_accepted, pick
from reparam.noise import draw, draw_block, generator

LEVEL = 1e-9
"""Probability that one Kolmogorov–Smirnov test fails though all is right; below 1e-6 for any test of this file."""
DRAWS = 2000
LEAST = 1e-290
"""Below it samples may be the last number that is in range, and count by the mass there."""
ROUNDED = 1e-10
"""As far from 1 samples are too coarse for a test, and count by the mass there."""


def samples(law: Any, boost: int) -> Tensor:
    """Draws of which none failed."""
    axes = ("rejection", type(law).__name__, boost)
    noise = draw_block({"z": law.rejection_noise(boost)}, axes, DRAWS, dtype=torch.float64)["z"]
    z, _, failed = torch.vmap(law.accept)(noise)
    assert not failed.any()
    return z


def fits(z: Tensor, law: Any, high: float) -> None:
    """Kolmogorov–Smirnov test of the probability integral transform, at random between its ends beyond the range."""
    jitter = draw("uniform", tuple(z.shape), generator("jitter"), torch.float64).numpy()
    below, above = law.cdf(LEAST), law.sf(high)
    u = np.where(z < LEAST, jitter * below, np.where(z > high, 1 - jitter * above, law.cdf(z)))
    assert stats.kstest(u, "uniform").pvalue > LEVEL


SHAPES = (1e-3, 0.02, 0.15, 1.0, 1e4)


@pytest.mark.parametrize("boost", [1, 4])
def test_gamma_variables_of_any_shape_and_rate(boost: int) -> None:
    rates = (1e-6, 1.0, 1e6)
    shape, rate = torch.meshgrid(
        *(torch.tensor(p, dtype=torch.float64) for p in (SHAPES, rates)), indexing="ij"
    )
    z = samples(Gamma(shape, rate), boost)
    for i, a in enumerate(SHAPES):
        for j, b in enumerate(rates):
            fits(z[:, i, j], stats.gamma(a, scale=1 / b), np.inf)


@pytest.mark.parametrize("boost", [1, 4])
def test_beta_variables_of_any_shapes(boost: int) -> None:
    a, b = torch.meshgrid(*2 * (torch.tensor(SHAPES, dtype=torch.float64),), indexing="ij")
    z = samples(Beta(a, b), boost)
    for i, first in enumerate(SHAPES):
        for j, second in enumerate(SHAPES):
            fits(z[:, i, j], stats.beta(first, second), 1 - ROUNDED)


@pytest.mark.parametrize("boost", [1, 4])
@pytest.mark.parametrize("scale", [1e-3, 0.1, 1.0, 1e4])
def test_dirichlet_vectors_of_any_concentration(scale: float, boost: int) -> None:
    """Their entries are beta variables, and so are sums of them."""
    alpha = scale * torch.tensor([1.0, 0.5, 2.0], dtype=torch.float64)
    z, total = samples(Dirichlet(alpha), boost), alpha.sum().item()
    torch.testing.assert_close(z.sum(-1), torch.ones(DRAWS, dtype=torch.float64))
    for k, a in enumerate(alpha.tolist()):
        fits(z[:, k], stats.beta(a, total - a), 1 - ROUNDED)
    first = (alpha[0] + alpha[2]).item()
    fits(z[:, 0] + z[:, 2], stats.beta(first, total - first), 1 - ROUNDED)


def test_the_first_accepted_proposal_is_taken_and_the_last_one_where_there_is_none() -> None:
    accepted = torch.tensor([[False, True, True], [True, False, False], [False, False, False]])
    index, failed = first_accepted(accepted)
    assert index.tolist() == [1, 0, 2]
    assert failed.tolist() == [False, False, True]
    assert pick(torch.arange(9).reshape(3, 3), index).tolist() == [1, 3, 8]


TWO = torch.full((3, 2), 2.0)


@pytest.mark.parametrize(
    ("law", "refused"),
    [
        (Gamma(TWO, TWO), {"proposal": -20.0}),
        (Beta(TWO, TWO), {"proposal": -20.0}),
        (Dirichlet(TWO), {"proposal": -20.0}),
        (VonMises(0 * TWO, 25 * TWO), {"angle": 0.95, "accept": 0.999}),
    ],
    ids=lambda given: type(given).__name__,
)
@pytest.mark.parametrize("variable", [0, -1])
def test_one_variable_that_fails_is_told_for_its_plate_entry_alone(
    law: Any, refused: dict[str, float], variable: int
) -> None:
    """Of the last of three data the first variable, or the last one."""
    block = draw_block({"z": law.rejection_noise(1)}, ("failed",), 1)["z"]
    noise = {role: entry[0].clone() for role, entry in block.items()}
    assert law.accept(noise).failed.tolist() == [False, False, False]
    for role, value in refused.items():
        noise[role][2].flatten(0, -2)[variable] = value
    z, log_density, failed = law.accept(noise)
    assert failed.tolist() == [False, False, True]
    assert z.isfinite().all() and log_density.isfinite().all()
