"""Figures that several papers share: their tables beside ours, and bounds along training."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import EngFormatter, NullFormatter

from reparam.report.figures import (
    PaperData,
    band,
    canvas,
    interval,
    label,
    legend,
    line_style,
    published,
    readable,
)

COLUMNS = 4
"""Panels of curves in a row."""


def tables(
    data: PaperData,
    metric: str,
    paper: Mapping[str, Mapping[str, float]],
    titles: Mapping[str, str],
    source: str = "MNIST",
) -> Canvas | None:
    """A row for every experiment of `titles` with results: the paper's numbers, and ours with 95 % intervals.

    `paper` has negative log-likelihoods by experiment and label, `metric` is a bound; what either of them has is drawn,
    labels of the paper's first.
    """
    last = last_rows(data, metric)
    shown = [name for name in titles if name in set(last["experiment"])]
    if not shown:
        return None
    names = {name: _labels(paper.get(name, {}), last[last["experiment"] == name]) for name in shown}
    figure, axes = canvas(
        rows=len(shown), columns=2, width=4.6, height=1.1 + 0.28 * max(map(len, names.values()))
    )
    for row, name in zip(axes, shown, strict=True):
        for estimator, number in paper.get(name, {}).items():
            at = names[name].index(estimator)
            published(row[0], [number], [at], estimator=estimator, name="paper")
            _write(row[0], number, at)
        for drawn, rows in last[last["experiment"] == name].groupby("estimator"):
            estimator = str(drawn)
            at = names[name].index(estimator)
            mean, low, high = interval(-rows["value"].to_numpy(float))
            style = {
                "color": line_style(estimator)["color"],
                "marker": "o",
                "markersize": 5,
                "capsize": 3,
            }
            row[1].errorbar(mean, at, xerr=[[mean - low], [high - mean]], **style)
            _write(row[1], mean, at)
        label(row[0], x="negative bound", y="", x_unit="nats", title=f"{titles[name]}, paper ({source})")
        label(row[1], x="negative bound", y="", x_unit="nats", title=f"{titles[name]}, ours ({data.scale})")
        for ax in row:
            ax.set_yticks(range(len(names[name])), labels=[readable(each) for each in names[name]])
            ax.set_ylim(len(names[name]) - 0.5, -0.7)
            ax.margins(x=0.18)
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
    frame = data.series(metric, experiment=experiment)
    return frame.sort_values("step").groupby(["experiment", "estimator", "seed"], as_index=False).tail(1)


def _labels(paper: Mapping[str, float], ours: pd.DataFrame) -> list[str]:
    return [*paper, *sorted(set(ours["estimator"]) - set(paper))]


def _write(ax: Axes, value: float, at: int) -> None:
    """The number above its point."""
    ax.annotate(
        f"{value:.4g}", (value, at), xytext=(0, 5), textcoords="offset points", ha="center", fontsize=7
    )
