"""Options of another type than their field says, in one line, however an estimator is made."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

import pytest

from reparam import Rebar, ScoreFunction, estimators
from reparam.errors import ReparamError
from reparam.estimators.exact import Exact
from reparam.estimators.options import check_options, lacks_decorator


@dataclass(frozen=True)
class Many(Exact):
    number: float | None = 0.5
    word: str = "a"
    choice: Literal["a", "b"] | int = "a"
    anything: Any = None


@dataclass(frozen=True)
class Based(Many):
    more: int = 0


class Undecorated(Exact):
    size: int = 1


BAD = {
    "no truth": (lambda: Rebar(coupled="no"), "rebar: coupled must be True or False, got 'no'"),
    "one for true": (lambda: Rebar(coupled=1), "rebar: coupled must be True or False, got 1"),
    "nan": (lambda: Rebar(eta=float("nan")), "rebar: eta must be a number, got nan"),
    "text": (lambda: Rebar(eta="x"), "rebar: eta must be a number, got 'x'"),
    "by place": (lambda: Rebar("0.5"), "rebar: temperature must be a number, got '0.5'"),
    "true for one": (lambda: Rebar(eta=True), "rebar: eta must be a number, got True"),
    "from a file": (
        lambda: estimators.make("gumbel_softmax", {"temperature": "0.5"}),
        "gumbel_softmax: temperature must be a number, got '0.5'",
    ),
    "decay": (lambda: estimators.make("nvil", {"decay": "x"}), "nvil: decay must be a number, got 'x'"),
    "a part": (lambda: Rebar(samples=1.0), "rebar: samples must be an integer, got 1.0"),
    "a choice": (
        lambda: ScoreFunction(baseline="leave_one"),
        "score_function: unknown baseline 'leave_one'; did you mean 'leave_one_out'?",
    ),
    "an unknown option": (
        lambda: estimators.make("rebar", {"temperatur": 1}),
        "estimator 'rebar' has no option 'temperatur'; did you mean 'temperature'?",
    ),
    "an unknown argument": (
        lambda: Rebar(etas=1),
        "estimator 'rebar' has no option 'etas'; did you mean 'eta'?",
    ),
    "no options": (
        lambda: estimators.make("exact", {"a": 1}),
        "estimator 'exact' has no option 'a'; it has none",
    ),
    "an optional one": (lambda: Many(number="x"), "Many: number must be a number or None, got 'x'"),
    "a word": (lambda: Many(word=1), "Many: word must be a string, got 1"),
    "a union of choices": (
        lambda: Many(choice="c"),
        "Many: choice must be one of 'a', 'b' or an integer, got 'c'",
    ),
    "an inherited one": (lambda: Based(word=1), "Based: word must be a string, got 1"),
    "no dataclass": (
        lambda: Undecorated(size=2),
        "estimator 'Undecorated' has no option 'size': write @dataclass(frozen=True) above the class Undecorated",
    ),
}


@pytest.mark.parametrize(("make", "message"), BAD.values(), ids=BAD)
def test_bad_options_are_said_in_one_line(make: Callable[[], Any], message: str) -> None:
    with pytest.raises(ReparamError, match=re.escape(message)) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_what_fits_is_taken() -> None:
    for options in ({"number": None}, {"number": 3}, {"choice": 7}, {"choice": "b"}, {"anything": object()}):
        assert vars(Many(**options)).items() >= options.items()
    assert Rebar(1, eta=2).temperature == 1
    assert replace(Rebar(), eta=0.5) == copy.deepcopy(Rebar(eta=0.5)) == Rebar(eta=0.5)


def test_the_forgotten_decorator_is_seen() -> None:
    assert lacks_decorator(Undecorated) and not lacks_decorator(Many) and not lacks_decorator(Exact)


def test_every_default_fits_its_field() -> None:
    for name in estimators.names():
        kind = estimators.get(name)
        for options in kind.card.settings:
            made = kind(**options)
            check_options(name, kind, {field.name: getattr(made, field.name) for field in fields(made)})
