"""The paper's experiments with one Normal variable: measured variances beside those by quadrature."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np
import torch
from scipy.optimize import brentq, minimize_scalar
from torch import Tensor

from reparam import estimators
from reparam.cells.procedures import Findings, Row, procedure
from reparam.distributions import Normal
from reparam.measure.moments import Moments, begin
from reparam.papers.mohamed2020.costs import MEAN, SCALE, Array, Cost, as_tensor, cost, grid
from reparam.papers.mohamed2020.exact import CURVES, Gaussian, Pair, curves, quadratic
from reparam.program import Params, Sample

PARAMETERS = Pair._fields
SETTLE = 50
"""Estimates before a running average is held: 0.9⁵⁰ of its start is left."""
TINY = 1e-12
"""Added to variances before their logarithm: a coupled measure-valued estimate may have none."""
PAPER_CURVES = ("score_function", "score_function_optimal", "pathwise", "measure_valued")
"""The curves drawn in Figs 2 and 3."""


def measured(spec: Mapping[str, Any], seed: int, f: Cost, k: Array, shift: Array | float = 0.0) -> Moments:
    """Moments of the cell's estimator for f(x; k) − shift, x ~ N(1, 1), with a plate of all k [K].

    As many draws as the `evaluations` of the experiment allow. The parameters are `mean` and `scale`, [K, 1]; noise
    differs between the k and is shared by the estimators.
    """
    each, constant = as_tensor(k), torch.as_tensor(shift, dtype=torch.float32)

    def program(params: Params, sample: Sample) -> Tensor:
        x = sample("x", Normal(params["mean"], params["scale"]))
        value: Tensor = f.torch(x[..., 0], each) - constant
        return value

    params = {"mean": torch.full((len(k), 1), MEAN), "scale": torch.full((len(k), 1), SCALE)}
    estimator = estimators.make(spec["method"]["name"], spec["method"]["options"])
    axes = (spec["paper"], spec["experiment"], seed, "moments")
    sampler = begin(estimator, program, params, axes, settle=SETTLE, factorised=False)
    return sampler.take(int(spec["evaluation"]["evaluations"]) // sampler.evaluations)


@procedure("variance_curve")
def variance_curve(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """The variance of one estimate of ∂ E f/∂μ and ∂ E f/∂σ against k, for the cell's estimator.

    `evaluation`: `cost`, `k` (see `grid`), `evaluations` of f at each k, and `alone`: each k in a program of its own,
    for estimators whose running average is shared by the plate. Rows at step = index of k: k, variance/<parameter>,
    z/<parameter> (distance of the mean from the exact gradient in standard errors) and, where the estimator is known to
    `Gaussian.of`, exact/<parameter>. At step 0: evaluations of an estimate, and log_ratio/<parameter>, the mean over k
    of ln(measured / exact).
    """
    options = spec["evaluation"]
    f, k = cost(options["cost"]), grid(options["k"])
    at = Gaussian(f, k)
    exact, truth = at.of(spec["method"]), at.gradient()
    found = [measured(spec, seed, f, part) for part in (k[:, None] if options.get("alone") else [k])]
    rows: list[Row] = [(i, "k", value) for i, value in enumerate(k)]
    rows.append((0, "evaluations", float(found[0].evaluations)))
    for name in PARAMETERS:
        variance, mean, error = (
            np.concatenate([entries[name].numpy()[:, 0] for entries in parts])
            for parts in zip(*((m.variance, m.mean, m.standard_error) for m in found), strict=True)
        )
        rows += _rows(f"variance/{name}", variance)
        rows += _rows(f"z/{name}", (mean - getattr(truth, name)) / error.clip(1e-9))
        if exact is not None:
            right = getattr(exact, name)
            positive = right > TINY
            rows += _rows(f"exact/{name}", right)
            ratio = np.log(variance[positive] / right[positive])
            rows.append((0, f"log_ratio/{name}", float(ratio.mean())))
    return Findings(rows, {})


@procedure("exact_curves")
def exact_curves(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """All curves of one cost by quadrature, and where they cross. Nothing is random.

    Rows at step = index of k: k, variance/<curve>/<parameter>, optimal_baseline/<parameter>, expectation. At step 0:
    crossing/<parameter>/<curve>/<curve>/<number>, the k at which two curves are equal; optimum_error/<parameter>, the
    largest distance between Eq. 65 and the b that minimises the variance, over 1 + |b|; and for the quadratic cost
    closed_form_error (largest, over 1 + the variance) and baseline_error (of b = D² + 3σ² and D² + 5σ²).
    """
    options = spec["evaluation"]
    f, k = cost(options["cost"]), grid(options["k"])
    found, at = curves(f, k), Gaussian(f, k)
    best = at.optimal()
    rows: list[Row] = [(i, "k", value) for i, value in enumerate(k)]
    rows += _rows("expectation", at.expect(at.f))
    for curve, pair in found.items():
        for name in PARAMETERS:
            rows += _rows(f"variance/{curve}/{name}", getattr(pair, name))
    for i, name in enumerate(PARAMETERS):
        rows += _rows(f"optimal_baseline/{name}", best[i])
        rows.append((0, f"optimum_error/{name}", _optimum_error(f, k, best, i)))
        for a, b in combinations(found, 2):
            roots = _crossings(f, k, (a, b), found[a][i] - found[b][i], i)
            rows += [(0, f"crossing/{name}/{a}/{b}/{n}", root) for n, root in enumerate(roots)]
    if options["cost"] == "quadratic":
        forms = quadratic(k)
        errors = [abs(found[c][i] - forms[c][i]) / (1 + forms[c][i]) for c in forms for i in (0, 1)]
        rows.append((0, "closed_form_error", float(np.max(errors))))
        d2 = (MEAN - k) ** 2
        away = [best.mean - (d2 + 3 * SCALE**2), best.scale - (d2 + 5 * SCALE**2)]
        rows.append((0, "baseline_error", float(np.abs(away).max())))
    return Findings(rows, {})


@procedure("dominance")
def dominance(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """How far each of the paper's curves lies above the lowest other one, at the worst k, parameter and cost.

    `evaluation`: `costs`, {name: grid of k}. Rows at step 0, by quadrature: beaten/<curve>, the largest ln(variance /
    lowest other variance); above 0 the estimator does not dominate.
    """
    worst = dict.fromkeys(PAPER_CURVES, -np.inf)
    for name, k in spec["evaluation"]["costs"].items():
        found = curves(cost(name), grid(k))
        for curve in PAPER_CURVES:
            for i in (0, 1):
                others = np.min([found[other][i] for other in PAPER_CURVES if other != curve], axis=0)
                gap = np.log(found[curve][i] + TINY) - np.log(others + TINY)
                worst[curve] = max(worst[curve], float(gap.max()))
    return Findings([(0, f"beaten/{curve}", value) for curve, value in worst.items()], {})


@procedure("shifted_cost")
def shifted_cost(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """The variance of the cell's estimator when a constant is subtracted from f: multiples of the optimal baseline.

    `evaluation`: `cost`, `k` (one number), `multiples`, `evaluations` of f. Rows at step = index of the multiple:
    multiple, variance/<parameter>, parabola/<parameter> (the exact variance of the score function less that constant),
    each with the parameter's own optimal baseline. At step 0: best_multiple/<parameter>, the vertex of the parabola
    through the measured variances (of no meaning for estimators that constants do not move), and
    mean_multiple/<parameter>, E f over the optimal baseline.
    """
    options = spec["evaluation"]
    f, multiples = cost(options["cost"]), np.asarray(options["multiples"], dtype=np.float64)
    at = Gaussian(f, np.array([float(options["k"])]))
    best, middle = at.optimal(), at.expect(at.f)[0]
    constants = Pair(*(multiples * b for b in best))
    k = np.full(2 * len(multiples), float(options["k"]))
    found = measured(spec, seed, f, k, np.concatenate(constants))
    parabola = Gaussian(f, k[: len(multiples)]).score_function(constants)
    rows: list[Row] = [(i, "multiple", value) for i, value in enumerate(multiples)]
    for i, name in enumerate(PARAMETERS):
        variance = found.variance[name].numpy()[i * len(multiples) : (i + 1) * len(multiples), 0]
        square, linear, _ = np.polyfit(multiples, variance, 2)
        rows += _rows(f"variance/{name}", variance)
        rows += _rows(f"parabola/{name}", parabola[i])
        rows.append((0, f"best_multiple/{name}", float(-linear / (2 * square))))
        rows.append((0, f"mean_multiple/{name}", float(middle / best[i][0])))
    return Findings(rows, {})


def _rows(metric: str, values: Array) -> list[Row]:
    """One row per entry, at step = its index."""
    return [(i, metric, float(value)) for i, value in enumerate(values)]


def _crossings(f: Cost, k: Array, pair: tuple[str, str], gap: Array, which: int) -> list[float]:
    """The k inside the grid at which the difference of two curves, `gap` on the grid, changes its sign."""

    def difference(at: float) -> float:
        a, b = (CURVES[curve](Gaussian(f, np.array([at])))[which][0] for curve in pair)
        return float(a - b)

    real = np.where(np.abs(gap) < 1e-9, 0.0, gap)
    changes = np.nonzero(real[:-1] * real[1:] < 0)[0]
    return [float(brentq(difference, k[i], k[i + 1], xtol=1e-10)) for i in changes]


def _optimum_error(f: Cost, k: Array, best: Pair, which: int) -> float:
    """Against the minimum that a line search finds, at a few k."""
    errors = []
    for i in range(0, len(k), max(1, len(k) // 5)):
        at = Gaussian(f, k[i : i + 1])

        def variance(b: float, at: Gaussian = at) -> float:
            return float(at.score_function(Pair(np.array([b]), np.array([b])))[which][0])

        b = best[which][i]
        found = minimize_scalar(variance, bracket=(b - 1.3, b + 1.0)).x
        errors.append(abs(found - b) / (1 + abs(b)))
    return float(max(errors))
