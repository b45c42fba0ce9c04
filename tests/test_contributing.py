"""What CONTRIBUTING.md shows works as it stands."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

from reparam import estimators
from reparam.estimators.base import registry
from reparam.estimators.summary import summarise
from reparam.measure import contract
from reparam.measure.problems import PROBLEMS

ROOT = Path(__file__).resolve().parent.parent
NUMBERS = 200
"""Tested at most."""
TEXT = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_the_estimator_is_registered_and_keeps_the_contract(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """On a few of the problems. False alarms: NUMBERS at moments.LEVEL each."""
    (code,) = re.findall(r"^```python\n(.*?)^```", TEXT, re.DOTALL | re.MULTILINE)
    (tmp_path / "my_estimator.py").write_text(code, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    estimators.names()
    monkeypatch.setattr(registry, "_entries", dict(registry._entries))
    importlib.import_module("my_estimator")
    for title in set(PROBLEMS) - {"bits_one_layer", "bits_two_layers", "normal_one_layer"}:
        monkeypatch.delitem(PROBLEMS, title)
    findings = contract.check(estimators.get("my_estimator"))
    assert [finding.detail for finding in findings if not finding.passed] == []
    assert sum(finding.check == "mean" for finding in findings) == 6
    assert sum(finding.tests for finding in findings) <= NUMBERS
    assert summarise("my_estimator").options[0].meaning == "Independent samples per estimate, averaged."


def test_every_name_and_file_that_it_mentions_is_there() -> None:
    base = importlib.import_module("reparam.estimators.base")
    for name in ("hard_run", "scored", "over_samples", "signal_of", "on_plate", "log_q", "restate"):
        assert f"`{name}`" in TEXT and callable(getattr(base, name))
    tables = {"PROMISES": "test_contract", "BIBLIOGRAPHY": "test_cards", "CLAIMS": "test_cards"}
    for table, file in tables.items():
        source = (ROOT / "tests" / "estimators" / f"{file}.py").read_text(encoding="utf-8")
        assert f"`{table}`" in TEXT and re.search(rf"^{table} = ", source, re.MULTILINE)
