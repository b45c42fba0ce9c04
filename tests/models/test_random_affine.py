"""Ways to share weight noise: laws of the outputs, dependence between data, extremes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from reparam.estimators.pathwise import Pathwise
from reparam.measure import signal_to_noise
from reparam.models import random_affine

DRAWS = 40_000
X = torch.tensor([[1.0, -2.0, 0.5], [0.3, 1.0, 2.0]], dtype=torch.float64)
MEAN = torch.tensor([[0.4, -0.2, 0.1], [1.0, 0.5, -0.3]], dtype=torch.float64)
SCALE = torch.tensor([[0.5, 0.2, 1.0], [0.3, 0.8, 0.1]], dtype=torch.float64)


def outputs(way: str, unit: int) -> Tensor:
    """[draws, batch] of one unit of the layer of two."""

    def program(params, sample):
        return random_affine.WAYS[way](sample, "w", X, params["mean"], SCALE)[:, unit]

    return signal_to_noise.estimates(Pathwise(), program, {"mean": MEAN}, DRAWS, ("test", way)).value


@pytest.mark.parametrize("way", random_affine.WAYS)
@pytest.mark.parametrize("unit", [0, 1])
def test_each_datum_has_its_mean_and_variance(way: str, unit: int) -> None:
    """Six standard errors; of a variance at most √(14/draws) times it, by flipout's tails."""
    found = outputs(way, unit)
    mean, variance = X @ MEAN[unit], X.square() @ SCALE[unit].square()
    assert ((found.mean(0) - mean).abs() < 6 * (variance / DRAWS).sqrt()).all()
    assert ((found.var(0) / variance - 1).abs() < 6 * (14 / DRAWS) ** 0.5).all()


@pytest.mark.parametrize("way", random_affine.WAYS)
def test_data_share_what_they_should(way: str) -> None:
    """Cov(b_1, b_2) = Σ x_1k x_2k s_k² under one weight sample and else 0; squares are free of each other only where
    all noise is the datum's own. Six standard errors."""
    found = outputs(way, 0)
    centred = found - found.mean(0)
    products = centred.prod(1)
    shared = (X[0] * X[1] * SCALE[0].square()).sum() if way == "shared" else torch.zeros(())
    assert (products.mean() - shared).abs() < 6 * products.std() / DRAWS**0.5
    squares = (centred.square() - centred.square().mean(0)).prod(1)
    together = squares.mean() > 6 * squares.std() / DRAWS**0.5
    assert bool(together) == (way in ("shared", "flipout"))


@pytest.mark.parametrize("way", random_affine.WAYS)
def test_gradients_are_finite_for_inputs_of_zero(way: str) -> None:
    def program(params, sample):
        return random_affine.WAYS[way](sample, "w", 0 * X, params["mean"], params["mean"].abs()).sum(-1)

    found = signal_to_noise.estimates(Pathwise(), program, {"mean": MEAN}, 3, ("zeros",))
    assert found.gradient["mean"].isfinite().all() and (found.value.abs() < 1e-15).all()


def test_rows_are_drawn_evenly_and_within_the_data() -> None:
    data = torch.arange(4.0).unsqueeze(-1)

    def program(params, sample):
        return params["one"] * data[random_affine.drawn(sample, "rows", data, 3)].squeeze(-1)

    found = signal_to_noise.estimates(Pathwise(), program, {"one": torch.ones(())}, DRAWS, ("rows",)).value
    shares = torch.bincount(found.flatten().long(), minlength=4) / found.numel()
    assert ((shares - 0.25).abs() < 6 * (0.25 * 0.75 / found.numel()) ** 0.5).all()
    assert (torch.corrcoef(found.T) - torch.eye(3)).abs().max() < 6 / DRAWS**0.5
    edge = random_affine.drawn(lambda name, law: torch.ones(2, 1), "rows", data, 2)
    assert edge.tolist() == [3, 3]
