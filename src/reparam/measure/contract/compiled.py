"""Traced and compiled gradients equal eager ones."""

from __future__ import annotations

from typing import Any

import torch

from reparam.engine.paths import Path, build
from reparam.measure.contract.cases import Case, Finding, estimates, noise_of

DRAWS = 2
RTOL, ATOL = 1e-4, 1e-5
"""In single precision: compiled code may reorder sums."""


def compiled(found: list[Case], path: Path) -> list[Finding]:
    """All cases in one graph, built once: a compiler takes its time."""
    states = [case.state for case in found]

    def gradients(noises: list[Any]) -> list[Any]:
        return [
            estimates(case, noise, state)[0] for case, noise, state in zip(found, noises, states, strict=True)
        ]

    noises = [noise_of(case, DRAWS, "compiled") for case in found]
    eager = gradients(noises)
    other = build(gradients, (noises,), path)(noises)
    findings = []
    for case, expected, given in zip(found, eager, other, strict=True):
        wrong = ""
        try:
            torch.testing.assert_close(given, expected, rtol=RTOL, atol=ATOL)
        except AssertionError as error:
            wrong = f"its {path} gradient is not the eager one: {' '.join(str(error).split())}"
        if not any(entry.any() for entry in given.values()):
            wrong = f"its {path} gradient is zero"
        findings.append(case.finding(path, wrong))
    return findings
