"""The checks that come before any training: every estimator's mean gradient against exact oracles."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import torch

from reparam import estimators
from reparam.engine.gradient import estimate_gradient, prepare
from reparam.errors import ReparamError
from reparam.measure.problems import PROBLEMS, Problem
from reparam.noise import draw_block, generator
from reparam.program import describe

FALSE_ALARM = 1e-6
"""Probability that a right estimator fails one check of all coordinates of a problem (Bonferroni)."""
ROUNDING = 1e-5


def check(name: str, options: Mapping[str, Any], problem: Problem, draws: int) -> dict[str, Any]:
    """Largest deviation from the exact gradient over all coordinates, in its own bound's units."""
    from scipy.stats import norm  # takes half a second, and cells that look for measurements pass by here

    estimator = estimators.make(name, options)
    sites = describe(problem.program, problem.params)
    noise = draw_block(estimator.noise(sites), ("oracle", name), draws)
    tunables, memory = estimator.start(problem.params, sites, generator("oracle", name, "init"))

    def one(noise: Any) -> dict[str, torch.Tensor]:
        found = estimate_gradient(
            estimator, problem.program, problem.params, noise, tunables, memory, tune=False
        )
        return found.gradient

    found = torch.vmap(one)(noise) if noise else {k: v.unsqueeze(0) for k, v in one({}).items()}
    exact = problem.exact(estimator.card.objective, getattr(estimator, "samples", 1))
    bound = float(norm.isf(FALSE_ALARM / 2 / sum(entry.numel() for entry in exact.values())))
    largest = 0.0
    for parameter, truth in exact.items():
        estimates = found[parameter].double()
        error = estimates.std(0) / len(estimates) ** 0.5 if len(estimates) > 1 else 0.0
        tolerance = bound * error + ROUNDING * (1 + truth.abs())
        largest = max(largest, ((estimates.mean(0) - truth).abs() / tolerance).max().item())
    return {"estimator": name, "options": dict(options), "deviation": largest, "draws": len(found[parameter])}


def admitted(estimator: estimators.Estimator) -> dict[str, Problem]:
    """The problems whose laws the estimator can handle, and whose value is what its objective is made for."""
    found = {}
    for title, problem in PROBLEMS.items():
        if estimator.card.objective != "expectation" and not problem.log_weight:
            continue
        try:
            prepare(estimator, problem.program, problem.params)
        except ReparamError:
            continue
        found[title] = problem
    return found


def run(names: Collection[str] | None = None, draws: int = 20_000) -> list[dict[str, Any]]:
    """Check these estimators (None: all) on every problem they apply to; a deviation of 1 is the bound.

    Raises ReparamError for an unknown name, and naming the first unbiased estimator whose mean is not the exact
    gradient: nothing should be trained with it.
    """
    checks = []
    for name in estimators.names() if names is None else names:
        for options in estimators.get(name).card.settings:
            estimator = estimators.make(name, options)
            for title, problem in admitted(estimator).items():
                found = {"problem": title, **check(name, options, problem, draws)}
                checks.append(found)
                if estimator.card.unbiased and not found["deviation"] <= 1:
                    raise ReparamError(
                        f"oracle check failed: {name} {dict(options)} on {title} is off its exact gradient by "
                        f"{found['deviation']:.3g} times the bound; mend the estimator before training"
                    )
    return checks
