"""Exact moments against scipy's quadrature of the estimator by hand."""

import math

import pytest
import torch
from scipy import integrate, special

from reparam.cells import procedures
from reparam.distributions import log_gamma
from reparam.errors import ReparamError


def found(procedure: str, alpha: list[float], name: str = "grep", options: dict | None = None) -> dict:
    method = {"name": name, "options": options or {}}
    spec = {"paper": "ruiz2016", "experiment": "test", "method": method, "evaluation": {"alpha": alpha}}
    rows = procedures.get("ruiz2016", procedure)(spec, 0, torch.device("cpu")).rows
    return {(step, metric): value for step, metric, value in rows}


def by_hand(alpha: float) -> tuple[float, float]:
    """Mean and variance for f = z: z (ψ' + ε ψ''/2√ψ') + z ∂ log π(ε; α), over the standardised noise."""
    psi, one, two = special.digamma(alpha), special.polygamma(1, alpha), special.polygamma(2, alpha)
    spread = math.sqrt(one)

    def parts(e: float) -> tuple[float, float]:
        log_z = psi + spread * e
        z = math.exp(log_z)
        path = one + e * two / (2 * spread)
        score = log_z + alpha * path - z * path - psi + two / (2 * one)
        density = math.exp(alpha * log_z - z - math.lgamma(alpha)) * spread
        return density, z * path + z * score

    first, second = (
        integrate.quad(lambda e, k=k: parts(e)[0] * parts(e)[1] ** k, -25, 6, limit=400, points=[0.0])[0]
        for k in (1, 2)
    )
    return first, second - first**2


def test_exact_variance_is_that_of_the_estimator_by_hand() -> None:
    rows = found("moments", [1.0, 3.0])
    for step, alpha in enumerate((1.0, 3.0)):
        mean, variance = by_hand(alpha)
        assert mean == pytest.approx(1.0, rel=1e-6)
        assert rows[step, "variance/z"] == pytest.approx(variance, rel=1e-5)


@pytest.mark.parametrize(("name", "options"), [("grep", {}), ("pathwise", {}), ("rsvi", {"boost": 0})])
def test_means_have_no_error(name: str, options: dict) -> None:
    rows = found("moments", [1.0, 4.0], name, options)
    for f in ("z", "z_squared", "log_z"):
        assert abs(rows[0, f"error/{f}"]) < 1e-7 and abs(rows[1, f"error/{f}"]) < 1e-7


def test_the_standardisation() -> None:
    rows = found("standardization", [0.5, 5.0])
    for step in (0, 1):
        assert rows[step, "path_error"] < 1e-10
        assert abs(rows[step, "mean"]) < 1e-6 and rows[step, "variance"] == pytest.approx(1.0, abs=1e-6)


def test_another_standardisation_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    """A spread that does not move with α."""

    def wrong(alpha: torch.Tensor, log_x: torch.Tensor) -> log_gamma.Part:
        moved = log_x + torch.digamma(alpha) - torch.digamma(alpha).detach()
        return log_gamma.Part(moved, moved, torch.zeros_like(moved, dtype=torch.bool))

    monkeypatch.setattr(log_gamma, "standardize", wrong)
    assert found("standardization", [2.0])[0, "path_error"] > 0.1


def test_more_noise_is_refused() -> None:
    with pytest.raises(ReparamError, match="more than one number"):
        found("moments", [2.0], "rsvi", {"boost": 1})
