"""Tables for the terminal: what there is, what is planned and done, what is running."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table

from reparam.data import sources as data_sources
from reparam.plan import experiments, sources, state
from reparam.plan.cells import SCALES
from reparam.plan.plan import Plan
from reparam.plan.terminal import write

if TYPE_CHECKING:
    from reparam.measure.contract import Finding

REFRESH_SECONDS = 1.0


def show(kind: str) -> None:
    """Print all papers, experiments (at every scale), estimators, distributions or data sets.

    Estimators and distributions are imported for it, and torch with them.
    """
    tables: dict[str, Callable[[], RenderableType]] = {
        "papers": _papers,
        "experiments": _experiments,
        "estimators": _estimators,
        "distributions": _distributions,
        "data": _data,
    }
    _print(tables[kind]())


def show_findings(findings: Iterable[Finding], bound: float, shrink: float) -> None:
    """Print what the checks against exact answers found, a line for each estimator and problem.

    A mean further than `bound` standard errors from its exact value is a failure, or a bias that is admitted; the power
    is against gradients smaller by the share `shrink`.
    """
    table = _table(
        "checks against exact answers", "estimator", "problem", "checks", "failed", "z", "power", "draws"
    )
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.estimator, finding.problem), []).append(finding)
    for (estimator, problem), found in groups.items():
        failed = sum(not finding.passed for finding in found)
        largest = max((f.z for f in found if f.z is not None and f.tests), default=None)
        power = next((finding.power for finding in found if finding.check == "mean"), None)
        biased = largest is not None and largest > bound and not failed
        table.add_row(
            estimator,
            problem,
            str(len(found)),
            _count(failed),
            "·" if largest is None else f"{largest:.1f}",
            "biased" if biased else "·" if power is None else f"{100 * power:.0f} %",
            _count(max(finding.draws for finding in found)),
        )
    key = (
        f"z: the largest distance of a mean from its exact value, in standard errors; the bound is {bound:.2f}. power: "
        f"the probability that gradients {100 * shrink:.0f} % too small would be noticed, where that is hardest, with "
        "the default options."
    )
    _print(Group(table, "", key))


def show_plan(plan: Plan, results: Path) -> None:
    """Print the selected cells with their seeds by status."""
    names = ("ok", "diverged", "failed", "stale", "missing")
    table = _table(f"{plan.config.scale}: {len(plan.selected)} cells", "cell", "seeds", *names)
    for cell in plan.selected:
        found = state.state(cell, results, sources.cell_digest(cell))
        table.add_row(str(cell.path), str(len(cell.seeds)), *(_count(getattr(found, name)) for name in names))
    _print(table)


def watch(results: Path, once: bool) -> None:
    """Show the cells that are running now, until interrupted; a single time with `once`, or where no terminal looks."""
    if once or not sys.stdout.isatty():
        _print(_running(results))
        return
    with Live(_running(results), console=Console(markup=False), auto_refresh=False) as live:
        while True:
            time.sleep(REFRESH_SECONDS)
            live.update(_running(results), refresh=True)


def _running(results: Path) -> Table:
    notes = state.under_way(results)
    table = _table(
        f"cells running: {len(notes)}", "scale", "cell", "seeds", "step", "of", "steps/s", "time left"
    )
    for note in notes:
        left = max(0, round(note["seconds_left"]))
        table.add_row(
            note["scale"],
            note["title"],
            ",".join(map(str, note["seeds"])),
            str(note["step"]),
            str(note["steps"]),
            f"{note['rate']:.1f}",
            f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02}",
        )
    return table


def _papers() -> Table:
    table = _table("papers", "paper", "experiments")
    for paper in experiments.papers():
        table.add_row(paper, ", ".join(experiments.read(paper)["experiments"]))
    return table


def _experiments() -> Table:
    table = _table("experiments", "paper", "experiment", "title", "scales", "estimators")
    for paper in experiments.papers():
        found: dict[str, tuple[str, list[str], dict[str, None]]] = {}
        for scale in SCALES:
            for entry in experiments.expand(paper, scale):
                _, scales, labels = found.setdefault(entry.name, (entry.title, [], {}))
                scales.append(scale)
                labels.update(dict.fromkeys(cell.estimator for cell in entry.cells))
        for name, (title, scales, labels) in found.items():
            table.add_row(paper, name, title, ", ".join(scales), ", ".join(labels))
    return table


def _estimators() -> Group:
    from reparam.estimators.summary import summaries

    table = _table(
        "estimators (reparam explain <name> says more)",
        *("name", "unbiased", "∂f", "f", "trains", "laws", "paper"),
    )
    for entry in summaries():
        card, evaluations = entry.card, entry.evaluations[0]
        table.add_row(
            entry.name,
            entry.unbiased_in_short,
            "yes" if card.needs_derivative else "no",
            "·" if evaluations is None else str(evaluations),
            ", ".join(sorted(card.tunables)) or "·",
            entry.laws_in_short,
            entry.reference,
        )
    key = (
        "unbiased: for E[f], or for the objective named. ∂f: needs the derivative of f. f: evaluations of f per "
        "estimate, at the defaults, for one site of three entries. trains: parameters of its own."
    )
    learners = _table("learners (no gradient of one expectation)", "name", "what")
    for name, line in sorted(sources.learners().items()):
        learners.add_row(name, line)
    return Group(table, "", key, "", learners)


def _distributions() -> Group:
    from reparam.estimators.base import able
    from reparam.estimators.laws import laws
    from reparam.estimators.summary import summaries

    everywhere = [entry.name for entry in summaries() if entry.any_law]
    table = _table("distributions", "name", "path", "estimators, beside those for any law")
    for name, law in laws().items():
        own = [estimator for estimator in able(law) if estimator not in everywhere]
        table.add_row(name, "yes" if law.reparameterized else "no", ", ".join(own))
    key = f"path: differentiable in the parameters. Estimators for any law: {', '.join(everywhere)}."
    return Group(table, "", key)


def _data() -> Table:
    table = _table("data sets", "name")
    for name in data_sources.names():
        table.add_row(name)
    return table


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for i, column in enumerate(columns):
        table.add_column(column, overflow="fold", no_wrap=not i)  # names are for copying
    return table


def _count(number: int) -> str:
    return str(number) if number else "·"


def _print(table: RenderableType) -> None:
    """Where there is no terminal, lines are as long as they need to be."""
    write(table, None, 240)
