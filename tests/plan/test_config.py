"""Whatever Snakemake's command line makes of a value, it is understood or refused in one line."""

import pytest

from reparam.errors import ReparamError
from reparam.plan.config import Config, parse


def test_nothing_said_means_everything():
    assert parse({"scale": "quick"}) == Config(scale="quick")


def test_null_and_all_are_the_defaults():
    raw = {"scale": "quick", "papers": "all", "experiments": "all", "estimators": "all", "seeds": None}
    assert parse({**raw, "device": "auto", "wandb": None}) == Config(scale="quick")


@pytest.mark.parametrize(
    ("given", "seeds"),
    [
        (3, (0, 1, 2)),
        (1e1, tuple(range(10))),
        ("2", (0, 1)),
        ("0,3,5", (0, 3, 5)),
        ("7,", (7,)),
        ([0, 4], (0, 4)),
        (["0", "4"], (0, 4)),
        ("null", None),
    ],
)
def test_seeds(given, seeds):
    assert parse({"scale": "quick", "seeds": given}).seeds == seeds


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("0,3,0", "seed 0 is given twice"),
        ([1, 1.0], "seed 1 is given twice"),
        (0, "at least 1"),
        (-2, "at least 1"),
        ("1,-2", "less than the minimum"),
        ("many", "expected a count"),
        (2.5, "expected a count"),
        (True, "expected a count"),
        ([[1]], "expected a count"),
        (",", "seeds"),
        (float("inf"), "expected a count"),
    ],
)
def test_bad_seeds(given, said):
    with pytest.raises(ReparamError, match=said) as error:
        parse({"scale": "quick", "seeds": given})
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("given", ["a,b", "a, b", ["a", "b"]])
def test_names_come_as_text_or_list(given):
    assert parse({"scale": "smoke", "estimators": given}).estimators == ("a", "b")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        ({"estimator": "a"}, "unknown key 'estimator'; did you mean 'estimators'"),
        ({"scale": "qick"}, "scale: unknown value 'qick'; did you mean 'quick'"),
        ({"device": "gpu"}, "device: unknown value 'gpu'; did you mean 'cpu'"),
        ({"papers": 3}, "papers: expected array, got 3|papers: give all"),
        ({"papers": [3]}, "papers.0: expected string, got 3"),
        ({"papers": ""}, "papers: give all, or names separated by commas"),
        ({"wandb": "of"}, "wandb: unknown value 'of'; known: disabled, offline, online"),
    ],
)
def test_bad_keys_and_values_are_named(raw, said):
    with pytest.raises(ReparamError, match=said) as error:
        parse({"scale": "quick", **raw})
    assert "\n" not in str(error.value)


def test_a_scale_is_needed():
    with pytest.raises(ReparamError, match="'scale' is a required property"):
        parse({})
