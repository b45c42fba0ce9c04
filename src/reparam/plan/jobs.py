"""What every job of a Snakemake run finds around it."""

from __future__ import annotations

import os
import sys

from reparam.cells.parent import VARIABLE, describe


def prepare_environment() -> None:
    """Give jobs the Python that runs Snakemake, activated or not, and let trainers end when it is gone."""
    os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), os.environ.get("PATH", "")])
    os.environ[VARIABLE] = describe(os.getpid())
