"""The plan: which cells a configuration runs, and which cells its scale has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from reparam.errors import ReparamError
from reparam.plan.cells import SCALES, Cell
from reparam.plan.config import ALL, Config
from reparam.plan.experiments import PAPERS, Experiment, expand, papers
from reparam.registry import nearest


@dataclass(frozen=True)
class Plan:
    """`selected` runs, with the seeds asked for; `cells` is all of the scale, what the report shows."""

    config: Config
    selected: tuple[Cell, ...]
    cells: tuple[Cell, ...]


def make_plan(config: Config, folder: Path = PAPERS) -> Plan:
    """The plan of a configuration.

    Raises ReparamError for an unknown paper, experiment or estimator (with the nearest known one), and for a
    choice that leaves nothing to run.
    """
    known = papers(folder)
    _check("paper", config.papers, known)
    by_paper = {paper: expand(paper, config.scale, folder) for paper in known}
    chosen = [entry for paper in known if _has(config.papers, paper) for entry in by_paper[paper]]
    _check_experiments(config.experiments, chosen)
    chosen = [entry for entry in chosen if config.experiments == ALL or _any(config.experiments, entry)]
    _check("estimator", config.estimators, {cell.estimator for entry in chosen for cell in entry.cells})
    selected = tuple(
        cell if config.seeds is None else replace(cell, seeds=config.seeds)
        for entry in chosen
        for cell in entry.cells
        if _has(config.estimators, cell.estimator)
    )
    if not selected:
        raise ReparamError(f"the configuration leaves no cell to run at scale {config.scale}: choose more")
    return Plan(
        config, selected, tuple(cell for found in by_paper.values() for e in found for cell in e.cells)
    )


def find(folder: Path, papers_folder: Path = PAPERS) -> Cell:
    """The cell of …/<scale>/<paper>/<experiment>/<estimator>/<hash8>; ReparamError if there is none."""
    parts = folder.parts[-5:]
    if len(parts) != 5:
        raise ReparamError(
            f"{folder} is no cell: give results/<scale>/<paper>/<experiment>/<estimator>/<hash>"
        )
    scale, paper, experiment, estimator, digest = parts
    _check("scale", (scale,), SCALES)
    plan = make_plan(Config(scale=scale, papers=(paper,), experiments=(experiment,)), papers_folder)
    labels = {cell.estimator: cell for cell in plan.selected if cell.experiment == experiment}
    _check("estimator", (estimator,), labels)
    cell = labels[estimator]
    if cell.cell != digest:
        raise ReparamError(
            f"{experiment}/{estimator} has the spec {cell.cell} now, not {digest}: run {cell.path}"
        )
    return cell


def _has(names: tuple[str, ...], name: str) -> bool:
    return names == ALL or name in names


def _any(patterns: tuple[str, ...], entry: Experiment) -> bool:
    return any(_matches(pattern, entry) for pattern in patterns)


def _matches(pattern: str, entry: Experiment) -> bool:
    """A pattern matches the full name; the name before the grid stands for all points of the grid."""
    return fnmatchcase(entry.name, pattern) or entry.base == pattern


def _check(kind: str, names: tuple[str, ...], known: Iterable[str]) -> None:
    known = sorted(known)
    for name in names if names != ALL else ():
        if name not in known:
            raise ReparamError(f"unknown {kind} {name!r}{nearest(name, known)}")


def _check_experiments(patterns: tuple[str, ...], entries: list[Experiment]) -> None:
    for pattern in patterns if patterns != ALL else ():
        if not any(_matches(pattern, entry) for entry in entries):
            raise ReparamError(f"unknown experiment {pattern!r}{nearest(pattern, [e.name for e in entries])}")
