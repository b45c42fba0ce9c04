# The plan, the GPUs and the digests of source that the rules share.

import os
import subprocess
import sys

from reparam.cells.parent import VARIABLE, describe
from reparam.errors import ReparamError
from reparam.plan import gpus, sources, stale_lock
from reparam.plan.cells import canonical
from reparam.plan.config import parse as parse_config
from reparam.plan.experiments import PAPERS
from reparam.plan.plan import make_plan

try:
    PLAN = make_plan(parse_config(config))
    GPUS = gpus.slots(PLAN.config.device)
    CELL_SOURCES = {cell.path: sources.cell_digest(cell) for cell in PLAN.selected}
except ReparamError as error:
    sys.exit(f"reparam: {error}")

SCALE = PLAN.config.scale
CELLS = {str(cell.path): cell for cell in PLAN.selected}
DATA_SETS = sorted({cell.spec["task"]["data"] for cell in PLAN.selected if "data" in cell.spec["task"]})

# A GPU is used by one cell at a time. An unregistered resource would limit nothing.
workflow.register_resource("gpu", GPUS)

# Jobs use the Python that runs Snakemake, and end when it is gone.
os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
os.environ[VARIABLE] = describe(os.getpid())

# A lock left by a Snakemake that was killed is in nobody's way.
if workflow.is_main_process and stale_lock.take_over():
    print("reparam: cleared the lock of a run that was killed", file=sys.stderr)


wildcard_constraints:
    scale="smoke|quick|standard|paper",
    cell="[0-9a-f]{8}",


def cell_of(wildcards):
    return CELLS[f"{wildcards.paper}/{wildcards.experiment}/{wildcards.estimator}/{wildcards.cell}"]


def files_of_papers(*patterns):
    return [file for pattern in patterns for file in PAPERS.glob(pattern)]


def render_partial_report():
    for step in ("evidence", "report"):
        subprocess.run([sys.executable, "-m", "reparam.cli", step, "--scale", SCALE], check=False)
