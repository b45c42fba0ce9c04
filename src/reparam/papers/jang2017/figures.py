"""The tables beside ours, bounds along training, what the models make of test images, and times by classes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import EngFormatter, LogLocator, MaxNLocator, NullFormatter, ScalarFormatter

from reparam.papers.jang2017.tables import ESTIMATORS, ROWS, SPEED, TABLE1, TABLE2
from reparam.report.figures import (
    Figure,
    PaperData,
    band,
    canvas,
    label,
    legend,
    line_style,
    pictures,
    published,
    readable,
    row_names,
    spread,
    write,
)


def in_order(labels: set[str]) -> list[str]:
    """Labels as in the paper's table, and others after them."""
    return [name for name in ESTIMATORS if name in labels] + sorted(labels - {*ESTIMATORS})


def table1(data: PaperData) -> Canvas | None:
    frame = data.series("bound_1000/test", experiment="table1-*")
    if frame.empty:
        return None
    frame = frame.assign(value=-frame["value"])
    names = in_order({*frame["estimator"], *ESTIMATORS})
    figure, axes = canvas(rows=len(ROWS), columns=2, width=4.6, height=2.7, sharey=True)
    for row, (experiment, title) in zip(axes, ROWS.items(), strict=True):
        printed = dict(zip(ESTIMATORS, TABLE1[experiment], strict=True))
        beside(row, printed, frame[frame["experiment"] == experiment], names)
        label(row[0], x="negative bound", y="", x_unit="nats", title=f"{title}, paper (MNIST)")
        label(row[1], x="negative bound", y="", x_unit="nats", title=f"{title}, ours ({data.scale})")
    return figure


def table2(data: PaperData) -> Canvas | None:
    frames = {
        metric: data.series(metric, experiment="semi-supervised") for metric in ("accuracy/test", "elbo/test")
    }
    if all(frame.empty for frame in frames.values()):
        return None
    names = list(TABLE2)
    names += sorted({*frames["accuracy/test"]["estimator"], *frames["elbo/test"]["estimator"]} - {*names})
    figure, axes = canvas(rows=2, columns=2, width=4.6, height=2.2, sharey=True)
    for number, (row, (metric, frame)) in enumerate(zip(axes, frames.items(), strict=True)):
        beside(row, {name: printed[number] for name, printed in TABLE2.items()}, frame, names)
        for ax, whose in zip(row, ("paper (MNIST)", f"ours ({data.scale})"), strict=True):
            what, unit = ("accuracy", "%") if metric == "accuracy/test" else ("bound", "nats")
            label(ax, x=what, y="", x_unit=unit, title=f"Test {what}, {whose}")
    return figure


def beside(row: Sequence[Axes], printed: Mapping[str, float], frame: pd.DataFrame, names: list[str]) -> None:
    """The paper's numbers in the left panel, and in the right one ours, each seed's last, with an interval."""
    for name, value in printed.items():
        published(row[0], [value], [names.index(name)], estimator=name, name="paper")
        write(row[0], value, names.index(name), "{:.1f}")
    last = frame.sort_values("step").groupby(["estimator", "seed"]).tail(1)
    for found, rows in last.groupby("estimator"):
        name = str(found)
        values, colour = rows["value"].to_numpy(float), line_style(name)["color"]
        spread(row[1], names.index(name), values, colour=colour, text="{:.1f}")
    for ax in row:
        row_names(ax, [readable(name) for name in names])
        ax.xaxis.set_major_locator(MaxNLocator(5))
        ax.margins(x=0.15)


def bounds(data: PaperData) -> Canvas | None:
    frame = data.series("elbo/test", experiment="table1-*")
    if frame.empty:
        return None
    figure, axes = canvas(rows=2, columns=2, width=4.8)
    for ax, (experiment, title) in zip(axes.flat, ROWS.items(), strict=True):
        found = frame[frame["experiment"] == experiment]
        for estimator in in_order(set(found["estimator"])):
            band(ax, found[found["estimator"] == estimator], "step", "value", estimator=estimator)
        zoom(ax, found)
        ax.xaxis.set_major_formatter(EngFormatter())
        label(ax, x="steps", y="bound", y_unit="nats per datum", title=title)
    for ax in axes[1]:
        legend(ax)
    return figure


def zoom(ax: Axes, frame: pd.DataFrame) -> None:
    """Let the floor of the panel cut off what lies far below where most end."""
    ends = frame.sort_values("step").groupby(["estimator", "seed"]).tail(1)["value"]
    ends = ends[np.isfinite(ends)]
    if len(ends):
        middle, top = float(ends.median()), float(ends.max())
        ax.set_ylim(middle - 4 * max(top - middle, 0.1), top + 0.5 * max(top - middle, 0.1))


def reconstructions(data: PaperData) -> Canvas | None:
    sheets = {}
    for experiment in ROWS:
        found = data.cells[data.cells["experiment"] == experiment]
        names = in_order(set(found["estimator"]))
        arrays = {name: data.arrays(experiment, name, 0) for name in names}
        arrays = {name: entry for name, entry in arrays.items() if "reconstructions" in entry}
        if arrays:
            sheets[experiment] = arrays
    if not sheets:
        return None
    figure, axes = canvas(rows=-(-len(sheets) // 2), columns=min(2, len(sheets)), width=4.6, height=3.0)
    for ax in axes.flat:
        ax.set_axis_off()
    for ax, (experiment, arrays) in zip(axes.flat, sheets.items(), strict=False):
        first = next(iter(arrays.values()))["data"]
        images = [first, *(entry["reconstructions"] for entry in arrays.values())]
        pictures(ax, np.concatenate(images), columns=len(first))
        height = first.shape[1] + 1
        for number, name in enumerate(["data", *arrays]):
            at = (number + 0.45) * height
            ax.text(-2, at, readable(name), ha="right", va="center", fontsize=7.5)
        ax.set_title(ROWS[experiment])
    return figure


def temperatures(data: PaperData) -> Canvas | None:
    figure, axes = canvas(width=5.2)
    ax, drawn = axes[0, 0], False
    for metric, extra in (("elbo/test", {"marker": "o"}), ("objective", {"linewidth": 0.9, "alpha": 0.7})):
        frame = data.series(metric, experiment="temperature*")
        last = frame.sort_values("step").groupby(["experiment", "estimator", "seed"], as_index=False).tail(1)
        last = last.assign(
            temperature=[float(name.rpartition("temperature")[2]) for name in last["experiment"]]
        )
        for estimator, rows in last.groupby("estimator"):
            drawn = True
            what = "hard samples, test" if metric == "elbo/test" else "as trained"
            name = f"{readable(str(estimator))}, {what}"
            band(ax, rows, "temperature", "value", estimator=str(estimator), name=name, **extra)
    ax.set_xscale("log")
    ax.xaxis.set_major_formatter(ScalarFormatter())
    label(ax, x="temperature τ", y="bound, or objective", y_unit="nats")
    legend(ax, columns=1)
    return figure if drawn else None


def semi_supervised(data: PaperData) -> Canvas | None:
    figure, axes = canvas(columns=2)
    drawn = False
    panels = {"accuracy/test": ("test accuracy", "%"), "elbo/test": ("test bound", "nats per datum")}
    for ax, (metric, (what, unit)) in zip(axes[0], panels.items(), strict=True):
        for estimator, rows in data.series(metric, experiment="semi-supervised").groupby("estimator"):
            drawn = True
            band(ax, rows, "step", "value", estimator=str(estimator))
        ax.xaxis.set_major_formatter(EngFormatter())
        label(ax, x="steps", y=what, y_unit=unit)
        legend(ax, columns=1)
    return figure if drawn else None


def speed(data: PaperData) -> Canvas | None:
    frame = data.series("seconds", experiment="speed", x="classes")
    if frame.empty:
        return None
    frame["milliseconds"] = 1000 * frame["value"]
    figure, axes = canvas(columns=2)
    times, gains = axes[0]
    for estimator, rows in frame.groupby("estimator"):
        band(times, rows, "classes", "milliseconds", estimator=str(estimator), marker="o", geometric=True)
    slow = frame[frame["estimator"] == "marginalised"][["classes", "seed", "value"]]
    both = frame[frame["estimator"] != "marginalised"].merge(
        slow, on=["classes", "seed"], suffixes=("", "_slow")
    )
    both["gain"] = both["value_slow"] / both["value"]
    for estimator, rows in both.groupby("estimator"):
        band(gains, rows, "classes", "gain", estimator=str(estimator), marker="o", geometric=True)
    published(
        gains, list(SPEED), list(SPEED.values()), estimator="gumbel_softmax", name="paper (GTX Titan X)"
    )
    for ax in (times, gains):
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.set_xticks(sorted(frame["classes"].unique()))
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(ScalarFormatter())
            axis.set_minor_formatter(NullFormatter())
        legend(ax, columns=1)
    label(times, x="classes", y="time of a step", y_unit="ms", title="Time")
    label(gains, x="classes", y="gain over marginalising", y_unit="times", title="Speed-up")
    return figure


FIGURES = [
    Figure(
        "table1",
        "Table 1, the paper's beside ours",
        "The 1,000-sample bound on test data (structured prediction: of the lower half given the upper one); left is "
        "better. The axes are the same where the data are the paper's; quick and smoke have images of 64 pixels. Mean "
        "over seeds with a 95 % interval, at the rate that is best on validation data.",
        table1,
        ("table1-*",),
    ),
    Figure(
        "bounds",
        "Bound against steps",
        "Of one hard sample, test data. Mean over seeds with a 95 % band; what lies far below most is cut off.",
        bounds,
        ("table1-*",),
    ),
    Figure(
        "reconstructions",
        "What the models make of test images",
        "Top row: test images. Below: the mean image through one hard sample of each model's units (structured "
        "prediction is given the upper half).",
        reconstructions,
        ("table1-*",),
    ),
    Figure(
        "temperatures",
        "Fixed temperatures on the categorical VAE",
        "Bound of one hard sample on test data at the end of training, and the objective that was climbed in the last "
        "steps (thin), which is no bound where samples are relaxed. Mean over seeds with a 95 % band.",
        temperatures,
        ("temperature*",),
    ),
    Figure(
        "table2",
        "Table 2, the paper's beside ours",
        "A VAE with a class, which 100 of the training images have. Accuracy of q(y|x), and the bound of log p(x) with "
        "hard labels, at the end of training; mean over seeds with a 95 % interval.",
        table2,
        ("semi-supervised",),
    ),
    Figure(
        "semi-supervised",
        "Semi-supervised learning against steps",
        "Mean over seeds with a 95 % band.",
        semi_supervised,
        ("semi-supervised",),
    ),
    Figure(
        "speed",
        "Marginalising the class or relaxing it (Fig 5a)",
        "Time of one training step, the median of repetitions on this machine, by the number of classes; the labels "
        "are drawn at random. The paper's two bars belong to 10 and to 100 classes.",
        speed,
        ("speed",),
    ),
]
