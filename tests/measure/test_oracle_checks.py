"""The gate before training passes right estimators with their numbers, and stops at the first broken promise."""

from __future__ import annotations

import json

import pytest

from reparam import estimators
from reparam.errors import ReparamError
from reparam.estimators.exact import Exact
from reparam.measure import contract, oracle_checks
from reparam.measure.contract.moments import BOUND


def test_a_right_estimator_passes_with_its_numbers() -> None:
    findings = oracle_checks.check(["pathwise"])
    oracle_checks.require(findings)
    rows = [finding.row() for finding in findings]
    assert json.loads(json.dumps(rows)) == rows
    assert {row["check"] for row in rows} >= {"card", "derivative", "evaluations", "plate", "mean", "value"}
    means = [row for row in rows if row["check"] == "mean"]
    assert {row["problem"] for row in means} >= {"normal_one_layer", "normal_two_layers", "normal_shared"}
    for row in means:
        assert row["estimator"] == "pathwise" and row["passed"] and row["detail"] == ""
        assert 0 < row["z"] < BOUND and 10_000 <= row["draws"] <= 100_000 and row["tests"] > 5
        assert row["power"] > (0.9 if row["options"] == {} else 0)  # other settings get fewer draws


def test_a_broken_promise_stops_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    class Larger(Exact):
        def estimate(self, *arguments):
            terms = super().estimate(*arguments)
            return terms._replace(coefficients=(1.01,))

    monkeypatch.setattr(estimators, "get", lambda name: Larger)
    findings = oracle_checks.check(["exact"])
    failed = sum(not finding.passed for finding in findings)
    with pytest.raises(
        ReparamError,
        match=rf"Larger\(\) on bits_one_layer, mean: .* off the exact one.* \(and {failed - 1} more\); mend",
    ) as caught:
        oracle_checks.require(findings)
    assert "\n" not in str(caught.value)


def test_an_estimator_without_a_problem_does_not_pass_for_want_of_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(contract, "cases", lambda kind: [])
    with pytest.raises(ReparamError, match="nothing that it promises can be tested"):
        oracle_checks.require(oracle_checks.check(["pathwise"]))


def test_a_name_without_checks_does_not_pass_for_want_of_them() -> None:
    with pytest.raises(ReparamError, match="did you mean 'pathwise'"):
        oracle_checks.check(["pathwize"])


def test_a_fault_of_no_problem_names_none(monkeypatch: pytest.MonkeyPatch) -> None:
    class Undecorated(Exact):
        size: int = 1

    monkeypatch.setattr(estimators, "get", lambda name: Undecorated)
    with pytest.raises(
        ReparamError, match=r"oracle check failed: Undecorated\(\), settings: its options are none"
    ):
        oracle_checks.require(oracle_checks.check(["exact"]))
