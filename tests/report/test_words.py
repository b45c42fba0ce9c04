import math

import pandas as pd
import pytest

from reparam.evidence.claims import Quantity, Rule
from reparam.evidence.verdicts import REDUCED
from reparam.report import words
from reparam.report.markdown import split_title, to_html

A, B = Quantity("fig2-*", "pathwise", "elbo/test"), Quantity("", "wake_sleep", "elbo/test")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (-133.44, "−133.4"),
        (1e-12, "1e−12"),
        (math.nan, "NaN"),
        (None, "—"),
        (pd.NA, "—"),
        (0, "0"),
        (-math.inf, "−∞"),
    ],
)
def test_number(value: object, text: str) -> None:
    assert words.number(value) == text


def test_interval_shows_open_ends_and_nothing_when_unknown() -> None:
    assert words.interval(-math.inf, 2.5) == "[−∞, 2.5]"
    assert words.interval(math.nan, math.nan) == ""


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (Rule("ordering", A, B, at_least=0.0),
         "elbo/test of pathwise in fig2-* exceeds elbo/test of wake_sleep, seed by seed."),
        (Rule("value", A, target=-3.0, margin=0.5), "elbo/test of pathwise in fig2-* is −3 within ± 0.5."),
        (Rule("ratio", A, B, at_least=2.0),
         "The ratio of elbo/test of pathwise in fig2-* to elbo/test of wake_sleep is at least 2."),
        (Rule("slope", A, at_most=0.0, x="task.latent", log="x"),
         "The slope of elbo/test of pathwise in fig2-* against task.latent (logarithmic) is at most 0."),
        (Rule("identity", Quantity("kl", "exact", "gap", ("samples_seen", 100.0)), target=0.0, margin=1e-6),
         "gap of exact in kl (at samples seen 100) is 0 to a tolerance of 1e−6."),
        (Rule("value", Quantity("e", "m", "elbo/test", ("largest", "elbo/valid")), at_most=1.0),
         "elbo/test of m in e (where elbo/valid is largest) is at most 1."),
        (Rule("identity", A, at_least=0.0), "elbo/test of pathwise in fig2-* is at least 0."),
        (Rule("value", Quantity("e", "m", "a", "first", "b"), at_most=1.0),
         "a minus b of m in e (at the first row) is at most 1."),
        (Rule("value", Quantity("e", "m", "a", reach=Quantity("", "n", "a")), at_most=1.0),
         "the samples seen until a of m in e reaches the level of a of n is at most 1."),
    ],
)  # fmt: skip
def test_rule(rule: Rule, text: str) -> None:
    assert words.rule(rule) == text


def test_every_verdict_has_a_mark_and_a_meaning() -> None:
    judged = {"replicated", "contradicted", *REDUCED.values(), "undecided"}
    assert set(words.VERDICTS) == {*judged, "not run", "unjudged"}
    assert all(mark and meaning for mark, _, meaning in words.VERDICTS.values())


def test_markdown_keeps_html_as_text_and_loads_no_picture() -> None:
    html = to_html(
        "## A\n\n<img src=x> ![alt](https://example.org/a.png) [in](docs/x.md) [no](javascript:alert(1))"
    )
    assert "<h4>A</h4>" in html
    assert "<img" not in html and "alt" in html and "example.org" not in html
    assert "docs/x.md" not in html and 'href="javascript' not in html


def test_title_is_the_first_heading() -> None:
    assert split_title("# A b\n\ntext", "key") == ("A b", "\ntext")
    assert split_title("text", "key") == ("key", "text")
