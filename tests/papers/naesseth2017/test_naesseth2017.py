"""Acceptance, correction and variances against scipy's quadrature, and that wrong ones fail."""

import math
from functools import partial

import pytest
import torch
from findings import findings
from scipy import integrate, special, stats

from reparam.evidence.claims import load_claims
from reparam.papers.naesseth2017 import digitised
from reparam.papers.naesseth2017 import procedures as paper
from reparam.plan import experiments

found = partial(findings, "naesseth2017", name="rsvi")


def test_acceptance_is_the_integral_of_the_accepted_density() -> None:
    """20,000 draws: shares within 5 standard errors (false alarms: 6e-7)."""
    rows = found("acceptance", {"alpha": [1.0, 4.0], "draws": 20_000})
    for step, alpha in enumerate((1.0, 4.0)):
        d = alpha - 1 / 3

        def accepted(x: float, d: float = d) -> float:
            v = (1 + x / math.sqrt(9 * d)) ** 3
            return math.exp(d - d * v + d * math.log(v)) / math.sqrt(2 * math.pi) if v > 0 else 0.0

        exact, _ = integrate.quad(accepted, -math.sqrt(9 * d), 12, points=[0.0])
        assert rows[step, "acceptance_exact"] == pytest.approx(exact, rel=1e-8)
        assert abs(rows[step, "acceptance"] - exact) < 5 * math.sqrt(exact * (1 - exact) / 20_000)


def path_alone(alpha: float, slope) -> float:
    """E_π[f'(h) ∂h/∂α] by scipy, from the map itself."""
    d = alpha - 1 / 3
    scale = math.sqrt(9 * d)

    def integrand(x: float) -> float:
        v = 1 + x / scale
        z = d * v**3
        dh = v**3 - 13.5 * x * d * v**2 / scale**3
        density = math.exp((alpha - 1) * math.log(z) - z - math.lgamma(alpha)) * 3 * d * v**2 / scale
        return density * slope(z) * dh

    return integrate.quad(integrand, -scale + 1e-12, 12, points=[0.0], limit=200)[0]


@pytest.mark.parametrize("alpha", [1.0, 10.0])
def test_the_distance_of_the_noise_from_a_normal(alpha: float) -> None:
    """Total variation by scipy: of the map of a gamma variable, and of a standardised log-gamma one."""
    rows = found("correction", {"alpha": [alpha, 12.0], "densities": [1]})
    d, spread = alpha - 1 / 3, special.polygamma(1, alpha) ** 0.5

    def rsvi(x: float) -> float:
        v = max(0.0, 1 + x / math.sqrt(9 * d))
        return stats.gamma.pdf(d * v**3, alpha) * 3 * d * v**2 / math.sqrt(9 * d)

    def grep(x: float) -> float:
        return stats.loggamma.pdf(special.digamma(alpha) + spread * x, alpha) * spread

    for name, density in (("rsvi", rsvi), ("grep", grep)):
        apart, _ = integrate.quad(lambda x, p=density: abs(p(x) - stats.norm.pdf(x)), -30, 12, limit=1000)
        assert rows[0, f"distance/{name}"] == pytest.approx(apart / 2, abs=1e-5)


def test_the_bias_of_dropping_the_correction() -> None:
    rows = found("correction", {"alpha": [1.0, 2.0, 3.0], "densities": [1]})
    bias = {name: [rows[i, f"bias/{name}"] for i in range(3)] for name in ("z", "z_squared", "log_z")}
    assert rows[0, "excess_least"] == pytest.approx(bias["log_z"][2] + bias["z_squared"][2])
    assert rows[0, "fall_least"] == pytest.approx(bias["z"][1] - bias["z"][2])
    for step, alpha in enumerate((1.0, 2.0)):
        exact = {
            "z": (path_alone(alpha, lambda z: 1.0), 1.0),
            "z_squared": (path_alone(alpha, lambda z: 2 * z), 2 * alpha + 1),
            "log_z": (path_alone(alpha, lambda z: 1 / z), float(special.polygamma(1, alpha))),
        }
        for name, (path, truth) in exact.items():
            assert rows[step, f"bias/{name}"] == pytest.approx(100 * (path / truth - 1), rel=1e-4)
            assert abs(rows[step, f"bias_corrected/{name}"]) < 1e-6
    assert rows[1, "size"] == pytest.approx(rows[0, "size"] - rows[1, "fall"])


def test_the_tutorials_map_is_far_off() -> None:
    """(a + ε/(3√a))³ in place of a (1 + ε/(3√a))³: its mean is a³ + 1/3, 2.5 times too large at α = 2."""
    a = 5 / 3
    wrong = integrate.quad(lambda x: (a + x / (3 * a**0.5)) ** 3 * math.exp(-x * x / 2), -12, 12)[
        0
    ] / math.sqrt(2 * math.pi)
    right = integrate.quad(lambda x: a * (1 + x / (3 * a**0.5)) ** 3 * math.exp(-x * x / 2), -12, 12)[
        0
    ] / math.sqrt(2 * math.pi)
    assert wrong == pytest.approx(134 / 27) and right == pytest.approx(2.0)


def test_densities_of_noise_are_those_of_its_gamma_variable() -> None:
    """G-REP's noise is standardised, RSVI's has the mean and variance α of z = d (1 + ε/3√d)³."""
    grid = torch.linspace(-12, 12, 20001, dtype=torch.float64)
    alpha = torch.tensor(2.0, dtype=torch.float64)
    z = (alpha - 1 / 3) * (1 + grid / (9 * alpha - 3).sqrt()) ** 3
    for density, variable, moments in (
        (paper._density_rsvi, z, (1, 2, 6)),
        (paper._density_grep, grid, (1, 0, 1)),
    ):
        for power, moment in enumerate(moments):
            mean = torch.trapezoid(density(alpha, grid) * variable**power, grid)
            assert mean.item() == pytest.approx(moment, abs=1e-4)


def test_variances_are_sampled_and_exact() -> None:
    """G-REP at α = 3: the mean of 2,000 draws within 5 exact standard errors (false alarms: 6e-7)."""
    rows = found("variance", {"alpha": [3.0], "draws": 2000}, name="grep")
    assert abs(rows[0, "mean"] - rows[0, "mean_true"]) < 5 * math.sqrt(rows[0, "variance_exact"] / 2000)
    assert (0, "variance_exact") not in found("variance", {"alpha": [3.0], "draws": 10}, boost=1)


def test_digitised_points_are_the_claims_numbers() -> None:
    claims = {
        c.id: c for c in load_claims(experiments.PAPERS / "naesseth2017" / "claims.yaml", "naesseth2017")
    }
    assert [n["value"] for n in claims["RS-4"].numbers] == list(digitised.FIG4_AT_2.values())
