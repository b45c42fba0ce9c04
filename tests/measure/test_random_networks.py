"""What is read off networks with random weights: predictions, pruning, spreads, intervals."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from scipy import integrate, stats
from torch import Tensor

from reparam import measure, tasks
from reparam.distributions import Normal
from reparam.errors import ReparamError
from reparam.measure import predictions
from reparam.measure.predictions import accuracy_by_confidence, calibration_error, log_probabilities
from reparam.measure.weights import deepest_valley
from reparam.noise import draw, generator

ROWS = 2500
SPREAD = 1.5
X = draw("normal", (ROWS, 1), generator("test", "random networks"))
LABELS = (draw("uniform", (ROWS, 1), generator("test", "labels")) < X.sigmoid()).float()


def context(task: Any, params: dict[str, Tensor]) -> measure.Context:
    return measure.Context(task, None, params, ("test", "measure"), torch.device("cpu"), {}, 10)


def read(name: str, task: Any, params: dict[str, Tensor], **options: Any) -> measure.Measured:
    return measure.get(name)(context(task, params), options)


def two_classes(params: dict[str, Tensor], x: Tensor, sample: Any = None) -> Tensor:
    """Log-odds w x with w ~ N(1, SPREAD²) for each datum."""
    z = x[:, :1] if sample is None else sample("w", Normal(x[:, :1], SPREAD * x[:, :1].abs()))
    return torch.cat([-z / 2, z / 2], 1)


CLASSIFIER = SimpleNamespace(
    classes=2,
    predict=two_classes,
    test=torch.cat([X, LABELS, torch.ones_like(X)], 1),
    binarisation="none",
)


def test_scores_of_a_classifier_at_its_mean() -> None:
    """By numpy: the probability of the second class is the sigmoid of x."""
    found = read("predictions", CLASSIFIER, {}, kept=[0.1, 1.0])
    p, y = X.double().sigmoid().squeeze().numpy(), LABELS.squeeze().numpy()
    right = (p > 0.5) == y
    assert found.metrics["error/test"] == pytest.approx(100 * (1 - right.mean()))
    assert found.metrics["accuracy_of_1.0/test"] == pytest.approx(100 * right.mean())
    expected = np.where(y == 1, np.log(p), np.log(1 - p)).mean()
    assert found.metrics["log_score/test"] == pytest.approx(expected, rel=1e-6)
    first = np.argsort(-np.maximum(p, 1 - p), kind="stable")[: ROWS // 10]
    assert found.metrics["accuracy_of_0.1/test"] == pytest.approx(100 * right[first].mean())
    curve = found.arrays["accuracy/test"]
    assert curve[9] == pytest.approx(100 * right[first].mean()) and curve[-1] == pytest.approx(
        100 * right.mean()
    )
    assert found.metrics["calibration_error/test"] < 5 and not any(n.startswith("s") for n in found.metrics)


def test_sampled_probabilities_are_averaged() -> None:
    """E sigmoid(w x) by quadrature; the log score's Monte Carlo error at 300 samples is far below 0.005 nats."""
    found = read("predictions", CLASSIFIER, {}, samples=300, points=300)
    x, y = X[:300].double().squeeze().numpy(), LABELS[:300].squeeze().numpy()
    w = np.linspace(1 - 9 * SPREAD, 1 + 9 * SPREAD, 2001)
    p = integrate.trapezoid(stats.norm.pdf(w, 1, SPREAD) / (1 + np.exp(-np.outer(x, w))), w, axis=1)
    expected = np.where(y == 1, np.log(p), np.log(1 - p)).mean()
    assert found.metrics["sampled_log_score/test"] == pytest.approx(expected, abs=5e-3)
    assert abs(found.metrics["log_score/test"] - expected) > 0.015


def test_parts_of_the_rows_do_not_share_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictions, "BATCH", 1)
    one, other = log_probabilities(CLASSIFIER, {}, CLASSIFIER.test[:1].repeat(2, 1), 1, ("test", "parts"))
    assert (one - other).abs().min() > 1e-3


def test_the_calibration_error_by_hand() -> None:
    """Bins (of 1/15) of confidence 0.62, 0.64 and 0.9, 0.92: |1 − 1.26| / 4 + |2 − 1.82| / 4."""
    confidence = torch.tensor([0.62, 0.64, 0.90, 0.92], dtype=torch.float64)
    right = torch.tensor([True, False, True, True])
    assert calibration_error(confidence, right) == pytest.approx(100 * (0.26 + 0.18) / 4)


def network(**options: Any) -> tuple[Any, dict[str, Tensor]]:
    labels = LABELS[:, 0].long()
    data = SimpleNamespace(
        name="tiny", train=X, test=X[:40], valid=None, train_labels=labels, test_labels=labels[:40]
    )
    given = {
        "name": "bayesian_network",
        "data": "tiny",
        "width": 3,
        "depth": 1,
        "initial_rho": 0.0,
        **options,
    }
    task = tasks.get("bayesian_network")(given, data)
    return task, task.init(generator("test", "network"))


def test_pruning_takes_the_least_certain_weights_first() -> None:
    """A third of the nine weights: those of unit 0 have large means, but larger deviations."""
    task, params = network()
    params["mean.0.weight"] = torch.tensor([[3.0], [1.0], [-1.0]])
    params |= {f"rho.{i}.bias": torch.full_like(params[f"rho.{i}.bias"], -9.0) for i in (0, 1)}
    params["rho.0.weight"] = torch.tensor([[20.0], [-5.0], [-5.0]])
    params["mean.1.weight"] = torch.tensor([[-9.0, -1.0, 1.0], [9.0, 1.0, -1.0]])
    params["rho.1.weight"] = torch.tensor([[90.0, -5.0, -5.0], [90.0, -5.0, -5.0]])
    params["mean.1.bias"] = torch.tensor(
        [0.01, 0.0]
    )  # which decides where nothing else is left, noise included
    found = read("pruning", task, params, removed=[0.0, 0.34, 1.0], samples=3)
    y = LABELS[:40, 0].numpy()
    signs = 100 * ((X[:40, 0].numpy() > 0) != y).mean()
    assert found.metrics["error_without_0.34/test"] == pytest.approx(signs)
    assert found.metrics["sampled_error_without_0.34/test"] == pytest.approx(signs, abs=3)
    for prefix in ("", "sampled_"):
        assert found.metrics[f"{prefix}error_without_1.0/test"] == pytest.approx(100 * y.mean())
    assert "error_without_0.0/test" in found.metrics


def test_networks_without_noise_are_pruned_by_their_means() -> None:
    task, params = network(posterior="point")
    params["mean.0.weight"] = torch.tensor([[0.1], [1.0], [-1.0]])
    params["mean.1.weight"] = torch.tensor([[0.1, -1.0, 1.0], [0.1, 1.0, -1.0]])
    found = read("pruning", task, params, removed=[0.34])
    signs = 100 * ((X[:40, 0] > 0) != LABELS[:40, 0]).double().mean()
    assert found.metrics == {"error_without_0.34/test": pytest.approx(signs.item())}


def test_the_spread_of_sampled_weights() -> None:
    """Means 0 and σ = 0.1 in 20,000 weights: deviation and ratios of a normal law, to six standard errors."""
    task, params = network(width=100, depth=2, initial_rho=float(np.log(np.expm1(0.1))))
    moved = {n: 0.05 * torch.ones_like(p) if n.startswith("mean") else p for n, p in params.items()}
    found = read("weights", task, moved)
    assert found.metrics["weights/deviation"] == pytest.approx(0.1, rel=6 / np.sqrt(2 * 10_000))
    assert found.metrics["snr/median"] == pytest.approx(10 * np.log10(0.5), abs=1e-3)
    density, edges = found.arrays["weights/density"], found.arrays["weights/edges"]
    assert (density * np.diff(edges)).sum() == pytest.approx(1, abs=1e-3)
    assert found.metrics["weights/peak"] == pytest.approx(stats.norm.pdf(0, 0, 0.1), rel=0.2)


def test_the_valley_between_two_normals() -> None:
    """0.7 N(0, 1) + 0.3 N(6, 1) in bins of 0.1: the smoothing of two bins is no more than 4 % of a variance."""
    edges = np.linspace(-4, 10, 141)
    x = (edges[1:] + edges[:-1]) / 2
    density = 0.7 * stats.norm.pdf(x) + 0.3 * stats.norm.pdf(x, 6)
    valley = density[(x > 0) & (x < 6)].min()
    depth, below = deepest_valley(density)
    assert depth == pytest.approx((0.3 * stats.norm.pdf(0) - valley) / density.max(), abs=0.02)
    assert below == pytest.approx(0.7, abs=0.005)
    assert deepest_valley(stats.norm.pdf(x))[0] == 0


def test_a_network_of_points_has_no_ratio() -> None:
    found = read("weights", *network(posterior="binary_dropout"))
    assert set(found.metrics) == {"weights/deviation", "weights/peak"}


def test_intervals_of_a_regression_with_a_known_law() -> None:
    """f(x) ~ N(0, (5 + x)² σ²) for one linear unit kept positive: quartiles at ± 0.674 of its deviation, within six
    standard errors."""
    task = tasks.get("bayesian_network")({"name": "bayesian_network", "width": 1, "depth": 1, "points": 50})
    params = {n: torch.full_like(p, -30.0) for n, p in task.init(generator("test")).items()}
    params["mean.0.weight"], params["mean.0.bias"] = torch.ones(1, 1), torch.full((1,), 5.0)
    params["mean.1.weight"], params["mean.1.bias"] = torch.zeros(1, 1), torch.zeros(1)
    params["rho.1.weight"] = torch.zeros(1, 1)
    found = read("predictive_intervals", task, params, samples=1000, least=-1.0, most=1.0, points=9)
    x, quantiles = found.arrays["intervals/x"], found.arrays["intervals/quantiles"]
    width = 2 * stats.norm.ppf(0.75) * np.log(2) * (5 + x)
    assert quantiles[3] - quantiles[1] == pytest.approx(width, rel=0.25)
    inside = (x >= task.train[:, 0].min().item()) & (x <= task.train[:, 0].max().item())
    assert inside.sum() == 1
    for name, where in {"inside": inside, "outside": ~inside}.items():
        expected = (quantiles[3] - quantiles[1])[where].mean()
        assert found.metrics[f"interval/{name}"] == pytest.approx(expected)


def test_alphas_are_means_of_layers_and_the_largest_of_all() -> None:
    task, params = network(posterior="relative", alphas="weight")
    params["alpha.0.weight"] = torch.tensor([[1.0], [2.0], [-3.0]])
    params["alpha.1.weight"] = torch.full((2, 3), 0.5)
    found = read("alphas", task, params).metrics
    assert found["alpha/0"] == pytest.approx(np.exp([-1.0, -2.0, -3.0]).mean())
    assert found["alpha/1"] == pytest.approx(np.exp(-0.5)) == pytest.approx(found["alpha/largest"])
    with pytest.raises(ReparamError, match="relative noise"):
        read("alphas", *network())


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("alphas", {}),
        ("predictions", {}),
        ("pruning", {"removed": [0.5]}),
        ("weights", {}),
        ("predictive_intervals", {"samples": 2}),
    ],
)
def test_other_tasks_are_refused(name: str, options: dict[str, Any]) -> None:
    with pytest.raises(ReparamError, match=f"{name} needs a"):
        read(name, SimpleNamespace(), {}, **options, least=0, most=1)


def test_a_share_keeps_no_more_rows_than_it_says() -> None:
    """7 % of 300 rows are 21, though 0.07 · 300 is a little more: the first 21 right, all others wrong."""
    log_p = torch.tensor([[0.9, 0.1]]).log().repeat(300, 1)
    label = (torch.arange(300) >= 21).long()
    assert accuracy_by_confidence(log_p, label, [0.07]).tolist() == [100.0]
