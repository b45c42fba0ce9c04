"""Kept findings: what is checked again, and which marks go."""

from __future__ import annotations

from pathlib import Path

import pytest

from reparam.plan import checks, sources


def test_an_estimator_is_due_until_it_kept_every_promise_with_the_code_of_today(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checks.is_due(tmp_path, "arm")
    checks.keep(tmp_path, "arm", [{"passed": True}, {"passed": False}])
    assert checks.is_due(tmp_path, "arm")
    checks.keep(tmp_path, "arm", [{"passed": True}])
    assert not checks.is_due(tmp_path, "arm")
    monkeypatch.setattr(sources, "oracle_digest", lambda name: "other code")
    assert checks.is_due(tmp_path, "arm")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"source": "x"}'])
def test_what_cannot_be_read_is_checked_again(tmp_path: Path, content: str) -> None:
    (tmp_path / "arm.json").write_text(content)
    assert checks.is_due(tmp_path, "arm")


def test_a_mark_without_its_findings_goes(tmp_path: Path) -> None:
    folder, judged = tmp_path / "smoke" / "oracles", tmp_path / "smoke" / "jobs" / "judged"
    for file in (folder / "done" / "whole", folder / "done" / "lost", judged):
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    checks.keep(folder, "arm", [])
    checks.forget_lost(tmp_path, "smoke", {"whole": ["arm"], "never": ["exact"]})
    assert judged.exists()
    checks.forget_lost(tmp_path, "smoke", {"whole": ["arm"], "lost": ["arm", "rebar"]})
    assert [mark.name for mark in (folder / "done").iterdir()] == ["whole"] and not judged.exists()
