"""The contract can fail: every falsified line of a card turns it red, and so do estimators with a fault."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from statistics import NormalDist
from typing import Any

import pytest
import torch

from reparam import estimators
from reparam.estimators import card as cards
from reparam.estimators.base import Estimator, Terms
from reparam.estimators.card import Requirement
from reparam.estimators.exact import Exact
from reparam.estimators.score_function import ScoreFunction
from reparam.measure import contract
from reparam.measure.contract.cases import Case
from reparam.measure.contract.moments import BOUND, LEVEL, compare
from reparam.measure.contract.promises import _loop
from reparam.measure.problems import PROBLEMS
from reparam.noise import generator

FEW = (
    "bits_one_layer",
    "bits_two_layers",
    "one_hot_one_layer",
    "index_one_layer",
    "normal_one_layer",
    "normal_two_layers",
    "logistic_one_layer",
    "index_above_bits",
    "bits_log_weight",
    "one_hot_log_weight",
    "index_log_weight",
    "normal_log_weight",
)


@pytest.fixture(autouse=True)
def few_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    for title in set(PROBLEMS) - set(FEW):
        monkeypatch.delitem(PROBLEMS, title)


def falsified(name: str, **changes: Any) -> type[Estimator]:
    """The estimator with another card."""
    kind = estimators.get(name)
    return type(f"False{kind.__name__}", (kind,), {"card": replace(kind.card, **changes)})


def failing(kind: type[Estimator], *checks: str) -> list[contract.Finding]:
    return [finding for finding in contract.check(kind, checks) if not finding.passed]


SEVERAL = ("score_function", "pathwise", "exact", "disarm", "rebar", "straight_through", "nvil", "vimco")
REQUIREMENTS = {entry.words: entry for entry in vars(cards).values() if isinstance(entry, Requirement)}


def only_default(name: str) -> dict[str, Any]:
    """Fewer settings: the first, and one with several samples where there is one (the objectives part there)."""
    settings = estimators.get(name).card.settings
    several = [options for options in settings if options.get("samples", 1) > 1]
    return {"settings": (settings[0], *several[:1])}


ADMITTED = {
    words: frozenset(
        type(site.law).__name__
        for title in FEW
        for site in Case(estimators.get("score_function"), {}, title).sites.values()
        if entry.holds(site.law)
    )
    for words, entry in REQUIREMENTS.items()
}


@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.parametrize("field", ["title", "what", "formula", "when", "paper"])
def test_blank_text_is_caught(name: str, field: str) -> None:
    assert not failing(estimators.get(name), "text")
    assert failing(falsified(name, **{field: " "}), "text")


@pytest.mark.parametrize("name", SEVERAL)
def test_a_paper_without_a_year_is_caught(name: str) -> None:
    assert failing(falsified(name, paper="A paper (arXiv:1234.56789)"), "text")


@pytest.mark.parametrize("name", SEVERAL)
def test_settings_that_do_not_begin_with_the_default_or_are_none_are_caught(name: str) -> None:
    assert failing(falsified(name, settings=()), "text")
    if name != "exact":
        assert failing(falsified(name, settings=(estimators.get(name).card.settings[1],)), "text")


@pytest.mark.parametrize("name", SEVERAL)
def test_a_false_word_on_the_bias_is_caught(name: str) -> None:
    unbiased = estimators.get(name).card.unbiased
    assert failing(falsified(name, unbiased=not unbiased, **only_default(name)), "text", "means")


@pytest.mark.parametrize("name", SEVERAL)
def test_a_false_word_on_the_derivative_is_caught(name: str) -> None:
    needs = estimators.get(name).card.needs_derivative
    assert failing(falsified(name, needs_derivative=not needs, **only_default(name)), "derivative")


@pytest.mark.parametrize("name", SEVERAL)
def test_a_false_count_of_evaluations_is_caught(name: str) -> None:
    right = estimators.get(name).card.evaluations
    assert failing(falsified(name, evaluations=lambda e, sites: right(e, sites) + 1), "evaluations")


@pytest.mark.parametrize("name", ["exact", "disarm", "rebar"])
def test_a_count_that_is_right_for_one_site_only_is_caught(name: str) -> None:
    right = estimators.get(name).card.evaluations
    wrong = falsified(name, evaluations=lambda e, sites: right(e, dict([next(iter(sites.items()))])))
    assert next(finding.problem for finding in failing(wrong, "evaluations")) == "bits_two_layers"


@pytest.mark.parametrize("name", SEVERAL)
def test_false_tunables_are_caught(name: str) -> None:
    tunables = estimators.get(name).card.tunables
    assert failing(falsified(name, tunables=tunables | {"ghost"}), "text", "own parameters")
    if tunables:
        assert failing(falsified(name, tunables=frozenset()), "text", "own parameters")


@pytest.mark.parametrize("name", SEVERAL)
def test_a_false_word_on_given_signals_is_caught(name: str) -> None:
    takes = estimators.get(name).card.given_signal
    assert failing(falsified(name, given_signal=not takes), "text", "signals")


@pytest.mark.parametrize("name", [name for name in SEVERAL if estimators.get(name).card.unbiased])
@pytest.mark.parametrize("objective", ["expectation", "bound", "wake", "combination"])
def test_a_false_objective_is_caught(name: str, objective: str) -> None:
    """With one sample the bound is the expectation: of an estimator that draws no more it says the same."""
    card = estimators.get(name).card
    single = all(options.get("samples", 1) == 1 for options in card.settings)
    if objective != card.objective and not (single and objective == "bound"):
        assert failing(falsified(name, objective=objective, **only_default(name)), "text", "means")


@pytest.mark.slow
@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.parametrize("words", REQUIREMENTS)
def test_a_requirement_too_narrow_or_too_wide_is_caught(name: str, words: str) -> None:
    """One that admits the same laws says the same."""
    card = estimators.get(name).card
    if ADMITTED[words] == ADMITTED[card.requires.words]:
        return
    false = {"requires": REQUIREMENTS[words]}
    assert failing(falsified(name, **false), "refusals", "reach") or failing(
        falsified(name, **false, **only_default(name)), "means"
    )


class Shrunk(Estimator):
    """Everything it estimates is 5 % too small."""

    def estimate(self, *arguments: Any) -> Terms:
        terms = super().estimate(*arguments)
        return terms._replace(losses=tuple(0.95 * loss for loss in terms.losses))


class Misread(Estimator):
    """Its gradient is right, and its value 5 % too small."""

    def estimate(self, *arguments: Any) -> Terms:
        terms = super().estimate(*arguments)
        return terms._replace(value=0.95 * terms.value)


class Forgetful(Estimator):
    """Never learns anything of its own."""

    def estimate(self, run: Any, params: Any, noise: Any, tunables: Any, memory: Any) -> Terms:
        terms = super().estimate(run, params, noise, tunables, memory)
        loss = terms.tunable_loss
        return terms._replace(memory=memory, tunable_loss=None if loss is None else loss.detach())


class Pooled(Estimator):
    """Sums the value over the data inside."""

    def estimate(self, run: Any, *arguments: Any) -> Terms:
        def summed(params: Any, choose: Any) -> Any:
            trace = run(params, choose)
            return trace._replace(value=torch.zeros_like(trace.value) + trace.value.sum() / len(trace.value))

        summed.sites, summed.signals = run.sites, run.signals
        return super().estimate(summed, *arguments)


class Deaf(Estimator):
    """Gives every datum the noise of the first."""

    def estimate(self, run: Any, params: Any, noise: Any, *rest: Any) -> Terms:
        same = {
            site: {role: draws[:, :1].expand_as(draws) for role, draws in roles.items()}
            for site, roles in noise.items()
        }
        return super().estimate(run, params, same, *rest)


class Broken(Estimator):
    def estimate(self, *arguments: Any) -> Terms:
        raise RuntimeError("out of\nluck")


def faulty(fault: type, name: str) -> type[Estimator]:
    kind = estimators.get(name)
    card = replace(kind.card, settings=kind.card.settings[:1])
    return type(fault.__name__, (fault, kind), {"card": card, "__module__": fault.__module__})


@pytest.mark.parametrize(
    "name",
    ["score_function", "pathwise", "exact", "arm", "disarm", "rebar", "measure_valued", "vimco", "muprop"],
)
def test_a_shrink_of_a_twentieth_is_caught(name: str) -> None:
    assert any(finding.check == "mean" for finding in failing(faulty(Shrunk, name), "means"))


def test_a_wrong_value_is_caught() -> None:
    found = failing(faulty(Misread, "pathwise"), "means")
    assert found and all(finding.check == "value" for finding in found)


def test_own_parameters_that_never_move_are_caught() -> None:
    (memory,) = failing(
        type(
            "Held",
            (Forgetful, ScoreFunction),
            {"card": replace(ScoreFunction.card, settings=({"baseline": "moving_average"},))},
        ),
        "own parameters",
    )
    assert "memory" in memory.detail and "never changes" in memory.detail
    (both, *_) = failing(faulty(Forgetful, "nvil"), "own parameters")
    assert "never changes" in both.detail and "never has a gradient" in both.detail


def test_a_plate_that_is_pooled_is_caught() -> None:
    found = failing(faulty(Pooled, "score_function"), "plates")
    assert {finding.problem for finding in found} == {"bits_one_layer", "bits_two_layers"}


def test_what_an_estimator_raises_is_a_finding_in_one_line() -> None:
    (found,) = failing(faulty(Broken, "pathwise"), "means")
    line = Broken.estimate.__code__.co_firstlineno + 1
    assert found.detail == f"it raises RuntimeError: out of luck, at measure/test_contract_catches.py:{line}"


def test_torch_s_essay_on_vmap_is_put_in_our_words() -> None:
    class Branching(ScoreFunction):
        def estimate(self, run, params, noise, *rest) -> Terms:
            return (
                super().estimate(run, params, noise, *rest) if next(iter(noise["z"].values())).sum() else None
            )

    (found,) = failing(Branching, "means")
    assert found.detail.startswith(
        "it must be made of tensor operations alone, without .item(), numpy, an `if` or"
    )
    assert re.search(r"\(torch says: .* …\), at measure/test_contract_catches.py:\d+$", found.detail)
    assert "\n" not in found.detail and len(found.detail) < 350


def test_settings_that_make_no_estimator_are_findings() -> None:
    wrong = falsified("exact", settings=({}, {"samples": 2}, "samples"))
    first, second = contract.check(wrong)
    assert (first.check, first.passed, first.options) == ("settings", False, {"samples": 2})
    assert "setting {'samples': 2} makes no estimator: estimator 'FalseExact' has no opt" in first.detail
    assert "setting 'samples' makes no estimator: TypeError" in second.detail and second.row()


def test_a_forgotten_dataclass_is_a_finding() -> None:
    class Undecorated(Exact):
        size: int = 1

    (found,) = contract.check(Undecorated)
    assert "write @dataclass(frozen=True) above the class Undecorated" in found.detail and not found.passed


def test_noise_that_is_not_used_is_caught() -> None:
    """A datum whose gradient does not depend on its own noise."""
    kind = type("Deaf", (Deaf, ScoreFunction), {})
    assert failing(kind, "plates")


# What the tests of means rest on.


def test_moments_are_judged_by_their_own_theory() -> None:
    """z and power against their formulas written out, on numbers whose mean and variance are known."""
    base = torch.tensor([-1.0, 1.0]).repeat(5000)[:, None]
    found = compare({"a": 0.6 + 0.5 * base}, {"a": torch.tensor([0.61])})
    error, rounding = 0.5 * (10_000 / 9_999) ** 0.5 / 100, 1e-5 * 1.61
    tolerance = BOUND * error + rounding
    assert found.tests == 2 and found.z == pytest.approx(0.01 / (error + rounding / BOUND), rel=1e-4)
    normal = NormalDist()
    sides = [normal.cdf((side * 0.05 * 0.61 - tolerance) / error) for side in (1, -1)]
    assert 0.5 < sum(sides) < 0.9 and found.power == pytest.approx(sum(sides), rel=1e-4)
    assert normal.cdf(-BOUND) * 2 == pytest.approx(LEVEL)


def test_power_is_the_frequency_of_detection() -> None:
    """1,000 samples of 400 draws whose mean is 5 % too small: detected as often as the stated power says, ± 0.05."""
    source = generator("test", "power")
    exact = {"a": torch.tensor([6.5])}
    draws = [torch.randn(400, 1, generator=source) + 0.95 * 6.5 for _ in range(1000)]
    found = [compare({"a": draw}, exact) for draw in draws]
    stated = sum(one.power for one in found) / 1000
    assert 0.3 < stated < 0.9
    assert sum(one.z > BOUND for one in found) / 1000 == pytest.approx(stated, abs=0.05)


def test_a_common_factor_shows_in_the_projection_where_no_coordinate_shows_it() -> None:
    source = generator("test", "projection")
    draws = torch.randn(2_500, 40, generator=source) + 0.95
    assert compare({"together": draws}, {"together": torch.ones(40)}).z > BOUND
    alone = {str(i): draws[:, i : i + 1] for i in range(40)}
    assert compare(alone, {name: torch.ones(1) for name in alone}).z < BOUND


def test_the_weakest_group_sets_the_power() -> None:
    source = generator("test", "weakest")
    draws = {
        "strong": torch.randn(10_000, 1, generator=source) + 100,
        "weak": torch.randn(10_000, 1, generator=source),
    }
    exact = {"strong": torch.tensor([100.0]), "weak": torch.tensor([0.1])}
    assert (
        compare(draws, exact).power
        < 0.01
        < 0.99
        < compare({"strong": draws["strong"]}, {"strong": exact["strong"]}).power
    )


def test_one_draw_without_noise_is_exact_or_wrong() -> None:
    single = {"a": torch.tensor([[1.0, 2.0]])}
    assert compare(single, {"a": torch.tensor([1.0, 2.0])}).z == 0
    assert compare(single, {"a": torch.tensor([1.0, 2.001])}).z > BOUND
    assert compare(single, {"a": torch.tensor([1.0, 2.0])}).power == 1


def test_a_number_that_is_none_never_passes() -> None:
    draws = torch.ones(10, 1).index_fill(0, torch.tensor([3]), math.nan)
    assert compare({"a": draws}, {"a": torch.ones(1)}).z == math.inf


def test_the_loop_that_counts_does_what_vmap_does() -> None:
    tree = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(3, 2)}

    def function(tree: Mapping[str, torch.Tensor], shift: torch.Tensor) -> Any:
        return {"sum": tree["a"].sum() + tree["b"] * shift}, tree["a"]

    for arguments in (
        {"in_dims": ({"a": 1, "b": 0}, None)},
        {"in_dims": ({"a": 1, "b": 0}, 0)},
        {"in_dims": ({"a": 1, "b": 0}, None), "out_dims": 1},
    ):
        shift = torch.arange(3.0) if arguments["in_dims"][1] == 0 else torch.tensor(2.0)
        for found, expected in zip(
            torch.utils._pytree.tree_leaves(_loop(function, **arguments)(tree, shift)),
            torch.utils._pytree.tree_leaves(torch.vmap(function, **arguments)(tree, shift)),
            strict=True,
        ):
            assert torch.equal(found, expected)
