"""Ways to share weight noise: laws of the outputs, dependence between data, exact variances of gradients, extremes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from reparam.estimators.pathwise import Pathwise
from reparam.measure import signal_to_noise
from reparam.models import random_affine
from reparam.noise import draw, generator

DRAWS = 40_000
X = torch.tensor([[1.0, -2.0, 0.5], [0.3, 1.0, 2.0]], dtype=torch.float64)
MEAN = torch.tensor([[0.4, -0.2, 0.1], [1.0, 0.5, -0.3]], dtype=torch.float64)
SCALE = torch.tensor([[0.5, 0.2, 1.0], [0.3, 0.8, 0.1]], dtype=torch.float64)

LOSSES = {"squared": lambda error: error.square() / 2, "cubed": lambda error: error.pow(3) / 3}


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


def layer_of_50_by_30() -> tuple[Tensor, Tensor, Tensor]:
    """64 inputs, as after a ReLU, means of the weights, and targets."""
    source = generator("test", "layer of 50 by 30")
    x = 2 * draw("normal", (64, 50), source, torch.float64).relu()
    mean = draw("normal", (30, 50), source, torch.float64) / 50**0.5
    return x, mean, draw("normal", (64, 30), source, torch.float64)


def trace_variance(way: str, loss: str, sigma: float) -> float:
    """Of the gradient of the mean loss with respect to the means, exactly: docs/derivations.md, last section."""
    x, mean, targets = layer_of_50_by_30()
    gram, d = x @ x.T, (x @ mean.T - targets).T.unsqueeze(-1)  # d: [outputs, data, 1]
    c = (sigma**2 * gram).expand(len(d), *gram.shape)
    covariance = c if loss == "squared" else 2 * c.square() + 4 * d * d.mT * c
    if way != "shared":
        signs = sigma**4 * x.square() @ x.square().T if way == "flipout" else torch.zeros_like(gram)
        others = 2 * signs if loss == "cubed" else torch.zeros_like(gram)
        covariance = torch.where(torch.eye(len(x), dtype=torch.bool), covariance, others)
    return (gram * covariance).sum().item() / len(x) ** 2


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("way", random_affine.WAYS)
def test_the_trace_variance_of_a_minibatch_s_gradient_is_exact(way: str, loss: str) -> None:
    """50 → 30, 64 data, σ = 0.1: within 6 standard errors. Of all eight tests, and with the tails of 80 draws, a false
    alarm is less likely than 1e-6. The other ways' numbers fail, where they differ."""
    x, mean, targets = layer_of_50_by_30()

    def program(params, sample):
        weights = sample, "w", x, params["mean"], torch.full_like(mean, 0.1)
        return LOSSES[loss](random_affine.WAYS[way](*weights) - targets).sum(-1) / len(x)

    draws = 80 if way == "per_example" else 1000
    axes = ("test", "trace", way)
    found = signal_to_noise.estimates(Pathwise(), program, {"mean": mean}, draws, axes).gradient["mean"]
    squares = (found - found.mean(0)).square().sum((1, 2)) * draws / (draws - 1)
    error = squares.std().item() / draws**0.5
    exact = {other: trace_variance(other, loss, 0.1) for other in random_affine.WAYS}
    assert abs(squares.mean().item() - exact[way]) < 6 * error
    for other in exact:
        if exact[other] != exact[way] and way != "per_example":
            assert abs(squares.mean().item() - exact[other]) > 6 * error, other


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
