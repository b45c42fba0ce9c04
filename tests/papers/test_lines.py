"""No line of a figure is drawn from the wrong series, and an estimator that is put into an experiment is drawn, too."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from series import NEWCOMER, Drawn, Marked, drawn

from reparam.plan import experiments
from reparam.report.figures import Figure, load_figures
from reparam.report.style import readable, theme

EXPECTED: dict[str, list[list[str]]] = yaml.safe_load(
    Path(__file__).with_name("lines.yaml").read_text(encoding="utf-8")
)
"""Of every panel of a figure the series that it shows: "experiments: metric by x, of estimators" (none named: of all
that the experiments have). What is computed from several series is not listed."""
ALONE = {"rezende2014-marginal-likelihood", "tutorials-rejection"}
"""Figures that take no estimators apart."""


def series(lines: Iterable[Drawn], data: Marked) -> list[str]:
    """What a panel shows, as in lines.yaml."""
    estimators = defaultdict(set)
    for line in lines:
        for experiment in line.experiments:
            estimators[experiment, line.metric, line.x] |= line.estimators
    alike = defaultdict(list)
    for (experiment, metric, x), found in estimators.items():
        every = {estimator for _, estimator in data.matching(experiment, "*")}
        some = f", of {', '.join(sorted(found))}" if found != every else ""
        alike[metric + (f" by {x}" if x else "") + some].append(experiment)
    return sorted(f"{' '.join(sorted(names))}: {text}" for text, names in alike.items())


def names(figure: Figure, data: Marked) -> dict[str, set[str]]:
    """What labels call the estimators: the tables of the figure's module say it, or `readable`."""
    found = {estimator: {estimator, readable(estimator)} for _, estimator in data.pairs}
    for table in figure.draw.__globals__.values():
        if isinstance(table, Mapping):
            for key, name in table.items():
                name = name[0] if isinstance(name, tuple) else name
                if key in found and isinstance(name, str) and len(name) > 2:  # not a marker
                    found[key].add(name.removeprefix("… "))
    return found


def subjects(line: Drawn) -> set[str]:
    """Estimators that a line is about: those of its rows, or one in the metric's name."""
    return {*line.estimators, *line.metric.split("/")}


def speaks_of_others(line: Drawn, known: Mapping[str, set[str]]) -> bool:
    """Whether a label names estimators, and none of the line's own; of two names the longer one counts."""
    parts = {part: {readable(part)} for part in line.metric.split("/")}
    every = [
        (name, estimator) for table in (known, parts) for estimator, names in table.items() for name in names
    ]
    inside = {(name, estimator) for name, estimator in every if name in line.label}
    whole = {
        estimator
        for name, estimator in inside
        if not any(name != other and name in other for other, _ in inside)
    }
    return bool(whole) and not whole & subjects(line)


def check_labels(figure: Figure, lines: list[Drawn], data: Marked) -> None:
    known = names(figure, data)
    labelled = [line for line in lines if line.label and not line.label.startswith("_")]
    assert not [line for line in labelled if " / " not in line.label and speaks_of_others(line, known)]
    meant: dict[str, set[Any]] = defaultdict(set)
    coloured: dict[Any, set[str]] = defaultdict(set)
    for line in labelled:
        meant[line.label].add(line[1:3])
        coloured[line.colour] |= subjects(line)
    assert all(len(series) == 1 for series in meant.values())
    for line in set(lines).difference(labelled):
        assert line.colour is None or line.colour not in coloured or coloured[line.colour] & subjects(line)


@pytest.mark.parametrize("paper", experiments.papers())
def test_lines_are_the_rows_of_their_labels_and_a_newcomer_is_drawn(paper: str) -> None:
    seen = False
    for figure in load_figures(experiments.PAPERS / paper):
        name = f"{paper}-{figure.name}"
        expected = EXPECTED.get(name)
        if expected is None and seen:
            continue
        data = Marked(paper, *() if name in ALONE else (NEWCOMER,))
        with theme():
            canvas = figure.draw(data)
        axes = canvas.axes if canvas else []
        legends = [ax.get_legend() for ax in axes]
        seen |= any("newcomer" in t.get_text() for legend in legends if legend for t in legend.get_texts())
        if expected is not None:
            panels = [list(drawn(ax, data)) for ax in axes]
            shows = [series(lines, data) for lines in panels]
            assert shows == expected, f"{name} now shows\n{yaml.safe_dump(shows, allow_unicode=True)}"
            for lines in panels:
                check_labels(figure, lines, data)
    assert seen
