"""The truth against mpmath's Bessel functions, the sampler against the truth, and the official one by simulation."""

import math

import mpmath as mp
import pytest
import torch
from findings import Rows, findings

from reparam.distributions import ulrich
from reparam.noise import generator
from reparam.papers.davidson2018 import procedures as paper


@pytest.mark.parametrize("dimension", [2, 3, 10, 64])
def test_the_truth_is_that_of_bessel_functions(dimension: int) -> None:
    kappa = torch.tensor([0.1, 9.9, 500.0], dtype=torch.float64)
    found = paper.truth(kappa, dimension)
    order = mp.mpf(dimension) / 2 - 1
    for i, k in enumerate(map(mp.mpf, kappa.tolist())):
        mean = mp.besseli(order + 1, k) / mp.besseli(order, k)
        slope = 1 - mean**2 - (dimension - 1) / k * mean
        kl = k * mean - mp.log(mp.gamma(order + 1) * (2 / k) ** order * mp.besseli(order, k))
        assert found.mean[i].item() == pytest.approx(float(mean), rel=1e-11)
        assert found.slope[i].item() == pytest.approx(float(slope), rel=1e-9)
        assert found.kl[i].item() == pytest.approx(float(kl), rel=1e-9)


def found(dimension: int, kappa: list[float]) -> Rows:
    return findings("davidson2018", "cosine", {"dimension": dimension, "kappa": kappa}, "rsvi")


@pytest.mark.parametrize("dimension", [2, 3, 10])
def test_the_sampler_is_right_and_without_its_correction_is_not(dimension: int) -> None:
    rows = found(dimension, [1.0, 12.0, 20.0])
    assert rows[0, "mean_error_most"] < 1e-9 and rows[0, "gradient_error_most"] < 1e-7
    assert rows[0, "sampler_error_most"] < 1e-8 and rows[0, "kl_error_most"] < 1e-11
    assert rows[0, "bias_most"] == max(abs(rows[i, "bias"]) for i in range(3)) > 1


@pytest.mark.parametrize("dimension", [2, 20])
def test_the_area_is_that_of_the_unit_sphere(dimension: int) -> None:
    """2 π^(m/2) / Γ(m/2)."""
    area = 2 * mp.pi ** (mp.mpf(dimension) / 2) / mp.gamma(mp.mpf(dimension) / 2)
    assert found(dimension, [1.0, 12.0, 20.0])[0, "area"] == pytest.approx(float(area), rel=1e-12)


def test_a_wrong_rule_of_acceptance_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        ulrich, "first_accepted", lambda x: (x.long().amax(-1) * 0, torch.zeros_like(x[..., 0]))
    )
    rows = found(5, [1.0, 12.0, 20.0])
    assert rows[0, "mean_error_most"] < 1e-9 and rows[0, "sampler_error_most"] > 1e-3


def test_how_the_shortcut_goes_on() -> None:
    kappa = [9.9, 11.0, 20.0, 50.0]
    rows = found(10, kappa)
    few, many = (
        [
            (
                paper.shortcut_mean(torch.tensor([k]).double(), m)
                - paper.truth(torch.tensor([k]).double(), m).mean
            )
            .abs()
            .item()
            for k in kappa
        ]
        for m in (5, 10)
    )
    assert rows[0, "shortcut_error_below"] < 1e-10
    assert rows[0, "shortcut_fall"] == pytest.approx(min(many[1] - many[2], many[2] - many[3]), rel=1e-6)
    assert rows[0, "shortcut_growth"] == pytest.approx(
        min(m - f for f, m in zip(few[1:], many[1:], strict=True)), rel=1e-6
    )


@pytest.mark.parametrize("kappa", [5.0, 12.0])
def test_the_official_sampler_by_simulation(kappa: float) -> None:
    """200,000 proposals at m = 20: the mean of those accepted within 5 standard errors (false alarms: 6e-7)."""
    n, source = 19, generator("test", "shortcut", str(kappa))
    x = torch.randn(200_000, n + 1, generator=source, dtype=torch.float64)
    e = (1 + x[:, 0] / x.norm(dim=1)) / 2
    c = math.sqrt(4 * kappa**2 + n**2)
    b = n / (4 * kappa) if kappa > 11 else (c - 2 * kappa) / n
    a = (n + 2 * kappa + c) / 4
    d = 4 * a * b / (1 + b) - n * math.log(n)
    t = 2 * a * b / (1 - (1 - b) * e)
    accept = n * t.log() - t + d > torch.rand(len(e), generator=source, dtype=torch.float64).log()
    w = ((1 - (1 + b) * e) / (1 - (1 - b) * e))[accept]
    exact = paper.shortcut_mean(torch.tensor([kappa], dtype=torch.float64), 20).item()
    assert abs(w.mean().item() - exact) < 5 * w.std().item() / len(w) ** 0.5


def test_the_shortcut_begins_at_ten() -> None:
    kappa = torch.tensor([9.9, 11.0], dtype=torch.float64)
    error = paper.shortcut_mean(kappa, 20) - paper.truth(kappa, 20).mean
    assert abs(error[0]) < 1e-11 < 1e-6 < abs(error[1])
