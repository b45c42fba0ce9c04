"""What the README says works."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()


def code_blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def test_the_python_examples_run_and_say_what_is_true(capsys: pytest.CaptureFixture[str]) -> None:
    """∇ is p(1 − p)(f(1) − f(0)) = 0.1 at p = 1/2; means within six standard errors of 100,000 draws."""
    names: dict[str, Any] = {}
    for example in code_blocks("python"):
        exec(compile(example, "README.md", "exec"), names)
    *moments, trained = capsys.readouterr().out.splitlines()
    assert len(moments) == 3
    for line in moments:
        mean, variance, error = (
            [float(n) for n in part.split(", ")] for part in re.findall(r"\[(.*?)\]", line)
        )
        for m, v, e in zip(mean, variance, error, strict=True):
            assert abs(m - 0.1) <= 6 * e + 1e-4
            assert e == pytest.approx((v / 100_000) ** 0.5, abs=6e-5)  # printed to four decimals
    assert [line.split()[-1] for line in moments] == ["8", "2", "2"]
    assert all(float(p) < 0.1 for p in re.findall(r"\d\.\d+", trained))


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
