"""A lock is cleared when its owner is dead, and in no other case."""

import json
import subprocess
import sys

import pytest

from reparam.cells.parent import describe
from reparam.plan.stale_lock import take_over

NOTE = "import sys; from pathlib import Path; from reparam.plan.stale_lock import take_over\n"
NOTE += "take_over(Path(sys.argv[1])); print('ready', flush=True); sys.stdin.read()"


@pytest.fixture
def owner(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", NOTE, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout.readline() == b"ready\n"
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "0.input.lock").write_text("a\n")
    yield process
    process.kill()
    process.communicate()


def test_a_dead_owners_lock_is_cleared_once(tmp_path, owner):
    owner.kill()
    owner.communicate()
    assert take_over(tmp_path) and not (tmp_path / "locks").exists()
    assert not take_over(tmp_path)


def test_a_living_owners_lock_stays(tmp_path, owner):
    assert not take_over(tmp_path) and (tmp_path / "locks" / "0.input.lock").exists()


def test_a_lock_of_unknown_origin_stays(tmp_path):
    (tmp_path / "locks").mkdir()
    (tmp_path / "locks" / "0.input.lock").write_text("a\n")
    assert not take_over(tmp_path) and not take_over(tmp_path)
    assert (tmp_path / "locks" / "0.input.lock").exists()


def test_a_later_process_with_the_same_id_is_not_the_owner(tmp_path, owner):
    note = next((tmp_path / "owners").glob("*.json"))
    content = json.loads(note.read_text())
    content["process"] = describe(owner.pid).partition(":")[0] + ":1.00"
    note.write_text(json.dumps(content))
    assert take_over(tmp_path)


def test_the_lock_of_another_machine_stays(tmp_path, owner):
    owner.kill()
    owner.communicate()
    note = next((tmp_path / "owners").glob("*.json"))
    note.write_text(json.dumps({**json.loads(note.read_text()), "machine": "elsewhere"}))
    assert not take_over(tmp_path)
