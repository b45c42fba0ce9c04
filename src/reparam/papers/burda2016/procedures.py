"""Theorem 1 and appendix B: by enumeration for small models, and sampled on the linear-Gaussian toy."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations_with_replacement
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import gammaln, logsumexp

from reparam import estimators
from reparam.cells.procedures import Findings, Row, procedure
from reparam.measure import signal_to_noise
from reparam.models import linear_gaussian
from reparam.noise import draw, generator

Array = NDArray[np.float64]


class Problem(NamedTuple):
    """Random models with a few states and their guides, [problems, states]."""

    log_joint: Array
    log_guide: Array

    @property
    def log_evidence(self) -> Array:
        return np.asarray(logsumexp(self.log_joint, axis=-1))


def problems(spec: Mapping[str, Any], seed: int) -> Problem:
    """Logits from normals, each problem's of a standard deviation of its own, uniform up to `sharpest`."""
    options = spec["evaluation"]
    source = generator(spec["paper"], spec["experiment"], seed)
    shape = (options["problems"], options["states"])
    width = options["sharpest"] * draw("uniform", (shape[0], 1), source, torch.float64)
    joint, guide = (width * draw("normal", shape, source, torch.float64) for _ in range(2))
    return Problem(joint.numpy(), guide.log_softmax(-1).numpy())


def estimates(problem: Problem, samples: int) -> tuple[Array, Array]:
    """log Ẑ and its log probability at every multiset of `samples` states, each [problems, multisets]."""
    states = problem.log_guide.shape[-1]
    picks = list(combinations_with_replacement(range(states), samples))
    counts = np.stack([np.bincount(pick, minlength=states) for pick in picks])
    orders = gammaln(samples + 1) - gammaln(counts + 1).sum(-1)
    log_weight = problem.log_joint - problem.log_guide
    with np.errstate(divide="ignore"):
        log_estimate = logsumexp(log_weight[:, None] + np.log(counts / samples), axis=-1)
    return np.asarray(log_estimate), orders + problem.log_guide @ counts.T


def bound(problem: Problem, samples: int) -> Array:
    """L_k = E log Ẑ of every problem, in nats."""
    log_estimate, log_mass = estimates(problem, samples)
    return np.asarray((np.exp(log_mass) * log_estimate).sum(-1))


@procedure("exact_bounds")
def exact_bounds(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """L_k for k up to `samples`: smallest_step of L_k+1 − L_k and smallest_gap of log p(x) − L_k over all problems, and
    by k the mean gap; nats. Array `gap` [problems, k]."""
    problem = problems(spec, seed)
    counts = range(1, spec["evaluation"]["samples"] + 1)
    bounds = np.stack([bound(problem, k) for k in counts], axis=-1)
    gaps = problem.log_evidence[:, None] - bounds
    rows: list[Row] = []
    for step, k in enumerate(counts):
        rows += [(step, "samples", k), (step, "gap", float(gaps[:, step].mean()))]
    rows.append((step, "smallest_step", float(np.diff(bounds, axis=-1).min())))
    rows.append((step, "smallest_gap", float(gaps.min())))
    return Findings(rows, {"gap": gaps})


@procedure("deviations")
def deviations(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """App. B's inequalities over all problems and K: smallest_room of 2 + 2δ − E|log Ẑ − E log Ẑ|, in nats, and
    largest_tail of exp(b) P(log Ẑ > log Z + b) over all b. Arrays `delta` and `deviation` [K, problems]."""
    problem = problems(spec, seed)
    evidence = problem.log_evidence[:, None]
    deltas, spreads, tails = [], [], []
    for k in spec["evaluation"]["samples"]:
        log_estimate, log_mass = estimates(problem, k)
        mass = np.exp(log_mass)
        mean = (mass * log_estimate).sum(-1, keepdims=True)
        deltas.append((evidence - mean)[:, 0])
        spreads.append((mass * np.abs(log_estimate - mean)).sum(-1))
        order = np.argsort(-log_estimate, axis=-1)
        above = np.take_along_axis(mass, order, -1).cumsum(
            -1
        )  # P(log Ẑ ≥ each of its values), the limit from below
        tails.append(above * np.exp(np.take_along_axis(log_estimate, order, -1) - evidence))
    delta, spread = np.stack(deltas), np.stack(spreads)
    rows: list[Row] = [
        (0, "smallest_room", float((2 + 2 * delta - spread).min())),
        (0, "largest_tail", max(float(tail.max()) for tail in tails)),
        (0, "largest_delta", float(delta.max())),
    ]
    return Findings(rows, {"delta": delta, "deviation": spread})


@procedure("sampled_bounds")
def sampled_bounds(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """The bound as the estimator reads it on the linear-Gaussian toy, near the optimum, in nats per datum.

    Rows by K = `samples`, all from the same noise, the largest K samples a draw in groups of K: gap, log p(x) − L_K; in
    the last row smallest_step between neighbouring K, and gap_slope of ln gap on ln K ≥ ln `fit_from`.
    """
    options = spec["evaluation"]
    source = generator(spec["paper"], spec["experiment"], seed, "toy")
    x = linear_gaussian.data(options["data"], options["dimension"], source)
    params = linear_gaussian.perturbed(linear_gaussian.best(x), options["perturbation"], source)
    program = linear_gaussian.log_weight(x)
    evidence = linear_gaussian.log_evidence(x, params["prior.mean"]).double()
    counts = options["samples"]
    rows: list[Row] = []
    gaps = []
    for step, k in enumerate(counts):
        options_of = {**spec["method"]["options"], "samples": k, "groups": counts[-1] // k}
        chosen = estimators.make(spec["method"]["name"], options_of)
        axes = (spec["paper"], spec["experiment"], seed)
        found = signal_to_noise.estimates(chosen, program, params, options["draws"], axes).value.double()
        gap = (evidence - found).mean().item()
        gaps.append(gap)
        rows += [(step, "samples", k), (step, "gap", gap)]
    rows.append((step, "smallest_step", -float(np.diff(gaps).max())))
    rows.append((step, "gap_slope", signal_to_noise.rate(counts, gaps, options["fit_from"])))
    return Findings(rows, {})
