"""How far a cell is, read from its folder."""

import json
from pathlib import Path

import pytest

from reparam.plan.config import parse
from reparam.plan.plan import make_plan
from reparam.plan.state import State, cell_folder, forget_lost, state

TOY = Path(__file__).parents[1] / "workflow"


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "ok"),
        ({"status": "diverged"}, "diverged"),
        ({"status": "failed"}, "failed"),
        ({"source": "older"}, "stale"),
        ({"spec": "0" * 64}, "missing"),
        ({"format": 0}, "missing"),
        (None, "missing"),
    ],
)
def test_a_seed_counts_for_its_own_spec_source_and_format(tmp_path, changed, expected):
    (cell, *_) = make_plan(parse({"scale": "quick", "seeds": "4,"}), TOY).selected
    folder = cell_folder(tmp_path, cell)
    if changed is not None:
        record = {"format": 1, "seed": 4, "status": "ok", "spec": cell.spec_hash, "source": "now", **changed}
        folder.mkdir(parents=True)
        (folder / "seed-4.json").write_text(json.dumps(record))
    nothing = dict.fromkeys(("ok", "diverged", "failed", "stale", "missing"), 0)
    assert state(cell, tmp_path, "now") == State(**{**nothing, expected: 1})


def test_a_job_is_not_done_when_results_of_its_cells_are_gone(tmp_path):
    first, second = make_plan(parse({"scale": "quick", "seeds": "4,"}), TOY).selected[:2]
    for cell in (first, second):
        folder = cell_folder(tmp_path, cell)
        folder.mkdir(parents=True)
        (folder / "seed-4.json").write_text("{}")
    marks = tmp_path / "quick" / "jobs"
    marks.mkdir()
    for name in ("one.json", "two.json", "judged"):
        (marks / name).touch()
    packs = {"one": (first,), "two": (second,)}
    forget_lost(tmp_path, "quick", packs)
    assert {mark.name for mark in marks.iterdir()} == {"one.json", "two.json", "judged"}
    (cell_folder(tmp_path, second) / "seed-4.json").unlink()
    forget_lost(tmp_path, "quick", packs)
    assert {mark.name for mark in marks.iterdir()} == {"one.json"}
