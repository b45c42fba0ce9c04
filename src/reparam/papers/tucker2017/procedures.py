"""The optimum of the relaxed toy, which is not that of the toy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from scipy.optimize import brentq
from scipy.special import expit

from reparam.cells.procedures import Findings, Row, procedure

STEP, REACH = 0.01, 60.0
"""Of the trapezoidal rule over the logistic noise, which converges exponentially for what is smooth on its scale."""
WIDEST = 20.0
"""Logits between which the optimum is sought."""


@procedure("relaxed_optimum")
def relaxed_optimum(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """The logit that minimises E[(s − t)²], s = σ((θ + L)/τ) with L logistic, and the loss E[(b − t)²] there.

    By quadrature and a root of the derivative; nothing is random. For θ → −∞ the derivative has the sign of
    (1 − τ)/2 − t (a beta function), so there is a root for τ > 1 − 2t only, and below that the relaxed optimum is the
    deterministic one. Rows by index of the temperature: temperature, logit, relaxed_loss, and loss.
    """
    t = spec["task"]["target"]
    rows: list[Row] = []
    for index, temperature in enumerate(spec["evaluation"]["temperatures"]):
        theta = brentq(lambda theta, tau=temperature: slope(theta, tau, t), -WIDEST, WIDEST)
        p = expit(theta)
        found = {
            "temperature": temperature,
            "logit": theta,
            "relaxed_loss": expected(theta, temperature, lambda s: (s - t) ** 2),
            "loss": p * (1 - t) ** 2 + (1 - p) * t**2,
        }
        rows.extend((index, name, float(value)) for name, value in found.items())
    return Findings(rows, {})


def expected(theta: float, temperature: float, h: Callable[[np.ndarray], np.ndarray]) -> float:
    """E[h(s)], s = σ((θ + L)/τ), L logistic."""
    noise = np.arange(-REACH, REACH + STEP, STEP)
    density = expit(noise) * expit(-noise)
    return float(STEP * np.sum(density * h(expit((theta + noise) / temperature))))


def slope(theta: float, temperature: float, t: float) -> float:
    """d/dθ E[(s − t)²]."""
    return expected(theta, temperature, lambda s: 2 * (s - t) * s * (1 - s)) / temperature
