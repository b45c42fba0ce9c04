"""`reparam list estimators` and `reparam explain`: complete, and readable in 80 columns."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.cells import cell_len

from reparam import estimators
from reparam.cli import main
from reparam.estimators.laws import laws
from reparam.measure import contract
from reparam.measure.contract import Finding
from reparam.plan import listing, sources


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
    assert set(laws()) <= set(text.replace(",", " ").split())


@pytest.mark.parametrize("name", laws())
def test_a_law_is_told_in_full_within_80_columns(capsys: pytest.CaptureFixture[str], name: str) -> None:
    """Its docstring, its base noise, what it offers beside every law, and who can handle it."""
    text, law = shown(capsys, "explain", name.lower()), laws()[name]
    assert text.startswith(f"{name}(")
    assert all(cell_len(line) <= 80 and line == line.rstrip() for line in text.splitlines())
    words = " ".join(text.split())
    assert " ".join((type(law).__doc__ or "").split()) in words
    assert ("path not differentiable" in words) != law.reparameterized
    for role in law.noise():
        assert f"{role} " in words
    for method in ("mean", "entropy", "kl", "cdf", "icdf", "support"):
        assert (f" {method} " in words.partition("Offers")[2]) == hasattr(type(law), method)
    for estimator in estimators.names():
        handles = estimators.get(estimator).card.requires.holds(law)
        assert (estimator in words.partition(" Estimators ")[2].split(", ")) == handles


def test_letters_may_be_of_any_case(capsys: pytest.CaptureFixture[str]) -> None:
    assert shown(capsys, "explain", "REBAR") == shown(capsys, "explain", "rebar")
    assert main(["explain", "REBRA"]) == 2
    assert "did you mean 'rebar'?" in capsys.readouterr().err


def test_a_law_s_counterpart_in_torch_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert "Gamma: to_torch() and from_torch() convert" in shown(capsys, "explain", "Gamma")
    assert "has none of this name" in shown(capsys, "explain", "logistic")


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
            ("yes" if card.objective == "expectation" else card.objective) if card.unbiased else "no",
            "yes" if card.needs_derivative else "no",
        ]
    assert {"wake_sleep", "mcem"} <= set(rows)
    laws = {
        line.split()[0]: line.split()[1:]
        for line in shown(capsys, "list", "distributions").splitlines()
        if line
    }
    assert (
        laws["Normal"][0] == "yes"
        and "pathwise," in laws["Normal"]
        and "score_function" not in laws["Normal"]
    )
    assert laws["Bernoulli"][0] == "no" and "arm," in laws["Bernoulli"]
    assert "score_function," in laws["path:"]


def test_the_checks_are_shown_by_estimator_and_problem(capsys: pytest.CaptureFixture[str]) -> None:
    def found(check: str, problem: str = "bits", **fields: object) -> Finding:
        return Finding(
            **{"estimator": "a", "options": {}, "passed": True, "tests": 9, **fields},
            problem=problem,
            check=check,
        )

    findings = [
        found("evaluations"),
        found("mean", z=1.0, power=0.954, draws=20_000),
        found("mean", options={"samples": 2}, z=3.25, power=0.1, draws=10_000),
        found("mean", "biased_one", z=90.0, power=0.2),
        found("bias shows", "biased_one", z=900.0, tests=0),
        found("mean", "wrong_one", z=9.0, power=0.8, passed=False),
    ]
    listing.show_findings(findings, 5.6, 0.05)
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[2:5]]
    assert rows[0] == ["a", "bits", "3", "·", "3.2", "95", "%", "20000"]
    assert rows[1][:6] == ["a", "biased_one", "2", "·", "90.0", "biased"]
    assert rows[2][:6] == ["a", "wrong_one", "1", "1", "9.0", "80"]


def test_a_broken_promise_is_shown_written_and_refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    broken = Finding("exact", {}, "bits", "mean", False, "it is off", z=9.0)
    monkeypatch.setattr(contract, "check", lambda kind: [broken])
    assert main(["oracles", "exact", "--output", str(tmp_path / "exact.json")]) == 2
    shown = capsys.readouterr()
    assert "exact" in shown.out and "oracle check failed: exact() on bits, mean: it is off; mend" in shown.err
    assert json.loads((tmp_path / "exact.json").read_text())[0]["passed"] is False
