"""What the README says works."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def code_blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def test_the_python_example_runs_and_its_estimates_agree(capsys: pytest.CaptureFixture[str]) -> None:
    (example,) = code_blocks("python")
    exec(compile(example, "README.md", "exec"), {})
    exact, estimated = (
        [float(number) for number in re.findall(r"-?\d+\.\d+", line)]
        for line in capsys.readouterr().out.splitlines()
    )
    assert exact == pytest.approx([0.025] * 3, abs=1e-4)  # p(1 - p)(f(1) - f(0)) at p = 1/2
    assert estimated == pytest.approx(exact, abs=0.1)


def test_every_make_target_it_names_exists() -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(
        re.findall(r"make (\w+)", "\n".join([*code_blocks("bash"), *re.findall(r"`(make \w+)`", README)]))
    )
    assert {"reproduce", "test", "verify"} <= named <= targets


def test_every_file_it_points_at_exists() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", README)
    configs = re.findall(r"--configfile (\S+)", README)
    missing = [path for path in [*links, *configs] if not (ROOT / path).exists()]
    assert links and configs and missing == []
