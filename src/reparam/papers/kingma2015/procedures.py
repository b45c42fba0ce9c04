"""How the noise of weights is shared in a minibatch: variances by formula and as sampled; the log-uniform prior."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy import integrate
from torch import Tensor

from reparam.cells.procedures import Findings, Row, procedure
from reparam.estimators.pathwise import Pathwise
from reparam.measure import signal_to_noise
from reparam.measure.step_seconds import sampled_by_label, update_seconds
from reparam.models import random_affine
from reparam.models.weight_prior import POLYNOMIAL
from reparam.noise import draw, generator
from reparam.program import Params, Program, Sample, describe


@procedure("minibatch_variance")
def minibatch_variance(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """§2.1 on linear regression with Gaussian weights, in units of N²: L = 1/M Σ log N(y_i; w·x_i, 1) over M rows of
    `points`, drawn with replacement.

    Rows by M = `batches`: batch, variance, as sampled by `draws` draws, formula, Var[L_i]/M + (M − 1)/M Cov[L_i, L_j]
    with closed forms of both, and to_formula, their ratio; in the last row growth: M times the variance, over that at
    the first M.
    """
    options = spec["evaluation"]
    way = random_affine.WAYS[spec["method"]["name"]]
    source = generator(spec["paper"], spec["experiment"], seed, "data")
    x = draw("normal", (options["points"], options["inputs"]), source)
    weight = draw("normal", (1, options["inputs"]), source)
    y = (x @ weight.T).squeeze(-1) + draw("normal", (options["points"],), source)
    params = {"weight.mean": weight + 0.1 * draw("normal", tuple(weight.shape), source)}
    scale = torch.full_like(weight, options["weight_deviation"])
    own, between = moments(spec["method"]["name"], x, y, params["weight.mean"], scale)
    rows: list[Row] = []
    found = []
    for step, batch in enumerate(options["batches"]):

        def program(params: Params, sample: Sample, batch: int = batch) -> Tensor:
            rows = random_affine.drawn(sample, "rows", x, batch)
            output = way(sample, "weight", x[rows], params["weight.mean"], scale).squeeze(-1)
            return -0.5 * (y[rows] - output).square() - 0.5 * math.log(2 * math.pi)

        axes = (spec["paper"], spec["experiment"], seed, batch)
        values = signal_to_noise.estimates(Pathwise(), program, params, options["draws"], axes).value
        found.append(values.double().mean(1).var().item())
        formula = own / batch + (batch - 1) / batch * between
        rows += [(step, "batch", batch), (step, "variance", found[-1]), (step, "formula", formula)]
        rows.append((step, "to_formula", found[-1] / formula))
    first, last = options["batches"][0], options["batches"][-1]
    rows.append((len(found) - 1, "growth", last * found[-1] / (first * found[0])))
    return Findings(rows, {})


def moments(way: str, x: Tensor, y: Tensor, mean: Tensor, scale: Tensor) -> tuple[float, float]:
    """Var[L_i] and Cov[L_i, L_j] over rows drawn with replacement and weights, in closed form.

    The residuals of two rows are normal with means m, variances v and covariance c = Σ x_ik s_k² x_jk under a shared
    sample: Cov of their halved squares is m_i m_j c + c²/2. Under flipout random signs leave Σ_k s_k⁴ x_ik² x_jk² / 2,
    by Var[e_k²] = 2 s_k⁴.
    """
    x, y = x.double(), y.double()
    squares = scale.double().squeeze(0).square()
    m = y - (x @ mean.double().T).squeeze(-1)
    c = (x * squares) @ x.T
    v = c.diagonal()
    own = (m.square() * v + v.square() / 2).mean() + ((m.square() + v) / 2).var(correction=0)
    between = {
        "shared": (m[:, None] * m[None, :] * c + c.square() / 2).mean(),
        "flipout": ((x.square() * squares.square()) @ x.square().T).mean() / 2,
    }.get(way, torch.zeros(()))
    return own.item(), between.item()


@procedure("local_law")
def local_law(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """Outputs b = W a of one layer for `batch` data, sampled, against N(Σ a μ, Σ a² s²): mean_error, the mean distance
    of the means in standard deviations, variance_to_formula, the mean ratio of variances, and correlation, the mean
    absolute correlation of two data's outputs of the same unit."""
    options = spec["evaluation"]
    source = generator(spec["paper"], spec["experiment"], seed, "layer")
    x = draw("normal", (options["batch"], options["inputs"]), source)
    shape = (options["outputs"], options["inputs"])
    mean, scale = draw("normal", shape, source), draw("uniform", shape, source)
    axes = (spec["paper"], spec["experiment"], seed)
    outputs = []
    for unit in range(options["outputs"]):
        program = _one_layer(spec["method"]["name"], x, scale[unit : unit + 1])
        params = {"weight.mean": mean[unit : unit + 1]}
        found = signal_to_noise.estimates(Pathwise(), program, params, options["draws"], (*axes, unit))
        outputs.append(found.value.double())
    b = torch.stack(outputs, -1)  # [draws, batch, outputs]
    expected = (x.double() @ mean.double().T, (x.double().square() @ scale.double().square().T))
    centred = (b - b.mean(0)) / b.std(0)
    pairs = torch.triu_indices(len(x), len(x), 1)
    correlation = (centred[:, pairs[0]] * centred[:, pairs[1]]).mean(0)
    return Findings(
        [
            (0, "mean_error", ((b.mean(0) - expected[0]).abs() / expected[1].sqrt()).mean().item()),
            (0, "variance_to_formula", (b.var(0) / expected[1]).mean().item()),
            (0, "correlation", correlation.abs().mean().item()),
        ],
        {},
    )


def _one_layer(way: str, x: Tensor, scale: Tensor) -> Program:
    """The outputs of one layer, summed over its units, as the value."""

    def program(params: Params, sample: Sample) -> Tensor:
        return random_affine.WAYS[way](sample, "weight", x, params["weight.mean"], scale).sum(-1)

    return program


@procedure("noise_count")
def noise_count(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """noise_per_datum: the numbers that one pathwise estimate draws for one layer, over the `batch` data."""
    options = spec["evaluation"]
    x = torch.ones(options["batch"], options["inputs"])
    params = {"weight.mean": torch.zeros(options["outputs"], options["inputs"])}
    program = _one_layer(spec["method"]["name"], x, torch.ones_like(params["weight.mean"]))
    specs = Pathwise().noise(describe(program, params))
    numbers = sum(
        math.prod(noise.shape) * (noise.copies or 1) for site in specs.values() for noise in site.values()
    )
    return Findings([(0, "noise_per_datum", numbers / options["batch"])], {})


@procedure("speed")
def speed(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """seconds of one training step whose weights are sampled as the cell's method says, its noise included: medians of
    `timings`. Times are the subject here, so these rows, unlike those of other histories, differ from run to run."""
    axes = (spec["paper"], spec["experiment"], seed)
    seconds = update_seconds(sampled_by_label(spec), axes, device, spec["evaluation"]["timings"])
    return Findings([(0, "seconds", seconds)], {})


@procedure("divergence")
def divergence(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """−KL(N(θ, α θ²) ‖ log-uniform) = const + ½ ln α − E ln|ε|, ε ~ N(1, α), from α = `least` to 1.

    Rows by α: alpha, exact, by quadrature, and polynomial, up to the constant that brings them closest; in the last row
    largest_error, in nats.
    """
    options = spec["evaluation"]
    alphas = np.geomspace(options["least"], 1.0, options["points"])
    exact = 0.5 * np.log(alphas) - np.array([expected_log(alpha) for alpha in alphas])
    polynomial = 0.5 * np.log(alphas) + sum(c * alphas ** (i + 1) for i, c in enumerate(POLYNOMIAL))
    differences = exact - polynomial
    polynomial += (differences.max() + differences.min()) / 2
    rows: list[Row] = []
    for step, row in enumerate(zip(alphas, exact, polynomial, strict=True)):
        rows += [
            (step, name, float(v)) for name, v in zip(("alpha", "exact", "polynomial"), row, strict=True)
        ]
    rows.append((len(alphas) - 1, "largest_error", float(np.abs(exact - polynomial).max())))
    return Findings(rows, {})


def expected_log(alpha: float) -> float:
    """E ln|ε| for ε ~ N(1, α), in nats: ln|ε| = t, by the trapezoidal rule over t, on both signs."""
    t = np.linspace(-40, 6, 20_001)
    density = sum(np.exp(-((sign * np.exp(t) - 1) ** 2) / (2 * alpha) + t) for sign in (1, -1))
    return float(integrate.trapezoid(t * density, t) / math.sqrt(2 * math.pi * alpha))
