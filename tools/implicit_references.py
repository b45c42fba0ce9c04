"""Write src/reparam/papers/figurnov2018/references.csv: implicit derivatives of samples by mpmath, to 20 digits.

    python tools/implicit_references.py

Gamma variables (rate 1) of shapes 1e-2 … 1e3 and angles of von Mises laws of concentrations 1e-2 … 1e3, 20 of each at
even probabilities. Parameters and samples are numbers that float32 holds exactly, so that one reference does for both
precisions; gamma samples below 1e-30 are left out.
"""

from __future__ import annotations

import csv
from pathlib import Path

import mpmath as mp
import numpy as np

FILE = Path(__file__).resolve().parent.parent / "src/reparam/papers/figurnov2018/references.csv"
PARAMETERS = tuple(float(np.float32(10.0**k)) for k in range(-2, 4))
DRAWS = 20
mp.mp.dps = 50


def gamma_cdf(alpha: mp.mpf, z: mp.mpf) -> mp.mpf:
    return mp.gammainc(alpha, 0, z, regularized=True)


def gamma_derivative(alpha: float, z: float) -> mp.mpf:
    """dz/dα = −(∂F/∂α) / q(z)."""
    a, x = mp.mpf(alpha), mp.mpf(z)
    slope = mp.diff(lambda a: gamma_cdf(a, x), a)
    return -slope / mp.exp((a - 1) * mp.log(x) - x - mp.loggamma(a))


def von_mises_mass(kappa: mp.mpf, z: mp.mpf, weight=lambda t: 1) -> mp.mpf:
    """∫ from 0 to z of weight(t) e^{κ (cos t − 1)}."""
    ends = [mp.mpf(0), *(e for e in (z / 64, z / 16, z / 4) if e), z]
    return mp.quad(lambda t: weight(t) * mp.exp(kappa * (mp.cos(t) - 1)), ends)


def von_mises_derivative(kappa: float, z: float) -> mp.mpf:
    """dz/dκ: F = ½ + ∫ from 0 to z of e^{κ cos t} / 2π I₀, and ∂/∂κ brings down cos t − A(κ)."""
    k, x = mp.mpf(kappa), mp.mpf(z)
    mean = mp.besseli(1, k) / mp.besseli(0, k)
    slope = von_mises_mass(k, x, lambda t: mp.cos(t) - mean)
    return -slope / mp.exp(k * (mp.cos(x) - 1))


def gamma_samples(alpha: float) -> list[float]:
    from scipy.stats import gamma

    found = gamma(alpha).ppf((np.arange(DRAWS) + 0.5) / DRAWS)
    return [float(np.float32(z)) for z in found if z > 1e-30]


def von_mises_samples(kappa: float) -> list[float]:
    from scipy.stats import vonmises

    found = vonmises(kappa).ppf((np.arange(DRAWS) + 0.5) / DRAWS)
    return [float(np.float32(z)) for z in found]


def main() -> None:
    with FILE.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["law", "parameter", "sample", "derivative"])
        for law, samples, derivative in (
            ("gamma", gamma_samples, gamma_derivative),
            ("von_mises", von_mises_samples, von_mises_derivative),
        ):
            for parameter in PARAMETERS:
                for z in samples(parameter):
                    table.writerow([law, repr(parameter), repr(z), mp.nstr(derivative(parameter, z), 20)])


if __name__ == "__main__":
    main()
