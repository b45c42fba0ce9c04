"""What people are told of an estimator follows from its card and its class."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pytest

from reparam import distributions, estimators
from reparam.distributions import Law
from reparam.errors import ReparamError
from reparam.estimators import summary
from reparam.estimators.card import Requirement
from reparam.estimators.laws import laws
from reparam.estimators.pathwise import Pathwise
from reparam.estimators.summary import summaries, summarise


def test_every_estimator_has_one_in_the_order_of_names() -> None:
    found = summaries()
    assert [entry.name for entry in found] == estimators.names()
    for entry in found:
        assert entry.laws and entry.example_law in entry.laws
        assert entry.evaluations[1] is not None, entry.name  # every estimator works for several sites


def test_every_law_gives_an_example_of_three() -> None:
    known = laws()
    assert (
        {"Bernoulli", "Categorical", "Normal", "OneHotCategorical"}
        <= set(known)
        <= set(distributions.__all__)
    )
    assert "Law" not in known and "Relaxable" not in known
    for name, law in known.items():
        assert isinstance(law, getattr(distributions, name))
        assert law.plate == ()
        assert 3 in law.shape or len(law.support()) == 3  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("name", "handled", "refused"),
    [
        ("pathwise", {"Normal"}, {"Bernoulli", "Categorical", "OneHotCategorical"}),
        ("exact", {"Bernoulli", "Categorical", "OneHotCategorical"}, {"Normal"}),
        ("score_function", {"Bernoulli", "Categorical", "Normal", "OneHotCategorical"}, set()),
    ],
)
def test_laws_are_those_that_the_requirement_holds_for(
    name: str, handled: set[str], refused: set[str]
) -> None:
    found = summarise(name)
    assert handled <= set(found.laws) and not refused & set(found.laws)
    assert found.any_law == (name == "score_function")


def test_evaluations_are_counted_for_one_site_and_two() -> None:
    assert summarise("exact").evaluations == (2**3, 2**6)
    assert summarise("pathwise").evaluations == (1, 1)
    assert summarise("mixed").evaluations == (None, 8)  # its first setting is for two sites


@dataclass(frozen=True)
class Made(Pathwise):
    """A class with every kind of option."""

    how: Literal["fast", "slow"] = "slow"
    """How it is done:
    fast or slow."""
    table: dict[str, Any] = field(default_factory=dict)
    bare: float = 0.5
    card = replace(Pathwise.card, requires=Requirement("the impossible", lambda law: False))


def test_options_carry_default_choices_and_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary.registry, "get", lambda name: Made)
    found = summarise("made")
    assert [(o.name, o.default, o.choices) for o in found.options] == [
        ("samples", "1", ()),
        ("how", "slow", ("fast", "slow")),
        ("table", "{}", ()),
        ("bare", "0.5", ()),
    ]
    samples, how, table, bare = (option.meaning for option in found.options)
    assert samples.startswith("Independent samples")  # inherited
    assert how == "How it is done: fast or slow."
    assert table == bare == ""
    assert found.options[1].words == how  # it names the choices already
    assert replace(found.options[1], meaning="How.").words == "How. One of fast, slow."


def test_an_estimator_for_a_foreign_law_has_no_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summary.registry, "get", lambda name: Made)
    found = summarise("made")
    assert found.laws == () and found.evaluations == (None, None) and not found.own


def test_a_law_without_an_example_says_so() -> None:
    with pytest.raises(
        ReparamError, match=r"the law Law gives no example of itself: add .* example\(\) to it"
    ):
        Law.example()


def test_promises_say_which_option_changes_them() -> None:
    promises = dict(summarise("score_function").promises)
    assert (
        promises["given signals"]
        == "taken in place of values of f; refused with baseline = mean or baseline = optimal"
    )
    assert promises["unbiased"] == "yes" and promises["trains"] == "nothing of its own"


def test_estimators_made_of_scores_say_that_angles_ask_for_a_periodic_f() -> None:
    """The mathematics is in test_score_function.py."""
    told = {
        entry.name
        for entry in summaries()
        if "of VonMises exact only where f is periodic" in str(entry.promises)
    }
    assert {"score_function", "lax", "vimco", "nvil"} <= told
    assert not told & {"pathwise", "implicit", "rsvi", "muprop", "rebar"}
