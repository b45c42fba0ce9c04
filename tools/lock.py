"""Write requirements.lock and environment.yml from what one environment has installed.

    python tools/lock.py PYTHON

PYTHON is the interpreter of that environment (`make lock` makes a fresh one from pyproject.toml).
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
NOT_LOCKED = {"pip", "reparam"}

LOCK_HEADER = """\
# The exact versions that `make reproduce` and `make test` install (Linux, Python >= 3.11).
# Written by `make lock` from the ranges in pyproject.toml, together with environment.yml.
"""

CONDA_HEADER = """\
# The same pins as requirements.lock, for conda: conda env create --file environment.yml
# Written by `make lock`.
name: reparam
channels:
  - conda-forge
  - nodefaults
dependencies:
  - python={python}
  - pip
  - pip:
"""


def installed(python: str) -> list[str]:
    """`name==version` of every distribution of that interpreter, without local version tags."""
    answer = subprocess.run(
        [python, "-m", "pip", "list", "--format=json", "--disable-pip-version-check"],
        check=True,
        capture_output=True,
        text=True,
    )
    found = {canonicalize_name(d["name"]): Version(d["version"]).public for d in json.loads(answer.stdout)}
    return [f"{name}=={version}" for name, version in sorted(found.items()) if name not in NOT_LOCKED]


def main(python: str) -> None:
    version = subprocess.run(
        [python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    pins = installed(python)
    (ROOT / "requirements.lock").write_text(LOCK_HEADER + "".join(f"{pin}\n" for pin in pins))
    lines = [f"      - {pin}\n" for pin in [*pins, "--editable ."]]
    (ROOT / "environment.yml").write_text(CONDA_HEADER.format(python=version) + "".join(lines))
    print(f"{len(pins)} versions written to requirements.lock and environment.yml")


if __name__ == "__main__":
    main(sys.argv[1])
