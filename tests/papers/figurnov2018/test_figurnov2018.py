"""The paper's toys against closed forms and quadrature of their own, and its derivatives against each other."""

import math

import numpy as np
import pytest
import torch
from scipy import integrate, special, stats

from reparam import estimators
from reparam.cells import procedures
from reparam.evidence.claims import load_claims
from reparam.papers.figurnov2018 import digitised
from reparam.papers.figurnov2018 import procedures as paper
from reparam.plan import experiments


def found(evaluation: dict, name: str, options: dict | None = None, procedure: str = "variance") -> dict:
    method = {"name": name, "options": options or {}}
    spec = {"paper": "figurnov2018", "experiment": "test", "method": method, "evaluation": evaluation}
    rows = procedures.get("figurnov2018", procedure)(spec, 0, torch.device("cpu")).rows
    return {(step, metric): value for step, metric, value in rows}


def implicit_von_mises(kappa: float, factors: int) -> tuple[float, float]:
    """Mean and variance of d/dκ of −2 cos z by quadrature: dz/dκ = −(∂F/∂κ)/q, ∂F/∂κ = ∫ (cos t − A) q."""
    a = special.i1(kappa) / special.i0(kappa)

    def slope(z: float) -> float:
        inner, _ = integrate.quad(lambda t: (math.cos(t) - a) * math.exp(kappa * math.cos(t)), 0, z)
        return 2 * math.sin(z) * -inner / math.exp(kappa * math.cos(z))

    q = stats.vonmises(kappa).pdf
    moments = [integrate.quad(lambda z, k=k: slope(z) ** k * q(z), -math.pi, math.pi)[0] for k in (1, 2)]
    return moments[0], moments[1] - moments[0] ** 2


def test_the_exact_variance_of_implicit_gradients_on_von_mises() -> None:
    first = torch.tensor([3.0], dtype=torch.float64)
    mean, variance = paper.von_mises_exact(estimators.make("implicit"), first, torch.tensor(26.6), 10)
    for i, kappa in enumerate(first.tolist()):
        assert np.allclose((mean[i], variance[i]), implicit_von_mises(kappa, 10), rtol=1e-5)


@pytest.mark.parametrize("factors", [1, 10])
@pytest.mark.parametrize("name", ["implicit", "rsvi"])
def test_sampled_moments_on_von_mises_are_the_exact_ones(name: str, factors: int) -> None:
    """2,000 draws: the mean within 5 standard errors (false alarms: 6e-7), the variance within 25 %."""
    evaluation = {
        "toy": "von_mises",
        "factors": factors,
        "first": [2.0],
        "constants": "normalised",
        "draws": 2000,
    }
    rows = found(evaluation, name)
    error = (rows[0, "variance_exact"] / 2000) ** 0.5
    assert abs(rows[0, "mean"] - rows[0, "mean_true"]) < 5 * error
    assert abs(rows[0, "variance"] / rows[0, "variance_exact"] - 1) < 0.25
    assert rows[0, "constant"] == pytest.approx(factors * math.log(2 * math.pi * special.i0(2.0)))


def test_a_constant_moves_rsvi_alone() -> None:
    evaluation = {"toy": "von_mises", "factors": 1, "first": [2.0], "constants": [0.0, 5.0], "draws": 2}
    assert found(evaluation, "implicit")[0, "variance_range"] < 1e-12
    assert found(evaluation, "rsvi")[0, "variance_range"] > 1.0


def test_the_number_of_factors_only_reaches_rsvi() -> None:
    first = torch.tensor([2.0], dtype=torch.float64)
    one, ten = (
        [
            paper.von_mises_exact(estimators.make(n), first, torch.tensor(0.0), k)[1].item()
            for n in ("implicit", "rsvi")
        ]
        for k in (1, 10)
    )
    assert one[0] == pytest.approx(ten[0], rel=1e-9) and ten[1] > 2 * one[1]


def test_references_satisfy_the_chain_rule() -> None:
    """dz/dα from finite differences of scipy's quantiles at the reference's own probability."""
    for law, quantile, cdf in (
        ("gamma", lambda u, a: special.gammaincinv(a, u), lambda z, a: special.gammainc(a, z)),
        ("von_mises", lambda u, k: stats.vonmises(k).ppf(u), lambda z, k: stats.vonmises(k).cdf(z)),
    ):
        parameter, sample, truth = (column[55:100:9].numpy() for column in paper.references(law))
        for a, z, exact in zip(parameter, sample, truth, strict=True):
            u, h = cdf(z, a), 1e-4 * a
            assert (quantile(u, a + h) - quantile(u, a - h)) / (2 * h) == pytest.approx(
                exact, rel=1e-4, abs=1e-8
            )


@pytest.mark.parametrize("law", ["gamma", "von_mises"])
def test_errors_of_derivatives(law: str) -> None:
    evaluation = {"law": law, "dtype": "float64", "timed": 10, "timings": 1}
    ours, automatic, rough = (
        found(evaluation, name, procedure="derivative")[0, "error"]
        for name in ("pathwise", "implicit", "finite_difference")
    )
    assert ours < 1e-12 < rough < 1e-6
    assert automatic < 1e-10


def test_a_wrong_derivative_is_far_off(monkeypatch: pytest.MonkeyPatch) -> None:
    right = paper._velocity("gamma")
    monkeypatch.setitem(paper.METHODS, "pathwise", lambda law: lambda a, z: right(a, z) * (1 + 1e-6))
    evaluation = {"law": "gamma", "dtype": "float64", "timed": 10, "timings": 1}
    assert found(evaluation, "pathwise", procedure="derivative")[0, "error"] > 1e-8


def test_digitised_points_are_the_claims_numbers() -> None:
    claims = {
        c.id: c for c in load_claims(experiments.PAPERS / "figurnov2018" / "claims.yaml", "figurnov2018")
    }
    numbers = {n["what"]: n["value"] for n in claims["IR-2"].numbers}
    for toy, title in (("dirichlet", "Dirichlet"), ("von-mises", "von Mises")):
        for phi, value in zip((1, 2, 3), digitised.FIG1[toy, "implicit"], strict=True):
            assert numbers[f"variance at φ = {phi}, {title}, implicit"] == value
