"""Rejection sampling and gradients: what the accepted noise owes to the parameters (T1 §5.4, §9.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import special
from torch import Tensor

from reparam.cells.procedures import Findings, Row, procedure
from reparam.distributions import Gamma, VonMisesFisher
from reparam.noise import draw_block
from reparam.papers.tutorials.estimates import apart, measured, worst
from reparam.papers.tutorials.laws import distance
from reparam.program import Params, Program, Sample

DIMENSION = 5
Build = Callable[[Tensor], Any]


def _sphere(kappa: Tensor) -> VonMisesFisher:
    direction = torch.nn.functional.one_hot(torch.tensor(0), DIMENSION).double()
    return VonMisesFisher(direction, kappa)


def _gamma(alpha: Tensor) -> Gamma:
    return Gamma(alpha, torch.ones_like(alpha), event_dims=0)


def ratio(kappa: float) -> float:
    """A(κ) = I_{m/2}(κ) / I_{m/2−1}(κ) = E[w], the mean cosine."""
    return float(special.ive(DIMENSION / 2, kappa) / special.ive(DIMENSION / 2 - 1, kappa))


def _cosine_cdf(w: NDArray[np.float64], kappa: float) -> Any:
    """Of the cosine, density ∝ (1 − w²)^{(m−3)/2} e^{κ w}; m = 5."""

    def integral(w: Any) -> Any:
        """∫ (1 − w²) e^{κ(w − 1)} dw, by parts."""
        return np.exp(kappa * (w - 1)) * ((1 - w**2) / kappa + 2 * w / kappa**2 - 2 / kappa**3)

    return (integral(w) - integral(-1.0)) / (integral(1.0) - integral(-1.0))


def _program(build: Build, of: Callable[[Tensor], Tensor]) -> Program:
    def program(params: Params, sample: Sample) -> Tensor:
        return of(sample("z", build(params["shape"])))

    return program


@procedure("rejection")
def rejection(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """von Mises–Fisher vectors (f = w, the cosine to the mean direction) and Gamma variables (f = log z).

    Rows at step = number of the κ (α), by law:
    - <law>/shape, κ (α); <law>/fit, √n D of w (z); <law>/mean_z of E[w] = A(κ) (E z = α), in standard errors;
    - <law>/exact, the derivative 1 − A² − (m − 1) A/κ (the trigamma function of α);
    - <law>/bias_z, the error of the cell's estimator in standard errors; <law>/relative_bias, over the derivative;
    - <law>/dropped_bias_z and <law>/dropped_relative_bias, of the accepted path differentiated without the correction;
    - <law>/worst_<metric>, at the last step.
    """
    given = spec["evaluation"]
    cases: list[tuple[str, Build, Callable[[Tensor], Tensor], list[float]]] = [
        ("sphere", _sphere, lambda z: z[..., 0], given["kappas"]),
        ("gamma", _gamma, torch.log, given["alphas"]),
    ]
    rows: list[Row] = []
    for name, build, of, shapes in cases:
        for number, shape in enumerate(shapes):
            value = torch.tensor(float(shape), dtype=torch.float64)
            exact, mean, cdf = _known(name, shape)
            found = measured(spec, seed, _program(build, of), {"shape": value})
            bias_z = apart(found, {"shape": torch.tensor(exact, dtype=torch.float64)})["shape"]
            z, slope = _dropped(spec, seed, build, of, value)
            error = float(slope.std()) / len(slope) ** 0.5
            rows += [
                (number, f"{name}/shape", float(shape)),
                (number, f"{name}/exact", exact),
                (number, f"{name}/bias_z", float(bias_z)),
                (number, f"{name}/relative_bias", float(found.mean["shape"]) / exact - 1),
                (number, f"{name}/fit", distance(z.numpy(), cdf)),
                (number, f"{name}/mean_z", abs(float(z.mean()) - mean) / (float(z.std()) / len(z) ** 0.5)),
                (number, f"{name}/dropped_bias_z", abs(float(slope.mean()) - exact) / error),
                (number, f"{name}/dropped_relative_bias", float(slope.mean()) / exact - 1),
            ]
        for metric in ("fit", "mean_z", "bias_z", "dropped_bias_z"):
            rows += [(len(shapes) - 1, f"{name}/{m}", v) for _, m, v in worst(_part(rows, name), metric)]
    return Findings(rows, {})


def _part(rows: list[Row], law: str) -> list[Row]:
    """The rows of a law, without its name."""
    return [
        (step, metric.removeprefix(f"{law}/"), value)
        for step, metric, value in rows
        if metric.startswith(law)
    ]


def _known(name: str, shape: float) -> tuple[float, float, Callable[[Any], Any]]:
    """(derivative of E f, mean of the variable, its CDF)."""
    if name == "sphere":
        a = ratio(shape)
        return 1 - a**2 - (DIMENSION - 1) * a / shape, a, partial(_cosine_cdf, kappa=shape)
    return float(special.polygamma(1, shape)), shape, lambda z: special.gammainc(shape, z)


def _dropped(
    spec: Mapping[str, Any], seed: int, build: Build, of: Callable[[Tensor], Tensor], shape: Tensor
) -> tuple[Tensor, Tensor]:
    """The variable (w or z) and the slope of f along the accepted path, each [draws]."""
    law: Any = build(shape)
    axes = (spec["paper"], spec["experiment"], seed, "dropped")
    noise = draw_block({"z": law.rejection_noise()}, axes, spec["evaluation"]["draws"], dtype=torch.float64)[
        "z"
    ]

    def one(shape: Tensor, noise: Any) -> tuple[Tensor, Tensor]:
        z = build(shape).accept(noise).z
        return of(z), z[..., 0] if isinstance(law, VonMisesFisher) else z

    slope, variable = torch.vmap(torch.func.grad(one, has_aux=True), in_dims=(None, 0))(shape, noise)
    return variable, slope
