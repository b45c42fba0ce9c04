"""`reparam list estimators` and `reparam explain`: complete, and readable in 80 columns."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from reparam import estimators
from reparam.cli import main
from reparam.plan import sources


def shown(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(list(arguments)) == 0
    return capsys.readouterr().out


@pytest.mark.parametrize("name", estimators.names())
def test_a_card_is_told_in_full_within_80_columns(capsys: pytest.CaptureFixture[str], name: str) -> None:
    text = shown(capsys, "explain", name)
    assert all(cell_len(line) <= 80 and line == line.rstrip() for line in text.splitlines())
    words, card = " ".join(text.split()), estimators.get(name).card
    assert text.startswith(name)
    for part in (card.title, card.what, card.formula, card.when, card.paper, card.requires.words):
        assert " ".join(part.split()) in words
    assert ("unbiased yes" in words) == card.unbiased and ("needs ∂f yes" in words) == card.needs_derivative
    assert all(kind in words for kind in card.tunables)


def test_numbers_come_from_the_card(capsys: pytest.CaptureFixture[str]) -> None:
    words = " ".join(shown(capsys, "explain", "exact").split())
    assert "one site 8 evaluations of f two sites 64 evaluations" in words
    assert "one site 1 evaluation of f" in " ".join(shown(capsys, "explain", "pathwise").split())
    assert "samples = 1 Independent samples" in " ".join(shown(capsys, "explain", "pathwise").split())


def test_without_a_name_it_says_what_can_be_explained(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(capsys, "explain")
    for name in (*estimators.names(), *sources.learners()):
        assert f"\n{name} " in text


def test_a_learner_is_explained_by_its_first_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert "has no card" in shown(capsys, "explain", "wake_sleep")


def test_an_unknown_name_is_one_line_with_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "pathwize"]) == 2
    assert (
        capsys.readouterr().err == "reparam: nothing to explain under 'pathwize'; did you mean 'pathwise'?\n"
    )


def test_the_list_has_a_row_for_every_estimator_and_law(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {
        line.split()[0]: line.split()[1:] for line in shown(capsys, "list", "estimators").splitlines() if line
    }
    for name in estimators.names():
        card = estimators.get(name).card
        assert rows[name][:2] == [
            {True: "yes", False: "no"}[f] for f in (card.unbiased, card.needs_derivative)
        ]
    assert {"wake_sleep", "mcem"} <= set(rows)
    laws = shown(capsys, "list", "distributions")
    assert "Normal" in laws and "pathwise" in laws
