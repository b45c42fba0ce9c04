"""The ranges of pyproject.toml, the exact versions of requirements.lock and environment.yml agree."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCK_LINES = [
    line
    for line in (ROOT / "requirements.lock").read_text().splitlines()
    if line and not line.startswith("#")
]
CONDA = yaml.safe_load((ROOT / "environment.yml").read_text())


def pins(lines: list[str]) -> dict[str, Version]:
    return {
        canonicalize_name(name): Version(version) for name, version in (line.split("==") for line in lines)
    }


LOCK = pins(LOCK_LINES)
RANGES = [
    *PROJECT["project"]["dependencies"],
    *PROJECT["project"]["optional-dependencies"]["dev"],
    *PROJECT["build-system"]["requires"],
]


@pytest.mark.parametrize("line", LOCK_LINES)
def test_the_lock_has_plain_public_versions_only(line: str) -> None:
    assert re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line)


def test_the_lock_pins_nothing_twice() -> None:
    assert len(LOCK) == len(LOCK_LINES)


@pytest.mark.parametrize("range_", RANGES)
def test_the_locked_version_is_in_the_range(range_: str) -> None:
    wanted = Requirement(range_)
    name = canonicalize_name(wanted.name)
    assert name in LOCK, f"{name} is in pyproject.toml but not in requirements.lock: run `make lock`"
    assert wanted.specifier.contains(LOCK[name], prereleases=True)


@pytest.mark.parametrize("name", LOCK)
def test_what_a_locked_package_needs_is_locked_too(name: str) -> None:
    try:
        needed = importlib.metadata.requires(name) or []
    except importlib.metadata.PackageNotFoundError:
        pytest.skip(f"{name} is not installed on this platform")
    for text in needed:
        need = Requirement(text)
        if need.marker is None or need.marker.evaluate({"extra": ""}):
            assert canonicalize_name(need.name) in LOCK, f"{name} needs {need}: run `make lock`"
            assert need.specifier.contains(LOCK[canonicalize_name(need.name)], prereleases=True)


def imported_modules(file: Path) -> set[str]:
    """The top-level modules that a source file imports, lazily or not."""
    nodes = list(ast.walk(ast.parse(file.read_text())))
    plain = [name.name for node in nodes if isinstance(node, ast.Import) for name in node.names]
    from_ = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom) and node.level == 0]
    return {name.split(".")[0] for name in [*plain, *from_]}


def test_every_package_that_is_imported_is_declared() -> None:
    """An import that works only because another package brings it along breaks when that one changes."""
    modules = set().union(*map(imported_modules, (ROOT / "src").rglob("*.py")))
    providers = importlib.metadata.packages_distributions()
    needed = {canonicalize_name(name) for module in modules for name in providers.get(module, [])}
    extras = PROJECT["project"]["optional-dependencies"]
    optional = [text for extra, texts in extras.items() if extra != "dev" for text in texts]
    declared = {
        canonicalize_name(Requirement(text).name) for text in [*PROJECT["project"]["dependencies"], *optional]
    }
    assert {"torch", "wandb"} < needed
    assert needed - {"reparam"} <= declared


def test_conda_installs_the_locked_versions() -> None:
    (section,) = [entry["pip"] for entry in CONDA["dependencies"] if isinstance(entry, dict)]
    assert section[-1] == "--editable ."
    assert pins(section[:-1]) == LOCK


def test_conda_takes_a_supported_python_from_conda_forge_alone() -> None:
    assert CONDA["channels"] == ["conda-forge", "nodefaults"]
    (python,) = [
        entry for entry in CONDA["dependencies"] if isinstance(entry, str) and entry.startswith("python=")
    ]
    wanted = Requirement(f"python{PROJECT['project']['requires-python']}")
    assert wanted.specifier.contains(python.removeprefix("python="))
