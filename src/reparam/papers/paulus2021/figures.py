"""The trace of the covariance over the simplex, and the bounds of categorical VAEs by arity, batch and temperature."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas

from reparam.report.curves import at_best
from reparam.report.figures import (
    INK,
    Figure,
    PaperData,
    band,
    canvas,
    label,
    legend,
    line_style,
    readable,
    row_names,
    spread,
)

METHODS = (
    "score_function",
    "straight_through",
    "gumbel_softmax",
    "st_gumbel_softmax",
    "gumbel_rao_10",
    "gumbel_rao_100",
    "gumbel_rao_1000",
)
"""In the order of the paper's table."""
AVERAGES = {"st_gumbel_softmax": 0.65, "gumbel_rao": 0.35}
"""The paper's best temperatures, on average."""


def temperature(experiment: str) -> float:
    """τ in the name of an experiment with a grid over it."""
    return float(experiment.rpartition("temperature")[2])


def maps(data: PaperData) -> Canvas | None:
    """One triangle per temperature (rows: ST-GS, and GR-MC1000 below it), the colour being log10 of the trace."""
    names = {"st_gumbel_softmax": "ST-GS", "gumbel_rao_1000": "GR-MC1000"}
    frame = data.series("log10_trace", experiment="toy-temperature*", x="p0")
    if frame.empty:
        return None
    frame = data.beside(frame, "p1")
    frame = frame.groupby(["experiment", "estimator", "step"], as_index=False)[["value", "p0", "p1"]].mean()
    shown = frame[frame["estimator"].isin(names)]
    if shown.empty:
        return None
    experiments = sorted(shown["experiment"].unique(), key=temperature)
    low, high = shown["value"].min(), shown["value"].max()
    figure, axes = canvas(rows=2, columns=len(experiments), width=3.2, height=2.9)
    for row, (estimator, name) in zip(axes, names.items(), strict=True):
        for ax, experiment in zip(row, experiments, strict=True):
            here = shown[(shown["estimator"] == estimator) & (shown["experiment"] == experiment)]
            x, y = (
                here["p1"] + (1 - here["p0"] - here["p1"]) / 2,
                (1 - here["p0"] - here["p1"]) * np.sqrt(3) / 2,
            )
            dots = ax.scatter(x, y, c=here["value"], cmap="viridis", vmin=low, vmax=high, s=90)
            ax.plot([0, 1, 0.5, 0], [0, 0, np.sqrt(3) / 2, 0], color=INK, linewidth=0.8)
            ax.set_title(f"{name}, τ = {temperature(experiment):g}")
            ax.set_aspect("equal")
            ax.set_axis_off()
    figure.colorbar(dots, ax=axes, label="log10 trace of the covariance", shrink=0.7)
    return figure


def reduction(data: PaperData) -> Canvas | None:
    frame = data.series("reduction_mean", experiment="toy-temperature*")
    if frame.empty:
        return None
    frame["temperature"] = frame["experiment"].map(temperature)
    figure, axes = canvas(width=5.2, height=4.0)
    ax = axes[0, 0]
    for estimator, rows in frame.groupby("estimator"):
        band(ax, rows, "temperature", "value", estimator=str(estimator), marker="o", markersize=3.5)
    ax.axhline(0, color=INK, linewidth=0.8, linestyle=":")
    ax.set_xscale("log")
    temperatures = sorted(frame["temperature"].unique())
    ax.set_xticks(temperatures, labels=[f"{each:g}" for each in temperatures])
    ax.minorticks_off()
    label(ax, x="temperature τ", y="reduction of log10 trace")
    legend(ax)
    return figure


def best(data: PaperData, experiment: str) -> pd.DataFrame:
    """The bound of 5,000 samples of every seed, where its bound on validation data is largest."""
    return at_best(data, "bound_5000/test", experiment, "elbo/valid", largest=True)


def bounds(data: PaperData) -> Canvas | None:
    """A row for each batch, a column for each arity."""
    frame = pd.concat([best(data, f"{base}-batch*") for base in ("plain", "gumbel")])
    if frame.empty:
        return None
    settings = [
        re.search(r"batch(\d+)-classes(\d+)", name).groups()  # type: ignore[union-attr]
        for name in frame["experiment"]
    ]
    frame = frame.assign(batch=[int(b) for b, _ in settings], classes=[int(c) for _, c in settings])
    present = set(frame["estimator"])
    names = [*(name for name in METHODS if name in present), *sorted(present - {*METHODS})]
    batches, arities = sorted(frame["batch"].unique()), sorted(frame["classes"].unique())
    height = 1.1 + 0.34 * len(names)
    figure, axes = canvas(rows=len(batches), columns=len(arities), width=5.4, height=height, sharey=True)
    for row, batch in zip(axes, batches, strict=True):
        for ax, classes in zip(row, arities, strict=True):
            here = frame[(frame["batch"] == batch) & (frame["classes"] == classes)]
            for (_, estimator), rows in here.groupby(["experiment", "estimator"]):
                values, colour = rows["value"].to_numpy(float), line_style(str(estimator))["color"]
                spread(ax, names.index(str(estimator)), values, colour=colour, text="{:.2f}")
            row_names(ax, [readable(name) for name in names])
            ax.margins(x=0.2)
            label(ax, x="test bound", y="", x_unit="nats", title=f"{classes} categories, batch {batch}")
    return figure


def temperatures(data: PaperData) -> Canvas | None:
    frame = best(data, "temperature-*")
    if frame.empty:
        return None
    frame = frame.assign(temperature=frame["experiment"].map(temperature))
    figure, axes = canvas(width=5.2, height=4.0)
    ax = axes[0, 0]
    for estimator, rows in frame.groupby("estimator"):
        band(ax, rows, "temperature", "value", estimator=str(estimator), marker="o", markersize=3.5)
        if estimator in AVERAGES:
            ax.axvline(
                AVERAGES[str(estimator)],
                color=line_style(str(estimator))["color"],
                linewidth=0.8,
                linestyle=":",
            )
    ax.set_xticks(sorted(frame["temperature"].unique()))
    label(ax, x="temperature τ", y="test bound", y_unit="nats")
    legend(ax)
    return figure


FIGURES = [
    Figure(
        "maps",
        "Variance over the simplex",
        "The trace of the gradient's covariance at inner points of the simplex, mean over seeds: straight-through "
        "Gumbel-Softmax, and the same averaged over 1,000 conditional draws.",
        maps,
        ("toy-temperature*",),
    ),
    Figure(
        "reduction",
        "What Rao-Blackwellisation saves, by temperature",
        "By how much log10 of the trace is below that of straight-through Gumbel-Softmax, mean over the simplex, with "
        "95 % bands over seeds.",
        reduction,
        ("toy-temperature*",),
    ),
    Figure(
        "bounds",
        "Categorical VAEs by arity and batch (Table 2)",
        "The bound of 5,000 samples on test data at the best validation reading; right is better. Mean over seeds with "
        "a 95 % interval, at the rate and temperature of the grid that are best on validation data. GR-MC is called "
        "after its inner samples.",
        bounds,
        ("plain-*", "gumbel-*"),
    ),
    Figure(
        "temperatures",
        "Categorical VAEs at fixed temperatures",
        "The same bound with choices among eight and batch 20. Mean over seeds with a 95 % band; dotted: the paper's "
        "best temperature of that estimator, an average over its settings.",
        temperatures,
        ("temperature-*",),
    ),
]
