"""From a results tree to tables: what counts, what is refused, what is written."""

import json
import math
import subprocess
import sys

import pandas as pd
import pytest
from synthetic import (
    Cell,
    claim,
    ordering,
    paper,
    quantity,
    write_manifest,
    write_seed,
    write_values,
)

from reparam.errors import OutputError, ReparamError
from reparam.evidence import tables
from reparam.evidence.build import build, write
from reparam.evidence.scoreboard import scoreboard, summary

A, B = (Cell("quick", "p", "e", x) for x in "ab")
BETTER, WORSE = [2.0, 2.1, 1.9, 2.05, 1.95], [1.02, 1.08, 0.93, 1.0, 0.97]


def filled(root, cells=(A, B)):
    for cell in cells:
        write_values(root, cell, BETTER if cell.estimator == "a" else WORSE)


def evidence(root, *claims, cells=(A, B), reference=None):
    return build("quick", root, [paper(root, claims or [claim(ordering())], cells)], reference)


def refused(root, *claims, **kwargs):
    with pytest.raises(ReparamError) as error:
        evidence(root, *claims, **kwargs)
    assert "\n" not in str(error.value)
    return str(error.value)


def test_an_empty_tree_still_gives_full_tables(tmp_path):
    found = evidence(tmp_path)
    row = found.claims.iloc[0]
    assert row["verdict"] == "not run" and row["detail"] == "planned at this scale (quick), no results yet"
    assert found.coverage[["planned", "missing"]].sum().tolist() == [10, 10]
    for name, columns in tables.COLUMNS.items():
        assert list(getattr(found, name).columns) == list(columns)


def test_not_run_says_which_scale_would(tmp_path):
    large = [Cell("paper", "p", "large", x) for x in "ab"]
    rule = ordering(left=quantity("a", "large"))
    filled(tmp_path)
    row = evidence(tmp_path, claim(rule), cells=[A, B, *large]).claims.iloc[0]
    assert (row["verdict"], row["detail"]) == ("not run", "not planned at quick; runs at paper")
    partly = evidence(tmp_path, claim(ordering(), rule), cells=[A, B, *large]).claims.iloc[0]
    assert partly["verdict"] == "undecided"
    assert "1 of 2 rules not planned at quick; runs at paper" in partly["detail"]


def test_a_missing_match_keeps_a_claim_from_holding(tmp_path):
    more = [Cell("quick", "p", "e-2", x) for x in "ab"]
    filled(tmp_path)
    row = evidence(tmp_path, claim(ordering(left=quantity("a", "e*"))), cells=[A, B, *more]).claims.iloc[0]
    assert row["verdict"] == "undecided" and "not run: e-2" in row["detail"]


def test_coverage_counts_every_planned_seed_once(tmp_path):
    write_seed(tmp_path, A, 0, [(0, "elbo/test", 1.0)])
    write_seed(tmp_path, A, 1, [], status="diverged")
    write_seed(tmp_path, A, 2, [], status="failed", history=None, reason="killed")
    write_seed(tmp_path, A, 7, [(0, "elbo/test", 1.0)])
    row = evidence(tmp_path).coverage.iloc[0]
    assert row[["planned", "done", "diverged", "failed", "missing"]].tolist() == [6, 2, 1, 1, 2]


def test_work_files_pictures_and_stale_seeds_do_not_count(tmp_path):
    filled(tmp_path)
    folder = tmp_path / "quick" / A.path
    (folder / ".seed-5.json.123.tmp").write_text("{half")
    (folder / "seed-0.npz").write_bytes(b"\0")
    (folder / "seed-6.parquet").write_bytes(b"\0")
    write_seed(tmp_path, A, 8, [(0, "elbo/test", 99.0)], spec="0" * 64)
    write_seed(tmp_path, A, 9, [(0, "elbo/test", 99.0)], source="older")
    write_manifest(tmp_path, A)
    found = evidence(tmp_path)
    assert sorted(found.cells.query("estimator == 'a'")["seed"]) == [0, 1, 2, 3, 4]
    assert found.claims.iloc[0]["verdict"] == "holds (reduced)"


def test_cells_of_other_specs_are_listed_and_not_counted(tmp_path):
    filled(tmp_path)
    old = Cell("quick", "p", "e", "a", task={"old": True})
    write_values(tmp_path, old, [-9.0] * 5)
    found = evidence(tmp_path)
    assert found.leftover.to_dict("records") == [
        {
            "source": "run",
            "scale": "quick",
            "paper": "p",
            "experiment": "e",
            "estimator": "a",
            "cell": old.cell,
        }
    ]
    assert found.claims.iloc[0]["verdict"] == "holds (reduced)"
    assert old.cell not in set(found.cells["cell"])


def test_a_grid_s_candidates_are_listed_where_the_seeds_are_of_its_choice(tmp_path):
    choose = {"over": {"training.optimiser.rate": [0.1, 0.2]}, "largest": "elbo/valid"}
    cell = Cell("quick", "p", "e", "a", training={"choose": choose})
    write_values(tmp_path, cell, [1.0] * 5)
    record = {
        "format": 1,
        "spec": cell.spec_hash,
        "source": "s" * 64,
        "chosen": 1,
        "candidates": [
            {"options": {"training.optimiser.rate": 0.1}, "diverged": 7, "readings": {"objective": None}},
            {"options": {"training.optimiser.rate": 0.2}, "diverged": None, "readings": {"elbo/valid": -3.0}},
        ],
    }
    file = tmp_path / "quick" / cell.path / "choice.json"
    file.write_text(json.dumps(record))
    rows = evidence(tmp_path, cells=(cell, B)).choices
    assert rows[["candidate", "metric", "chosen", "decides"]].values.tolist() == [
        [0, "elbo/valid", False, True],
        [0, "objective", False, False],
        [1, "elbo/valid", True, True],
    ]
    assert rows["diverged"].tolist()[0] == 7 and rows["reading"].tolist()[2] == -3.0
    file.write_text(json.dumps({**record, "source": "another"}))
    assert evidence(tmp_path, cells=(cell, B)).choices.empty


@pytest.mark.parametrize("cell", [A, Cell("quick", "p", "e", "a", task={"old": True})])
def test_another_format_is_refused_by_name(tmp_path, cell):
    filled(tmp_path)
    write_seed(tmp_path, cell, 0, [], format=2)
    said = refused(tmp_path)
    assert str(cell.path) in said and "format 2" in said and "move the folder" in said
    write_seed(tmp_path, cell, 0, [])
    write_manifest(tmp_path, cell, format=99)
    assert "format 99" in refused(tmp_path)


def test_corrupt_files_are_named_and_never_used(tmp_path):
    filled(tmp_path)
    history = tmp_path / "quick" / A.path / "seed-2.parquet"
    good = history.read_bytes()
    history.write_bytes(good[:-1] + b"?")
    said = refused(tmp_path)
    assert "seed-2.parquet" in said and said.count("SHA-256") == 1
    history.unlink()
    assert "history is gone" in refused(tmp_path)
    history.write_bytes(good)
    (history.parent / "seed-2.json").write_text("{")
    assert "seed-2.json" in refused(tmp_path)
    write_seed(tmp_path, A, 2, [], status="fine")
    assert "not a valid status" in refused(tmp_path)


def test_an_unknown_metric_is_an_error_once_there_are_results(tmp_path):
    typo = claim(ordering(left=quantity("a", metric="elbo/tset")))
    assert evidence(tmp_path, typo).claims.iloc[0]["verdict"] == "not run"
    filled(tmp_path)
    said = refused(tmp_path, typo)
    assert "C-1" in said and "'elbo/tset'" in said and "did you mean 'elbo/test'" in said
    slope = {"kind": "slope", "left": quantity(), "x": "task.latnt", "at_least": 0}
    assert "task.latnt" in refused(tmp_path, claim(slope))


def test_hostile_names_are_only_text(tmp_path):
    name = "<script>alert(1)</script>, \"x\"; DROP 'e' \u202e\n"[:40].replace("/", "∕")
    cells = [Cell("quick", "p", name, x) for x in "ab"]
    filled(tmp_path, cells)
    rule = ordering(left=quantity("a", "<script>*"))
    found = evidence(tmp_path, claim(rule, id=name), cells=cells)
    write(found, tmp_path / "quick" / "tables")
    for kind in ("claims", "comparisons"):
        parquet = pd.read_parquet(tmp_path / "quick" / "tables" / f"{kind}.parquet")
        csv = pd.read_csv(tmp_path / "quick" / "tables" / f"{kind}.csv")
        assert parquet["claim"][0] == csv["claim"][0] == name
    assert found.claims.iloc[0]["verdict"] == "holds (reduced)"


def test_a_changed_rule_is_marked_for_ever(tmp_path):
    def run(margin):
        found = evidence(tmp_path, claim(ordering(margin=margin)))
        write(found, tmp_path / "quick" / "tables")
        assert ("rule changed" in scoreboard(found, "quick").replace("\n", " ")) == found.claims.iloc[0][
            "rule_changed"
        ]
        return found.claims.iloc[0]

    assert not run(9.0)["rule_changed"]  # no data yet: the rule is still free
    filled(tmp_path)
    assert not run(0.0)["rule_changed"]
    assert not run(0.0)["rule_changed"]
    changed = run(0.5)
    assert changed["rule_changed"] and len(changed["rule_digest"]) == 64
    assert run(0.0)["rule_changed"]
    (tmp_path / "quick" / "tables" / "rules.json").write_text('{"p/C-1": 3}')
    assert "rules.json" in refused(tmp_path)


def test_kept_results_are_judged_beside_the_run_in_their_own_setting(tmp_path):
    kept = [Cell("paper", "p", "e", x) for x in "ab"]
    reference = tmp_path / "reference"
    filled(reference, kept)
    found = evidence(tmp_path, cells=[A, B, *kept], reference=reference)
    assert found.claims[["source", "scale", "verdict"]].to_numpy().tolist() == [
        ["run", "quick", "not run"],
        ["reference", "paper", "replicated"],
    ]
    assert set(found.cells["source"]) == {"reference"} == set(found.metrics["source"])
    assert set(found.coverage["scale"]) == {"quick"}
    assert "kept reference results" in scoreboard(found, "quick")


def test_tables_are_written_whole_and_nan_survives(tmp_path):
    filled(tmp_path)
    write_seed(tmp_path, A, 0, [(0, "elbo/test", math.nan)])
    found = evidence(tmp_path)
    folder = tmp_path / "quick" / "tables"
    write(found, folder)
    expected = {f"{name}.{kind}" for name in tables.COLUMNS for kind in ("parquet", "csv")} | {"rules.json"}
    assert {path.name for path in folder.iterdir()} == expected
    for name in tables.COLUMNS:
        pd.testing.assert_frame_equal(pd.read_parquet(folder / f"{name}.parquet"), getattr(found, name))
    assert ",elbo/test,NaN\n" in (folder / "metrics.csv").read_text()
    cells = json.loads(found.claims.iloc[0]["evidence"])
    assert cells == [f"quick/{A.path.as_posix()}", f"quick/{B.path.as_posix()}"]


def test_a_refused_write_is_one_line_and_keeps_what_was_there(tmp_path):
    found = evidence(tmp_path)
    (tmp_path / "file").write_text("kept")
    with pytest.raises(OutputError) as error:
        write(found, tmp_path / "file")
    assert "\n" not in str(error.value) and (tmp_path / "file").read_text() == "kept"


def test_the_scoreboard_counts_verdicts_and_reasons(tmp_path):
    filled(tmp_path)
    unseen = {
        "id": "C-2",
        "where": "Fig 4",
        "statement": "pictures",
        "unjudged": "visual",
        "reason": "only seen",
    }
    failing = claim(ordering(left=quantity("b"), right={"estimator": "a"}), id="C-3")
    found = evidence(tmp_path, claim(ordering()), unseen, failing)
    assert (
        summary(found.claims)
        == "3 claims: 1 holds (reduced), 1 unjudged, 1 fails (reduced) (unjudged: 1 visual)"
    )
    text = scoreboard(found, "quick")
    (paper,) = found.claims["paper"].unique()
    assert scoreboard(found, "quick", [paper]) == text
    assert "Claims at" not in scoreboard(found, "quick", ["another"])
    assert "C-1" in text and "holds" in text and "visual: only seen" in text
    assert "10 planned, 10 done, 0 diverged, 0 failed, 0 missing" in text
    assert max(map(len, text.splitlines())) <= 160


def test_evidence_never_imports_torch():
    code = "import sys, reparam.evidence.scoreboard; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_oracle_findings_become_a_table(tmp_path):
    found = {"estimator": "a", "problem": "bits", "check": "mean", "passed": True, "z": 1.5, "power": 0.9}
    for root in (tmp_path, tmp_path / "reference"):
        folder = root / "quick" / "oracles"
        folder.mkdir(parents=True)
        (folder / "a.json").write_text(
            json.dumps({"findings": [found | {"options": {"samples": 2}, "draws": 10_000}, {}]})
        )
    table = evidence(tmp_path, reference=tmp_path / "reference").oracles
    assert table["source"].tolist() == ["run", "run", "reference", "reference"]
    row, bare = table.iloc[0], table.iloc[1]
    assert {name: row[name] for name in found} == found
    assert row["options"] == '{"samples": 2}' and row["draws"] == 10_000
    assert bare["estimator"] == "a" and bare[["problem", "passed", "z", "power"]].isna().all()


@pytest.mark.parametrize("content", ["{}", "[1]", '{"findings": [1]}', "[", ""])
def test_a_file_that_holds_no_findings_is_one_line(tmp_path, content):
    (tmp_path / "quick" / "oracles").mkdir(parents=True)
    (tmp_path / "quick" / "oracles" / "a.json").write_text(content)
    assert "a.json: no list of findings; delete it and run" in refused(tmp_path)
