"""SIGKILL anywhere, then run again: the same final history, bit for bit."""

from __future__ import annotations

import signal
from pathlib import Path

import fresh
import kill_driver
import pytest
import small

POINTS = [
    ("step", 1),
    ("step", 57),
    ("step", 150),  # the second seed's 30th step
    ("evaluation", 1),
    ("evaluation", 5),
    ("torn:", 40),
    ("before:checkpoint", 80),
    ("after:checkpoint", 120),
    ("before:seed-0.npz", 1),
    ("before:seed-0.parquet", 1),
    ("after:seed-0.parquet", 1),
    ("after:seed-0.json", 1),
    ("before:seed-3.json", 1),
    ("before:manifest", 1),
]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, bytes]]:
    root = tmp_path_factory.mktemp("undisturbed")
    return {m: small.contents(small.run(root, small.spec(m))) for m in ("pathwise", "mcem")}


def kill(root: Path, method: str, point: str, nth: int) -> None:
    """Run the cell in a process of its own and see it die where it should."""
    output = root / "output"
    died = fresh.call(output, kill_driver.run, root, method, point, nth)
    assert died == -signal.SIGKILL, output.read_text()[-2000:]


@pytest.mark.slow
@pytest.mark.parametrize(("point", "nth"), POINTS, ids=[f"{p}-{n}" for p, n in POINTS])
def test_killed_and_run_again_is_bit_identical(
    point: str, nth: int, tmp_path: Path, undisturbed: dict[str, dict[str, bytes]]
) -> None:
    kill(tmp_path, "pathwise", point, nth)
    folder = small.run(tmp_path, small.spec())
    assert small.contents(folder) == undisturbed["pathwise"]
    assert not list(folder.glob(".*")), "a torn temporary file was left"
    assert not list((tmp_path / "work").iterdir())


@pytest.mark.slow
def test_chains_and_step_sizes_of_mcem_survive(tmp_path: Path, undisturbed: dict) -> None:
    kill(tmp_path, "mcem", "step", 70)
    kill(tmp_path, "mcem", "after:checkpoint", 30)
    assert small.contents(small.run(tmp_path, small.spec("mcem"))) == undisturbed["mcem"]


@pytest.mark.slow
def test_killed_again_and_again_it_still_arrives(tmp_path: Path, undisturbed: dict) -> None:
    for point, nth in (("step", 30), ("torn:", 25), ("evaluation", 1), ("before:checkpoint", 20)):
        kill(tmp_path, "pathwise", point, nth)
    assert small.contents(small.run(tmp_path, small.spec())) == undisturbed["pathwise"]


@pytest.mark.slow
def test_a_kill_in_the_middle(tmp_path: Path, undisturbed: dict) -> None:
    kill(tmp_path, "pathwise", "step", 110)  # in the second block of noise
    assert small.contents(small.run(tmp_path, small.spec())) == undisturbed["pathwise"]
