"""A copy of the suite with one small paper on it, so that the workflow can really be run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOY = Path(__file__).parent / "toy2020"


class Project:
    """A working copy in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for name in ("workflow", "config", "profiles"):
            shutil.copytree(ROOT / name, folder / name)
        papers = [
            path.parent.name for path in (ROOT / "src" / "reparam" / "papers").glob("*/experiments.yaml")
        ]
        ignore = shutil.ignore_patterns("__pycache__", *papers)
        shutil.copytree(ROOT / "src", folder / "src", ignore=ignore)
        for name in ("Snakefile", "environment.yml"):
            shutil.copy(ROOT / name, folder / name)
        shutil.copytree(TOY, folder / "src" / "reparam" / "papers" / "toy2020")
        smoke = folder / "config" / "smoke.yaml"
        smoke.write_text(smoke.read_text().replace("cells_per_job: 30", "cells_per_job: 2"))
        self.environment = {
            **os.environ,
            "PYTHONPATH": str(folder / "src"),
            "HOME": str(folder),
            "XDG_CACHE_HOME": str(folder / ".cache"),
        }

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "snakemake", "--cores", "2", "--nocolor", *arguments]

    def snakemake(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return self.run(*self.command(*arguments))

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def edit(self, file: str, old: str, new: str) -> None:
        path = self.folder / file
        text = path.read_text()
        assert text.count(old) >= 1, f"{old!r} is not in {file}"
        path.write_text(text.replace(old, new, 1))

    def manifests(self, scale: str = "smoke") -> list[Path]:
        return sorted(self.folder.glob(f"results/{scale}/toy2020/*/*/*/manifest.json"))

    def histories(self, scale: str = "smoke") -> dict[str, int]:
        """Every seed's history by path, with its time of writing."""
        folder = self.folder / "results" / scale
        return {
            str(f.relative_to(folder)): f.stat().st_mtime_ns
            for f in sorted(folder.glob("**/*.parquet"))
            if f.name.startswith("seed-")
        }


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Project:
    return Project(tmp_path_factory.mktemp("project"))
