# The plan, the GPUs and the digests of source that the rules share.

import os
import subprocess
import sys
from pathlib import Path

from reparam.errors import ReparamError
from reparam.evidence.claims import load_checked
from reparam.plan import checks, experiments, gpus, jobs, sources, stale_lock, state
from reparam.plan.cells import SCALES, canonical
from reparam.plan.config import parse as parse_config
from reparam.plan.experiments import PAPERS
from reparam.plan.packs import check_packs, packs
from reparam.plan.plan import make_plan

try:
    PLAN = make_plan(parse_config(config))
    GPUS = gpus.slots(
        PLAN.config.device, declared=workflow.global_resources.get("gpu").value
    )
    CELL_SOURCES = {cell.path: sources.cell_digest(cell) for cell in PLAN.selected}
    # A rule that names what is not there should not be found out after hours of training.
    for paper in experiments.papers():
        at_scale = {
            scale: [
                cell
                for entry in experiments.expand(paper, scale)
                for cell in entry.cells
            ]
            for scale in SCALES
        }
        load_checked(PAPERS / paper / "claims.yaml", paper, at_scale)
except ReparamError as error:
    sys.exit(f"reparam: {error}")

SCALE = PLAN.config.scale
PACKS = packs(PLAN.selected, PLAN.config.cells_per_job)
METHODS = {cell.path: sources.methods(cell) for cell in PLAN.selected}
CHECKS = check_packs(
    [
        name
        for name in sources.estimators()
        if PLAN.config.oracles == "all" or name in set().union(*METHODS.values())
    ]
)

# A GPU is used by one cell at a time; an unregistered resource would limit nothing. On a cluster
# `--resources gpu=N` says how many cells may use one at once.
workflow.register_resource("gpu", GPUS)

jobs.prepare_environment()

if workflow.is_main_process:
    state.forget_lost(Path("results"), SCALE, PACKS)
    checks.forget_lost(Path("results"), SCALE, CHECKS)

# A lock left by a Snakemake that was killed is in nobody's way.
if workflow.is_main_process and stale_lock.take_over():
    print("reparam: cleared the lock of a run that was killed", file=sys.stderr)


wildcard_constraints:
    scale="smoke|quick|standard|paper",


def checks_before(wildcards):
    """What a job waits for: the data of its cells, and the oracles of their estimators."""
    folder = f"results/{wildcards.scale}"
    cells = PACKS[wildcards.job]
    data = {cell.spec["task"]["data"] for cell in cells if "data" in cell.spec["task"]}
    methods = set().union(*(METHODS[cell.path] for cell in cells))
    return [f"{folder}/data/{name}.json" for name in sorted(data)] + [
        f"{folder}/oracles/done/{pack}"
        for pack, names in CHECKS.items()
        if methods & set(names)
    ]


def files_of_papers(*patterns):
    return [file for pattern in patterns for file in PAPERS.glob(pattern)]


def render_partial_report():
    print(
        "reparam: stopped; the same command goes on from here. Drawing a report of what there is (Ctrl-C: none) …",
        file=sys.stderr,
        flush=True,
    )
    try:
        for step in ("evidence", "report"):
            subprocess.run(
                [sys.executable, "-m", "reparam.cli", step, "--scale", SCALE],
                check=False,
            )
    except KeyboardInterrupt:
        pass
