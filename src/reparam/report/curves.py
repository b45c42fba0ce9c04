"""Figures that several papers share: curves and levels of trained models, one panel to an experiment."""

import math
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import EngFormatter, MaxNLocator

from reparam.report.figures import PaperData
from reparam.report.style import INK, band, canvas, interval, label, legend, line_style, readable

Key = TypeVar("Key")
AUTO_ENCODERS = {
    "linear-1": "One linear layer",
    "linear-2": "Two linear layers",
    "nonlinear": "One non-linear layer",
    "omniglot-linear-layers1": "Omniglot, one linear layer",
    "omniglot-linear-layers2": "Omniglot, two linear layers",
    "omniglot-nonlinear": "Omniglot, non-linear layer",
}
"""The experiments on the networks of Tucker et al. (2017), which later papers train too, with their titles."""
START = 0.2
"""The part of a run whose values may lie below a panel's floor."""


def with_results(
    data: PaperData, titles: Mapping[str, str], metric: str, estimators: Collection[str] = ()
) -> dict[str, str]:
    """Those of {experiment: title} that have measured a metric, with one of `estimators` where some are given."""
    frame = data.series(metric)
    measured = set(frame.loc[frame["estimator"].isin(estimators) | (not estimators), "experiment"])
    return {name: title for name, title in titles.items() if name in measured}


def panels(
    titles: Mapping[Key, str],
    draw: Callable[[Axes, Key], None],
    *,
    columns: int = 3,
    width: float = 4.6,
    height: float = 4.3,
) -> Canvas | None:
    """A panel for every name, titled and drawn on by `draw(ax, name)`; None without any."""
    if not titles:
        return None
    across = min(columns, len(titles))
    figure, axes = canvas(math.ceil(len(titles) / across), across, width=width, height=height)
    for ax, (name, title) in zip(axes.flat, titles.items(), strict=False):
        draw(ax, name)
        ax.set_title(title)
    for ax in axes.flat[len(titles) :]:
        ax.set_axis_off()
    return figure


def curve(
    ax: Axes, data: PaperData, experiment: str, metric: str, *, x: str = "step", cut: bool = True
) -> pd.DataFrame:
    """Every estimator's band of a metric against `x` (a metric of the row, step or seconds); what was drawn.

    `cut` lets the panel's floor cut the start of the run off.
    """
    frame = data.series(metric, experiment=experiment, x=x)
    for estimator, rows in frame.groupby("estimator"):
        if x == "seconds":  # of a seed's own steps: its mean along the run
            rows = rows.assign(seconds=rows.groupby("step")["seconds"].transform("mean"))
        band(ax, rows, x, "value", estimator=str(estimator))
    if cut:
        floor(ax, frame)
    if x != "seconds":
        ax.xaxis.set_major_formatter(EngFormatter())
    return frame


def bounds_and_variances(
    data: PaperData, models: Mapping[str, str], *, bound: str, axis: str, group: str = ""
) -> Canvas | None:
    """For every one of {experiment: title} with results a panel of a bound (nats), called `axis`, and one of the ln
    variance, by running moments, of the gradient of a group of parameters (left out: of all) along training."""
    spread = "running_log_variance/own" + (f"/{group}" if group else "")
    what = f"{group}'s gradient" if group else "gradient"
    titles = {
        (name, metric): f"{title}: {words}"
        for name, title in with_results(data, models, bound).items()
        for metric, words in ((bound, "bound"), (spread, "log variance"))
    }

    def draw(ax: Axes, panel: tuple[str, str]) -> None:
        name, metric = panel
        curve(ax, data, name, metric, cut=metric == bound)
        if metric == bound:
            label(ax, x="training steps", y=axis, y_unit="nats")
        else:
            label(ax, x="training steps", y=f"ln variance of the {what}")
        legend(ax)

    return panels(titles, draw, columns=2)


def floor(ax: Axes, frame: pd.DataFrame) -> None:
    """Limit a panel to the values after the first part of the run."""
    late = frame.loc[frame["step"] >= START * frame["step"].max(), "value"]
    late = late[np.isfinite(late)]
    if not late.empty:
        room = 0.06 * max(late.max() - late.min(), 1e-9)
        ax.set_ylim(late.min() - room, late.max() + room)


def levels(ax: Axes, frame: pd.DataFrame, *, x_label: str, paper: Mapping[str, float] | None = None) -> None:
    """One row to an estimator: the mean of `frame`'s values over seeds with its 95 % interval, best on top.

    `paper` gives published numbers by estimator: open circles.
    """
    paper = paper or {}
    means = frame.groupby("estimator")["value"].mean().sort_values()
    rows = [*(name for name in paper if name not in means), *means.index]
    for place, name in enumerate(rows):
        colour = line_style(name)["color"]
        if name in means:
            mean, low, high = interval(frame.loc[frame["estimator"] == name, "value"].to_numpy(float))
            ax.plot([low, high], [place, place], color=colour, linewidth=2.2, solid_capstyle="butt")
            ax.plot(mean, place, "o", color=colour, markersize=6)
        if name in paper:
            ax.plot(paper[name], place, "o", markerfacecolor="none", markeredgecolor=colour, markersize=8)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.set_yticks(range(len(rows)), [readable(name) for name in rows])
    ax.set_ylim(-0.7, len(rows) - 0.3)
    label(ax, x=x_label, y="")


def last(frame: pd.DataFrame, best: str | None = None) -> pd.DataFrame:
    """One row to a seed: the last one, or with `best` = "largest" the largest value."""
    keys = ["experiment", "estimator", "seed"]
    order = frame.sort_values("value" if best else "step")
    return order.groupby(keys, as_index=False).tail(1)


def at_best(data: PaperData, metric: str, experiment: str, by: str, *, largest: bool = False) -> pd.DataFrame:
    """Every seed's first reading of a metric where another one, `by`, is smallest, or largest, as claims read it."""
    frame = data.series(metric, experiment=experiment, x=by).dropna(subset=[by])
    judge = frame.groupby(["experiment", "estimator", "seed"])[by]
    return frame.loc[judge.idxmax() if largest else judge.idxmin()]


def bias_variance(above: Axes, below: Axes, readings: pd.DataFrame) -> None:
    """Estimators in the plane of relative standard deviation and relative bias: those with a bias above, others below.

    `readings` has the columns estimator, deviation, bias (NaN where none is seen) and evaluations.
    """
    axes = above, below
    unbiased = readings[readings["bias"].isna()].sort_values("deviation", ascending=False)
    biased = readings.dropna(subset="bias")
    heights, deviations = np.log(biased["bias"].to_numpy()), biased["deviation"].to_numpy()
    for (_, row), height in zip(biased.iterrows(), heights, strict=True):
        _dot(above, row["deviation"], row["bias"], row)
        near = np.abs(heights - height) < CROWDED * np.ptp(heights)
        left = bool((deviations[near] > row["deviation"]).any())
        above.annotate(
            readable(row["estimator"]),
            (row["deviation"], row["bias"]),
            xytext=(-7 if left else 7, -3),
            textcoords="offset points",
            horizontalalignment="right" if left else "left",
            fontsize=8.5,
            color=INK,
        )
    for place, (_, row) in enumerate(unbiased.iterrows()):
        _dot(below, row["deviation"], place, row)
    below.set_yticks(range(len(unbiased)), [readable(name) for name in unbiased["estimator"]])
    below.set_ylim(-0.7, len(unbiased) - 0.3)
    for ax in axes:
        ax.set_xscale("log")
    above.set_yscale("log")
    low, high = readings["deviation"].min(), readings["deviation"].max()
    for ax in axes:
        ax.set_xlim(low / 2, high * 2)
    for count in sorted({_cost(row) for _, row in readings.iterrows()}):
        name = f"{count} evaluation{'s' if count > 1 else ''}" + (" or more" if count == max(MARKS) else "")
        mark = MARKS[count]
        below.plot([], [], mark, color=INK, label=name)
    label(above, x="", y="bias / norm of the gradient", title="Biased")
    label(below, x="standard deviation / norm of the gradient", y="", title="No bias seen")
    legend(below, columns=3)


MARKS = {1: "o", 2: "s", 3: "^"}
"""By evaluations of f per estimate."""
CROWDED = 0.08
"""Part of a panel's height below which two names would touch."""


def _dot(ax: Axes, x: float, y: float, row: pd.Series) -> None:
    ax.plot(x, y, MARKS[_cost(row)], color=line_style(row["estimator"])["color"], markersize=7)


def _cost(row: pd.Series) -> int:
    return int(np.clip(row["evaluations"], 1, max(MARKS)))
