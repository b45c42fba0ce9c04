"""The toy's log weights, its evidence and its parameters."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from reparam.models import linear_gaussian
from reparam.noise import generator


def test_log_weights_add_up_to_the_evidence() -> None:
    """E_q exp(log weight) is p(x): one datum, by quadrature over the noise."""
    x = torch.tensor([[0.9, -1.2]], dtype=torch.float64)
    params = {
        name: p.double()
        for name, p in linear_gaussian.perturbed(
            linear_gaussian.best(x), 0.3, torch.Generator().manual_seed(0)
        ).items()
    }
    points, weights = np.polynomial.hermite_e.hermegauss(24)
    grid = torch.cartesian_prod(torch.tensor(points), torch.tensor(points))
    mass = torch.outer(torch.tensor(weights), torch.tensor(weights)).flatten() / (2 * math.pi)
    program = linear_gaussian.log_weight(x)
    values = torch.stack(
        [program(params, lambda name, law, e=e: law.path({"normal": e.unsqueeze(0)})) for e in grid]
    )
    total = (mass * values[:, 0].exp()).sum().log()
    assert total.item() == pytest.approx(
        linear_gaussian.log_evidence(x, params["prior.mean"]).item(), abs=1e-6
    )
    covariance = stats.multivariate_normal(params["prior.mean"].numpy(), 2 * np.eye(2))
    assert linear_gaussian.log_evidence(x, params["prior.mean"]).item() == pytest.approx(
        covariance.logpdf(x[0].numpy())
    )


def test_data_have_the_model_s_moments() -> None:
    """20,000 data about their mean: variance 2 in every direction, within 6 standard errors."""
    x = linear_gaussian.data(20_000, 3, generator("toy", 0)).double()
    covariance = torch.cov(x.T)
    assert ((covariance - 2 * torch.eye(3)).abs() < 6 * 2 * (2 / 20_000) ** 0.5).all()


def test_copies_are_of_vectors_only_and_perturbation_is_of_everything() -> None:
    params = linear_gaussian.best(torch.ones(5, 3))
    copies = linear_gaussian.per_datum(params, 5)
    assert {name: tuple(p.shape) for name, p in copies.items()} == {
        "prior.mean": (5, 3),
        "guide.bias": (5, 3),
    }
    moved = linear_gaussian.perturbed(params, 0.1, generator("toy", 1))
    assert all((moved[name] != params[name]).all() for name in params)
