"""Faults made from the syntax of every estimator's file: at least 95 % must be caught, the others have a reason.

A mutant's code takes the place of the original's in this process. It is caught when the contract of an estimator
that uses the file, or the tests beside it, turn red.
"""

from __future__ import annotations

import pytest
import torch
from mutants import Mutant, mutants
from planting import (
    PACKAGE,
    QUICK,
    ROOT,
    SLOW,
    admitted,
    contract_is_red,
    first_means_are_red,
    formulas_are_red,
    planted,
    suite_is_red,
)
from survivors import SURVIVORS

from reparam import estimators

DESCRIBE = {"card", "laws", "options", "summary"}
"""Files that say what there is, and compute no estimate."""
FILES = [file for file in sorted((PACKAGE / "estimators").glob("*.py")) if file.stem not in DESCRIBE]
MUTANTS = {file.stem: made for file in FILES if (made := list(mutants(file)))}
LEAST_CAUGHT = 0.95
SHARED = {
    "base": ("exact", "score_function", "vimco", "rebar"),
    "corrected": ("rsvi", "grep"),
    "leave_one_out": ("double_control_variates", "rodeo"),
    "networks": ("nvil", "muprop", "relax"),
    "paths": ("straight_through", "st_gumbel_softmax"),
    "running": ("nvil", "muprop"),
}
"""The estimators by which a fault shows in a file that has none of its own."""
BESIDE = {
    "base": ("given_signals", "score_function", "vimco"),
    "corrected": ("rsvi", "grep"),
    "leave_one_out": ("double_control_variates", "rodeo"),
    "networks": ("networks", "nvil"),
    "paths": ("layers_of_paths", "paths", "straight_through"),
    "straight_through": ("layers_of_paths", "straight_through"),
    "reinmax": ("layers_of_paths", "reinmax"),
    "gumbel": ("layers_of_paths", "gumbel"),
    "nvil": ("nvil", "mixed"),
    "muprop": ("muprop", "mixed"),
    "running": ("nvil", "muprop"),
}
"""The tests of these files, where they are not those of its own name; the quickest first."""


def users(file: str) -> list[str]:
    """The estimators by which a fault in this file shows."""
    own = [n for n in estimators.names() if estimators.get(n).__module__ == f"reparam.estimators.{file}"]
    return own or list(SHARED[file])


def caught(mutant: Mutant) -> bool:
    """By what is quickest first: means, formulas, quick checks of the contract, tests beside the file, slow checks."""
    stem = mutant.file.stem
    tests = ROOT / "tests" / "estimators"
    names = users(stem)
    for name in names:
        admitted(name)
    with planted(mutant.file, mutant.tree):
        return (
            first_means_are_red(names)
            or formulas_are_red(names)
            or contract_is_red(names, QUICK)
            or any(suite_is_red(tests / f"test_{name}.py") for name in BESIDE.get(stem, (stem,)))
            or contract_is_red(names, SLOW)
        )


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("file", MUTANTS)
def test_generated_faults_are_caught(file: str) -> None:
    torch.set_num_threads(1)
    made = MUTANTS[file]
    left = [mutant for mutant in made if mutant.key not in SURVIVORS and not caught(mutant)]
    assert not left, f"{len(left)} of {len(made)} survive without a reason: {[str(m) for m in left]}"


def test_survivors_are_few_and_still_there() -> None:
    known = {mutant.key for made in MUTANTS.values() for mutant in made}
    assert set(SURVIVORS) <= known, set(SURVIVORS) - known
    assert len(SURVIVORS) <= (1 - LEAST_CAUGHT) * sum(len(made) for made in MUTANTS.values())
    assert all(reason for reason in SURVIVORS.values())
