"""Faults made from the syntax of estimators' files: at least 95 % must be caught, the others have a reason.

A mutant's code takes the place of the original's in this process. It is caught when the contract of an estimator
that uses the file, or the file's own tests, turn red.
"""

from __future__ import annotations

import pytest
import torch
from mutants import Mutant, mutants
from planting import PACKAGE, ROOT, contract_is_red, planted, suite_is_red
from survivors import SURVIVORS

from reparam import estimators

ESTIMATORS = PACKAGE / "estimators"
MUTANTS = {
    name: list(mutants(ESTIMATORS / f"{name}.py")) for name in ("gumbel", "reinmax", "straight_through")
}
LEAST_CAUGHT = 0.95


def users(file: str) -> list[str]:
    """The estimators by which a fault in this file shows."""
    return [n for n in estimators.names() if estimators.get(n).__module__ == f"reparam.estimators.{file}"]


def caught(mutant: Mutant) -> bool:
    with planted(mutant.file, mutant.tree):
        own = ROOT / "tests" / "estimators" / f"test_{mutant.file.stem}.py"
        return contract_is_red(users(mutant.file.stem)) or suite_is_red(own)


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("file", MUTANTS)
def test_generated_faults_are_caught(file: str) -> None:
    torch.set_num_threads(1)
    left = [mutant for mutant in MUTANTS[file] if mutant.key not in SURVIVORS and not caught(mutant)]
    assert not left, f"{len(left)} of {len(MUTANTS[file])} survive without a reason: {[str(m) for m in left]}"


def test_survivors_are_few_and_still_there() -> None:
    known = {mutant.key for made in MUTANTS.values() for mutant in made}
    assert set(SURVIVORS) <= known, set(SURVIVORS) - known
    assert len(SURVIVORS) <= (1 - LEAST_CAUGHT) * sum(len(made) for made in MUTANTS.values())
    assert all(reason for reason in SURVIVORS.values())
