"""The command line: `reparam …`. Every step of the workflow is one of its commands.

What a command needs is imported when it runs: `reparam --help` and planning never load torch or pandas.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import reparam
from reparam.errors import OutputError, ReparamError, reason
from reparam.plan.cells import SCALES

UNWRITABLE = (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT, errno.EPERM)
KINDS = ("papers", "experiments", "estimators", "distributions", "data")
SELECTION = ("papers", "experiments", "estimators", "seeds")


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; 0, or 2 (a mistake of the user's), 3 (a write was refused), 130 (interrupted)."""
    args = _parser().parse_args(argv)
    try:
        args.run(args)
    except OutputError as error:
        return _complain(error, 3)
    except ReparamError as error:
        return _complain(error, 2)
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        place = f"{error.filename}: " if error.filename else ""
        return _complain(f"{place}{error.strerror}; earlier results are intact", 3)
    except KeyboardInterrupt:
        return 130
    return 0


def _complain(message: object, status: int) -> int:
    print(f"reparam: {message}", file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reparam",
        description="Stochastic gradient estimators: a reproducible benchmark and paper-replication suite.",
        epilog="The whole suite runs with: snakemake --cores all",
    )
    parser.add_argument("--version", action="version", version=f"reparam {reparam.__version__}")
    commands = parser.add_subparsers(metavar="command", required=True)

    command = _add(commands, "list", _list, f"what there is: {', '.join(KINDS)}")
    command.add_argument("kind", nargs="?", choices=KINDS)

    command = _add(commands, "explain", _explain, "an estimator: what it does, promises and costs")
    command.add_argument("name", nargs="?", help="default: say which there are")

    command = _add(commands, "plan", _plan, "the cells of a run, and how far each is")
    _scale(command)
    for key in SELECTION:
        command.add_argument(f"--{key}", default=None, help="as in snakemake --config")

    command = _add(commands, "data", _data, "fetch and verify data sets")
    command.add_argument("names", nargs="+", metavar="name")
    command.add_argument("--output", type=Path, help="write what is there to this JSON file")

    command = _add(
        commands,
        "oracles",
        _oracles,
        "check the estimators, line by line of their cards, against exact answers",
    )
    command.add_argument("names", nargs="*", metavar="name", help="estimators; default: all")
    command.add_argument("--output", type=Path, help="write the findings to this JSON file")
    command.add_argument(
        "--folder",
        type=Path,
        help="keep findings in <name>.json there, and check only those whose code has changed",
    )

    command = _add(
        commands, "cell", _cell, "run cells: results/<scale>/<paper>/<experiment>/<estimator>/<hash> …"
    )
    command.add_argument("folders", nargs="+", type=Path, metavar="folder")
    command.add_argument("--seeds", default=None, help="a count or a list; default: the experiment's own")
    command.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda"))
    command.add_argument("--output", type=Path, help="write this file when all of them are done")

    for name, run, text in (
        ("evidence", _evidence, "tables and verdicts from what has been run"),
        ("scoreboard", _scoreboard, "print the verdict on every claim"),
        ("report", _report, "write reports/<scale>/index.html"),
        ("wandb", _wandb, "export the runs to Weights & Biases"),
    ):
        command = _add(commands, name, run, text)
        _scale(command)
        if name == "scoreboard":
            command.add_argument(
                "--made", action="store_true", help="as the workflow last judged them, without judging again"
            )
            command.add_argument("--papers", default=None, help="as in snakemake --config")
        if name == "report":
            command.add_argument("--processes", type=int, default=1, help="draw so many papers at a time")
        if name == "wandb":
            command.add_argument("--mode", choices=("offline", "online", "disabled"), default=None)
            command.add_argument("--workspaces", metavar="ENTITY/PROJECT", help="save views there instead")

    command = _add(commands, "watch", _watch, "the cells that are running now")
    command.add_argument("--once", action="store_true", help="print once and end")
    return parser


def _add(commands: argparse._SubParsersAction, name: str, run: object, text: str) -> argparse.ArgumentParser:  # type: ignore[type-arg]
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=text, description=text[0].upper() + text[1:]
    )
    command.set_defaults(run=run)
    if name not in ("list", "explain", "data", "oracles", "cell"):
        command.add_argument("--results", type=Path, default=Path("results"), help="default: results")
    return command


def _scale(command: argparse.ArgumentParser) -> None:
    command.add_argument("--scale", choices=SCALES, default="quick", help="default: quick")


def _list(args: argparse.Namespace) -> None:
    from reparam.plan import listing

    for kind in [args.kind] if args.kind else KINDS:
        listing.show(kind)


def _explain(args: argparse.Namespace) -> None:
    from reparam.plan import explain

    explain.show(args.name)


def _plan(args: argparse.Namespace) -> None:
    from reparam.plan import config, listing, plan

    chosen = {key: getattr(args, key) for key in SELECTION}
    listing.show_plan(plan.make_plan(config.parse({"scale": args.scale, **chosen})), args.results)


def _data(args: argparse.Namespace) -> None:
    from reparam import data
    from reparam.cells.files import write_json

    found = data.ensure(args.names)
    for entry in found:
        print(f"{entry['name']}: verified ({entry['source']})")
    if args.output:
        write_json(args.output, found)


def _oracles(args: argparse.Namespace) -> None:
    from reparam.cells.files import write_json
    from reparam.plan import checks, listing, sources

    names = args.names or None
    if names and args.folder:
        names = [name for name in names if checks.is_due(args.folder, name)]
        if not names:
            return

    from reparam.measure import oracle_checks
    from reparam.measure.contract.moments import BOUND, SHRINK

    findings = oracle_checks.check(names)
    listing.show_findings(findings, BOUND, SHRINK)
    if args.folder:
        for name in names or sources.estimators():
            checks.keep(args.folder, name, [f.row() for f in findings if f.estimator == name])
    if args.output:
        write_json(args.output, [finding.row() for finding in findings])
    oracle_checks.require(findings)


def _cell(args: argparse.Namespace) -> None:
    """Run the cells one after another; one that fails does not keep the others from running."""
    from reparam.cells.files import write_json
    from reparam.plan import config

    seeds = config.parse({"scale": "quick", "seeds": args.seeds}).seeds
    failures: list[Exception] = []
    for folder in args.folders:
        try:
            _run_cell(Path(os.path.normpath(folder)), seeds, args.device)
        except Exception as error:
            failures.append(error)
            if len(args.folders) > 1:
                print(f"reparam: {folder} failed: {reason(error)}", file=sys.stderr, flush=True)
    if failures:
        raise failures[0]
    if args.output:
        write_json(args.output, [str(folder) for folder in args.folders])


def _run_cell(folder: Path, chosen: tuple[int, ...] | None, device: str) -> None:
    from reparam.cells.status import CellKey, is_done, write_manifest
    from reparam.plan import gpus, plan, sources, state

    cell = plan.find(folder)
    results = folder.parents[4]
    seeds = chosen or cell.seeds
    key = CellKey(cell.spec, cell.spec_hash, sources.cell_digest(cell))
    if all(is_done(folder, seed, key) for seed in seeds):
        write_manifest(folder, cell.scale, key)
        return
    device = "cuda" if gpus.slots(device) else "cpu"
    with gpus.lease(results / state.WORK) if device == "cuda" else nullcontext():
        from reparam.cells.run import run_cell

        work = state.work_folder(results, cell)
        run_cell(cell.spec, cell.spec_hash, cell.scale, seeds, folder, work, key.source, device)


def _evidence(args: argparse.Namespace) -> None:
    from reparam.evidence import build

    found = build.build(args.scale, args.results, _papers(), args.results / "reference")
    build.write(found, args.results / args.scale / "tables")


def _scoreboard(args: argparse.Namespace) -> None:
    from reparam.evidence.scoreboard import scoreboard
    from reparam.plan import config, plan

    papers = None
    if args.papers is not None:
        planned = plan.make_plan(config.parse({"scale": args.scale, "papers": args.papers}))
        papers = {cell.paper for cell in planned.selected}
    if args.made:
        from reparam.report.tables import read_tables

        tables = read_tables(args.results, args.scale)
        if tables.missing:
            raise ReparamError(f"no tables at scale {args.scale} yet: run the workflow, or leave --made out")
        print(scoreboard(tables, args.scale, papers))
        return
    from reparam.evidence import build

    evidence = build.build(args.scale, args.results, _papers(), args.results / "reference")
    print(scoreboard(evidence, args.scale, papers))


def _papers() -> list:  # type: ignore[type-arg]
    """What evidence is told of each paper: its claims and its cells at every scale."""
    from reparam.evidence.build import PaperPlan
    from reparam.plan.experiments import PAPERS, expand, papers

    return [
        PaperPlan(
            key=paper,
            claims=PAPERS / paper / "claims.yaml",
            cells={
                scale: [cell for entry in expand(paper, scale) for cell in entry.cells] for scale in SCALES
            },
        )
        for paper in papers()
    ]


def _report(args: argparse.Namespace) -> None:
    from reparam.plan.experiments import PAPERS, papers
    from reparam.report import build

    folders = [(paper, PAPERS / paper) for paper in papers()]
    print(build.build(args.scale, args.results, Path("reports"), folders, max(1, args.processes)))


def _wandb(args: argparse.Namespace) -> None:
    if args.workspaces:
        from reparam.tracking.workspaces import save_workspaces

        print(*save_workspaces(args.workspaces, args.scale, args.results), sep="\n")
        return
    from reparam.tracking.export import export

    print(f"{export(args.scale, args.results, args.mode)} runs exported to W&B")


def _watch(args: argparse.Namespace) -> None:
    from reparam.plan import listing

    listing.watch(args.results, once=args.once)


if __name__ == "__main__":
    sys.exit(main())
