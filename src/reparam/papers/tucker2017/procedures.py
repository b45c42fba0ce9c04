"""The optimum of the relaxed toy, which is not that of the toy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy.optimize import brentq
from scipy.special import expit, logit

from reparam.cells.procedures import Findings, Row, procedure

POINTS = 20_000
"""Midpoints of the uniform's interval: errors below 1e-7 for the integrands here."""
WIDEST = 8.0
"""Logits between which the optimum is sought."""


@procedure("relaxed_optimum")
def relaxed_optimum(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """The logit that minimises E[(s − t)²], s = σ((θ + logit u)/τ), and the loss E[(b − t)²] there.

    By quadrature over u and a root of the derivative; nothing is random. Rows by index of the temperature:
    temperature, logit, relaxed_loss, and loss.
    """
    t = spec["task"]["target"]
    rows: list[Row] = []
    for index, temperature in enumerate(spec["evaluation"]["temperatures"]):
        theta = brentq(lambda theta, tau=temperature: slope(theta, tau, t), -WIDEST, WIDEST)
        p = expit(theta)
        found = {
            "temperature": temperature,
            "logit": theta,
            "relaxed_loss": np.mean((relaxed(theta, temperature) - t) ** 2),
            "loss": p * (1 - t) ** 2 + (1 - p) * t**2,
        }
        rows.extend((index, name, float(value)) for name, value in found.items())
    return Findings(rows, {})


def relaxed(theta: float, temperature: float) -> np.ndarray:
    """The relaxed bit at equally likely values of its noise."""
    u = (np.arange(POINTS) + 0.5) / POINTS
    return np.asarray(expit((theta + logit(u)) / temperature))


def slope(theta: float, temperature: float, t: float) -> float:
    """d/dθ E[(s − t)²]."""
    s = relaxed(theta, temperature)
    return float(np.mean(2 * (s - t) * s * (1 - s)) / temperature)
