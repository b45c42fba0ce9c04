"""Bias and variance of any estimator on the small problems."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache, partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reparam.cells.procedures import Findings, Row, procedure
from reparam.engine import optimisers, paths
from reparam.engine.gradient import estimate_gradient, prepare
from reparam.estimators import make
from reparam.measure.moments import Moments, begin
from reparam.noise import draw_block, generator
from reparam.oracles.objectives import expectation
from reparam.papers.tutorials.problems import PROBLEMS, Problem, gaussian
from reparam.program import Params, Program

ACCURACY = 0.05
"""The relative error of a gradient that samples are counted for."""
CHUNK = 4096
"""Draws at once: so few chunks that tracing the estimate would take longer than all of them."""


def measured(
    spec: Mapping[str, Any],
    seed: int,
    program: Program,
    params: Params,
    options: Mapping[str, Any] | None = None,
    tunables: Mapping[str, Tensor] | None = None,
) -> Moments:
    """Moments of the cell's estimator, with further `options`, over `draws` draws of the experiment's own streams."""
    method, axes = spec["method"], (spec["paper"], spec["experiment"], seed)
    estimator = make(method["name"], {**method["options"], **(options or {})})
    sampler = begin(estimator, program, params, axes, tunables, chunk=CHUNK)
    return sampler.take(int(spec["evaluation"]["draws"]), compiled=False)


def apart(moments: Moments, exact: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """How many standard errors each entry of the mean is off; 0 where both agree and there is no error."""
    off = {name: (moments.mean[name] - exact[name]).abs() for name in exact}
    rounding = {name: 1e-9 * exact[name].abs().max() + 1e-12 for name in exact}
    error = moments.standard_error
    return {name: off[name] / (error[name].square() + rounding[name] ** 2).sqrt() for name in exact}


@cache
def tuned(problem: str, x: float, method: str, steps: int, draws: int, rate: float) -> dict[str, Tensor]:
    """The tunables of an estimator (`method`: its name and options as JSON) after Adam at the problem's own parameters,
    along their gradient's mean over `draws` estimates a step, on streams of their own: the same for every seed."""
    given = json.loads(method)
    estimator, subject = make(given["name"], given["options"]), PROBLEMS[problem](x)
    axes, optimiser = ("tutorials", "tuned", problem, method), optimisers.Adam(rate=rate)
    sites = prepare(estimator, subject.program, subject.params)
    tunables, memory = estimator.start(subject.params, sites, generator(*axes, "init"))
    if not tunables:
        return {}
    block = draw_block(estimator.noise(sites), axes, steps * draws, dtype=torch.float64)

    def step(tunables: Any, moments: Any, noise: Any) -> Any:
        def one(noise: Any) -> Mapping[str, Tensor]:
            found = estimate_gradient(estimator, subject.program, subject.params, noise, tunables, memory)
            return found.tunable_gradient

        mean = {name: entry.mean(0) for name, entry in torch.vmap(one)(noise).items()}
        return optimiser.update(mean, moments, tunables)

    moments, call = optimiser.init(tunables), None
    for number in range(steps):
        part = slice(number * draws, (number + 1) * draws)
        noise = {site: {role: e[part] for role, e in roles.items()} for site, roles in block.items()}
        call = call or paths.build(step, (tunables, moments, noise), "traced")
        tunables, moments = call(tunables, moments, noise)
    return dict(tunables)


@procedure("moments")
def moments(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """The cell's estimator on a problem at each of its `values` and, where `option` names one of its own options, at
    each of that option's `settings`, all on the same noise. With `tuning` its tunables are trained first (see `tuned`).

    Rows at step = number of the setting:
    - x: the option's setting, or the problem's;
    - bias_z: the largest error of an entry of the mean in standard errors; worst_bias_z, of all settings, at the last;
    - relative_bias: the norm of the mean's error over that of the exact gradient;
    - variance, summed over entries, and variance/<parameter>; gradient/<parameter>, the norm of the exact one;
    - samples: how many of these estimates make a relative standard error of 5 %; evaluations;
    - formula/<estimator>/<parameter>: the variance by the tutorial's formula, and samples_exact/<estimator> by that;
    - with `slope`: slope/<parameter>, that of ln variance against ln x over so many last settings.
    """
    given = spec["evaluation"]
    option = given.get("option")
    settings = [{option: setting} for setting in given["settings"]] if option else [{}]
    cases = [(x, own) for x in given["values"] for own in settings]
    rows: list[Row] = []
    for number, (x, own) in enumerate(cases):
        problem = PROBLEMS[given["problem"]](x)
        tunables = None
        if "tuning" in given:
            method = {**spec["method"], "options": {**spec["method"]["options"], **own}}
            tunables = tuned(given["problem"], float(x), json.dumps(method), **given["tuning"])
        found = measured(spec, seed, problem.program, problem.params, own, tunables)
        rows.append((number, "x", float(own[option] if option else x)))
        rows += [(number, name, value) for name, value in _quantities(found, problem).items()]
    rows += worst(rows, "bias_z")
    if "slope" in given:
        rows += _slopes(rows, given["slope"])
    return Findings(rows, {})


def worst(rows: list[Row], metric: str) -> list[Row]:
    """A row for the metric's largest value, at the last step."""
    largest = max(value for _, name, value in rows if name == metric)
    return [(max(step for step, _, _ in rows), f"worst_{metric}", largest)]


def _quantities(found: Moments, problem: Problem) -> dict[str, float]:
    """Summed over the entries of each parameter."""
    names = list(problem.params)
    z = apart(found, problem.exact)
    off = sum((found.mean[name] - problem.exact[name]).square().sum() for name in names)
    size = sum(problem.exact[name].square().sum() for name in names)
    variance = {name: found.variance[name].sum() for name in names}
    total = sum(variance.values())
    quantities = {
        "bias_z": max(z[name].max() for name in names),
        "relative_bias": torch.as_tensor(off / size).sqrt(),
        "variance": total,
        "samples": total / (ACCURACY**2 * size),
        "evaluations": found.evaluations,
        **{f"variance/{name}": entry for name, entry in variance.items()},
        **{f"gradient/{name}": problem.exact[name].norm() for name in names},
        **{f"formula/{e}/{name}": v.sum() for e, by in problem.variances.items() for name, v in by.items()},
    }
    for name, by in problem.variances.items():
        quantities[f"samples_exact/{name}"] = sum(v.sum() for v in by.values()) / (ACCURACY**2 * size)
    return {name: float(value) for name, value in quantities.items()}


def _slopes(rows: list[Row], count: int) -> list[Row]:
    """One row for each parameter, at the last step."""
    last = max(step for step, _, _ in rows)
    steps = range(last + 1 - count, last + 1)
    by = {(step, metric): value for step, metric, value in rows}
    x = np.log([by[step, "x"] for step in steps])
    parameters = sorted({metric for _, metric, _ in rows if metric.startswith("variance/")})
    return [
        (
            last,
            metric.replace("variance", "slope"),
            float(np.polyfit(x, np.log([by[s, metric] for s in steps]), 1)[0]),
        )
        for metric in parameters
    ]


@procedure("baselines")
def baselines(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """(f − b) ∇ log q for constants b, f = z² under N(1, 1) (T1 §4.3): b is taken from f, as any baseline is.

    Rows at step = number of the b: b, bias_z, variance/<parameter>. At the last step: worst_bias_z; best/<parameter>,
    where the measured parabola of the variance is lowest; optimal/<parameter>, b* by the tutorial's formula; mean, E f;
    best_shared, of the sum of both variances; shared, E[f |∇ log q|²] / E[|∇ log q|²].
    """
    b = spec["evaluation"]["values"]
    rows: list[Row] = []
    curves: dict[str, list[float]] = {"mu": [], "sigma": []}
    for i, value in enumerate(b):
        problem = gaussian(partial(_shifted, b=float(value)))
        found = measured(spec, seed, problem.program, problem.params)
        off = max(float(entry.max()) for entry in apart(found, problem.exact).values())
        rows += [(i, "b", float(value)), (i, "bias_z", off)]
        for name, curve in curves.items():
            curve.append(float(found.variance[name]))
            rows.append((i, f"variance/{name}", curve[-1]))
    best = {name: _vertex(b, curve) for name, curve in curves.items()}
    last = len(b) - 1
    optimal, shared = _optimal()
    rows += [(last, f"best/{name}", value) for name, value in best.items()]
    rows += [(last, f"optimal/{name}", value) for name, value in optimal.items()]
    plain = gaussian(torch.square)
    mean = float(expectation(plain.program, plain.params).sum())
    rows += [(last, "mean", mean), (last, "shared", shared)]
    rows += worst(rows, "bias_z")
    rows.append((last, "best_shared", _vertex(b, np.add(curves["mu"], curves["sigma"]))))
    return Findings(rows, {})


def _shifted(z: Tensor, b: float) -> Tensor:
    return z.square() - b


def _vertex(x: Any, y: Any) -> float:
    """Where the parabola through (x, y) is lowest."""
    square, linear, _ = np.polyfit(x, y, 2)
    return float(-linear / (2 * square))


def _optimal() -> tuple[dict[str, float], float]:
    """E[f s²] / E[s²] for f = z² under N(1, 1), each parameter's and that of both, by quadrature."""
    epsilon, weights = np.polynomial.hermite_e.hermegauss(20)
    weights, f = weights / weights.sum(), (1 + epsilon) ** 2
    scores = {"mu": epsilon**2, "sigma": (epsilon**2 - 1) ** 2}
    both = scores["mu"] + scores["sigma"]
    each = {name: float((weights * f * s).sum() / (weights * s).sum()) for name, s in scores.items()}
    return each, float((weights * f * both).sum() / (weights * both).sum())
