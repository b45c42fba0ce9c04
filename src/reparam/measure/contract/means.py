"""Unbiased means are exact, also inside a mixed estimator; biased ones show their bias."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple

import torch

from reparam.errors import ReparamError
from reparam.estimators.base import Estimator, name_of
from reparam.estimators.mixed import Mixed
from reparam.estimators.score_function import ScoreFunction
from reparam.measure.contract.cases import (
    Case,
    Finding,
    State,
    admits,
    by_setting,
    estimates,
    noise_of,
    perturbed,
)
from reparam.measure.contract.moments import BOUND, Comparison, compare

LEAST, MOST = 10_000, 600_000
"""Draws: as many as the aimed power takes, between these, under the first setting; LEAST under the others, which share
its code and get their power from their number."""


class Measured(NamedTuple):
    """An estimator's first moments on a problem."""

    gradient: Comparison
    value: Comparison
    draws: int


def measure(case: Case, state: State, most: int) -> Measured:
    """Means over as many draws as the aimed power takes, tested against the oracle.

    How many that is depends on the standard errors and not on the means, so that it leaves the level alone.
    """
    exact, exact_value = case.exact
    gradients, values = estimates(case, noise_of(case, LEAST, "mean"), state)
    test = compare(gradients, exact)
    more = math.ceil(min(test.needed, most)) - LEAST
    if more > 0 and len(values) > 1:
        others, other_values = estimates(case, noise_of(case, more, "more"), state)
        gradients = {name: torch.cat([gradients[name], others[name]]) for name in exact}
        values = torch.cat([values, other_values])
        test = compare(gradients, exact)
    return Measured(test, compare({"value": values}, {"value": exact_value}), len(values))


def means(found: list[Case]) -> list[Finding]:
    """Of every case; and for each setting that is said to be biased, whether its bias shows on some problem."""
    findings = []
    for number, setting in enumerate(by_setting(found)):
        unbiased = setting[0].estimator.card.unbiased
        biases = []
        for case in setting:
            most = MOST if unbiased and number == 0 else LEAST
            gradient, value, draws = measure(case, case.state, most)
            biases.append(gradient.z)
            findings.append(_finding(case, "mean", "gradient", gradient, draws))
            if unbiased:
                findings.append(_finding(case, "value", "value", value, draws))
            if case.state.tunables:
                gradient, _, draws = measure(case, perturbed(case.state), LEAST)
                findings.append(_finding(case, "mean, tunables moved", "gradient", gradient, draws))
        if not unbiased:
            wrong = "" if max(biases) > BOUND else "it is said to be biased, but is exact on all problems"
            findings.append(setting[0].finding("bias shows", wrong, z=max(biases)))
    return findings


def _finding(case: Case, check: str, what: str, test: Comparison, draws: int) -> Finding:
    wrong = ""
    if case.estimator.card.unbiased and not test.z <= BOUND:
        wrong = (
            f"its mean {what} is {test.z:.3g} standard errors off the exact one, over {draws:,} draws "
            f"(bound {BOUND:.2f})"
        )
    power = test.power if case.estimator.card.unbiased else None  # what is off anyway is not missed
    return case.finding(check, wrong, draws=draws, tests=test.tests, z=test.z, power=power)


def nested(found: list[Case]) -> list[Finding]:
    """An unbiased estimator of E[f] stays so with score_function below or above it, on one problem of two layers.

    What `mixed` itself refuses is left out.
    """
    findings = []
    beside = ScoreFunction()
    for setting in by_setting(found):
        estimator, card = setting[0].estimator, setting[0].estimator.card
        if not card.unbiased or card.objective != "expectation" or isinstance(estimator, Mixed):
            continue
        for check, sites in {
            "outer in mixed": {"top": estimator, "low": beside},
            "inner in mixed": {"top": beside, "low": estimator},
        }.items():
            case = _two_layers(sites, setting)
            try:
                measured = measure(case, case.state, LEAST) if case else None
            except ReparamError as error:
                if not str(error).startswith("mixed: "):
                    raise
                continue
            if case and measured:
                inside = _finding(case, check, "gradient", measured.gradient, measured.draws)
                findings.append(replace(inside, estimator=name_of(estimator), options=setting[0].options))
    return findings


def _two_layers(sites: dict[str, Estimator], setting: list[Case]) -> Case | None:
    """The first problem of this setting that `mixed` accepts with these members."""
    for case in setting:
        inside = Case(Mixed, {"sites": sites}, case.title)
        if set(case.sites) == set(sites) and admits(inside):
            return inside
    return None
