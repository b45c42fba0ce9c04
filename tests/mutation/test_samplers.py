"""Faults made from the syntax of the laws' rejection samplers and standardisations: all are caught, or mean the same.

Each is tried by the quickest tests of its file, called as they are.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
import test_grep
import test_log_gamma
import test_rejection
import test_rsvi
import test_ulrich
import torch
from closed_forms import SHARES
from mutants import Mutant, mutants
from planting import PACKAGE, planted

DIRICHLET = SHARES[1]
SAMPLERS = {"accept", "standardize", "_draw", "first_accepted", "pick"}
"""The functions that are meant."""
TESTS: dict[str, list[Callable[[], None]]] = {
    "rejection": [
        test_rejection.test_the_first_accepted_proposal_is_taken_and_the_last_one_where_there_is_none
    ],
    "gamma": [
        partial(test_rejection.test_gamma_variables_of_any_shape_and_rate, 1),
        test_log_gamma.test_the_standardised_logarithm_is_that_of_the_sample_itself,
        partial(test_grep.test_gamma_gradients_are_the_closed_form, 1),
    ],
    "dirichlet": [
        partial(test_rsvi.test_laws_made_of_gamma_variables_have_closed_form_gradients_too, *DIRICHLET, 1),
        partial(test_grep.test_beta_and_dirichlet_gradients_are_the_closed_form, *DIRICHLET),
    ],
    "von_mises": [
        test_rsvi.test_von_mises_gradients_are_the_closed_form,
        partial(test_ulrich.test_von_mises_angles_follow_the_law_and_none_fails, torch.float64),
    ],
}
SURVIVORS = {
    "gamma.standardize: log_x.detach(): detach dropped": "the standardised noise is made constant anyway",
    "dirichlet.standardize: log_x.detach(): detach dropped": "the standardised noise is made constant anyway",
}
"""What no test can see, and why."""


def made(stem: str) -> list[Mutant]:
    every = mutants(PACKAGE / "distributions" / f"{stem}.py")
    return [mutant for mutant in every if mutant.function in SAMPLERS]


def is_red(test: Callable[[], None]) -> bool:
    try:
        test()
    except Exception:
        return True
    return False


def caught(mutant: Mutant) -> bool:
    with planted(mutant.file, mutant.tree):
        return any(is_red(test) for test in TESTS[mutant.file.stem])


@pytest.mark.slow
@pytest.mark.parametrize("stem", TESTS)
def test_generated_faults_of_samplers_are_caught(stem: str) -> None:
    torch.set_num_threads(1)
    for test in TESTS[stem]:
        test()
    left = [mutant.key for mutant in made(stem) if mutant.key not in SURVIVORS and not caught(mutant)]
    assert not left


def test_survivors_of_samplers_are_still_there() -> None:
    assert set(SURVIVORS) <= {mutant.key for stem in TESTS for mutant in made(stem)}
