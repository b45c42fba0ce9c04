"""Figures that several papers share: their tables beside ours, and bounds along training."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import EngFormatter, MaxNLocator, NullFormatter

from reparam.report.curves import last
from reparam.report.figures import (
    PaperData,
    band,
    canvas,
    label,
    legend,
    line_style,
    published,
    readable,
    row_names,
    spread,
    write,
)

COLUMNS = 4
"""Panels of curves in a row."""


def tables(
    data: PaperData,
    metric: str,
    paper: Mapping[str, Mapping[str, float]],
    panels: Mapping[str, Mapping[str, str]],
    source: str = "MNIST",
) -> Canvas | None:
    """A row for every panel with results: the paper's numbers, and ours with 95 % intervals.

    `panels` has by title the experiments that share one, each with what it puts before its estimators' names; `paper`
    negative log-likelihoods by experiment and label; `metric` is a bound. What either has is drawn, the paper's first.
    """
    ours = last_rows(data, metric)
    known = set(ours["experiment"])
    shown = {
        title: own
        for title, given in panels.items()
        if (own := {n: w for n, w in given.items() if n in known})
    }
    if not shown:
        return None
    lines = {title: _lines(paper, own, ours) for title, own in shown.items()}
    height = 1.1 + 0.28 * max(map(len, lines.values()))
    figure, axes = canvas(rows=len(shown), columns=2, width=4.6, height=height)
    for row, (title, own) in zip(axes, shown.items(), strict=True):
        for at, (experiment, estimator) in enumerate(lines[title]):
            number = paper.get(experiment, {}).get(estimator)
            if number is not None:
                published(row[0], [number], [at], estimator=estimator, name="paper")
                write(row[0], number, at, "{:.4g}")
            rows = ours[(ours["experiment"] == experiment) & (ours["estimator"] == estimator)]
            if not rows.empty:
                colour = line_style(estimator)["color"]
                spread(row[1], at, -rows["value"].to_numpy(float), colour=colour, text="{:.4g}")
        label(row[0], x="negative bound", y="", x_unit="nats", title=f"{title}, paper ({source})")
        label(row[1], x="negative bound", y="", x_unit="nats", title=f"{title}, ours ({data.scale})")
        names = [f"{own[experiment]} {readable(estimator)}".strip() for experiment, estimator in lines[title]]
        for ax in row:
            row_names(ax, names)
            ax.margins(x=0.18)
            ax.xaxis.set_major_locator(MaxNLocator(6))
    return figure


def curves(
    data: PaperData, metric: str, titles: Mapping[str, str], *, y: str = "test bound", y_unit: str = "nats"
) -> Canvas | None:
    """A panel for every experiment of `titles` with results: the metric against evaluations of f."""
    frames = {name: data.series(metric, experiment=name, x="evaluations") for name in titles}
    frames = {name: frame for name, frame in frames.items() if not frame.empty}
    if not frames:
        return None
    columns = min(COLUMNS, len(frames))
    figure, axes = canvas(rows=-(-len(frames) // columns), columns=columns, height=4.2)
    for ax in axes.flat[len(frames) :]:
        ax.set_axis_off()
    for ax, (name, frame) in zip(axes.flat, frames.items(), strict=False):
        for estimator, rows in frame.groupby("estimator"):
            band(ax, rows, "evaluations", "value", estimator=str(estimator))
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(EngFormatter(sep=""))
        ax.xaxis.set_minor_formatter(NullFormatter())
        label(ax, x="evaluations of f", y=y, y_unit=y_unit, title=titles[name])
        legend(ax)
    return figure


def last_rows(data: PaperData, metric: str, experiment: str = "*") -> pd.DataFrame:
    """The last reading of a metric by every seed of every cell."""
    return last(data.series(metric, experiment=experiment))


def _lines(
    paper: Mapping[str, Mapping[str, float]], experiments: Mapping[str, str], ours: pd.DataFrame
) -> list[tuple[str, str]]:
    """(experiment, estimator) of every line of a panel."""
    found = []
    for name in experiments:
        theirs = paper.get(name, {})
        others = set(ours.loc[ours["experiment"] == name, "estimator"]) - set(theirs)
        found += [(name, estimator) for estimator in [*theirs, *sorted(others)]]
    return found
