"""The bias of straight-through estimators, by degree of f and by its scale; VAEs by temperature and by shape."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import NullFormatter

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
from reparam.report.panels import last_rows

FLOOR = 1e-16
"""What double precision leaves of a bias of zero."""


def by_degree(data: PaperData) -> Canvas | None:
    frame = data.series("bias", experiment="polynomials")
    if frame.empty:
        return None
    figure, axes = canvas(width=5.2, height=4.0)
    ax = axes[0, 0]
    degrees = sorted(frame["step"].unique())
    estimators = sorted(frame["estimator"].unique())
    for place, estimator in enumerate(estimators):
        rows = frame[frame["estimator"] == estimator]
        x = rows["step"] + 0.16 * (place - (len(estimators) - 1) / 2)
        colour = line_style(estimator)["color"]
        ax.plot(
            x, np.maximum(rows["value"], FLOOR), "o", color=colour, markersize=5, label=readable(estimator)
        )
    ax.set_yscale("log")
    ax.set_xticks(degrees)
    label(ax, x="degree of f in the one-hot variable", y="bias over the gradient's norm")
    legend(ax)
    return figure


def order(data: PaperData) -> Canvas | None:
    frame = data.series("bias", experiment="order", x="scale")
    if frame.empty:
        return None
    figure, axes = canvas(width=5.2, height=4.0)
    ax = axes[0, 0]
    for estimator, rows in frame.groupby("estimator"):
        band(ax, rows, "scale", "value", estimator=str(estimator), geometric=True, marker="o", markersize=3.5)
    x = np.array([frame["scale"].min(), frame["scale"].max()])
    for power, dash in ((1, ":"), (2, "--")):
        at = frame[frame["scale"] == x[1]]["value"].max()
        name = f"slope {power}"
        ax.plot(x, at * (x / x[1]) ** power, color=INK, linewidth=0.8, linestyle=dash, label=name)
    ax.set_xscale("log")
    ax.set_yscale("log")
    scales = sorted(frame["scale"].unique())
    ax.set_xticks(scales, labels=[f"{scale:g}" for scale in scales])
    ax.minorticks_off()
    label(ax, x="ε in f = exp(ε w·z)", y="bias over the gradient's norm")
    legend(ax)
    return figure


def ends(data: PaperData) -> pd.DataFrame:
    """The last bound of the training data of each seed, with `shape` (variables, classes) and `temperature`.

    The temperature is NaN in the experiment of estimators that have none.
    """
    frame = last_rows(data, "elbo/train", "vae-*")
    found = frame["experiment"].str.extract(r"-units(\d+)-classes(\d+)").astype(int)
    heat = frame["experiment"].str.extract(r"-temperature([\d.]+)")[0].astype(float)
    return frame.assign(shape=found.apply(tuple, axis=1), temperature=heat)


def temperatures(data: PaperData) -> Canvas | None:
    frame = ends(data)
    if frame["temperature"].isna().all():
        return None
    shapes = sorted(frame["shape"].unique())
    columns = min(3, len(shapes))
    figure, axes = canvas(
        rows=-(-len(shapes) // columns), columns=columns, width=5.2 if columns == 1 else 4.2
    )
    for ax in axes.flat[len(shapes) :]:
        ax.set_axis_off()
    for ax, shape in zip(axes.flat, shapes, strict=False):
        here = frame[frame["shape"] == shape]
        heats = sorted(here["temperature"].dropna().unique())
        for estimator, rows in here.groupby("estimator"):
            fixed, own = rows[rows["temperature"].isna()], rows.dropna(subset="temperature")
            if not own.empty:
                band(ax, own, "temperature", "value", estimator=str(estimator), marker="o", markersize=3.5)
            if not fixed.empty and heats:
                level = pd.concat([fixed.assign(temperature=heat) for heat in (heats[0], heats[-1])])
                name = f"{readable(str(estimator))}, no τ" if own.empty else "_"
                band(ax, level, "temperature", "value", estimator=str(estimator), name=name)
        ax.set_xscale("log")
        ax.set_xticks(heats, labels=[f"{heat:g}" for heat in heats])
        ax.xaxis.set_minor_formatter(NullFormatter())
        title = f"{shape[0]} × {shape[1]}"
        label(ax, x="temperature τ", y="bound, training data", y_unit="nats", title=title)
    legend(axes[0, 0])
    return figure


def shapes(data: PaperData) -> Canvas | None:
    frame = ends(data)
    if frame.empty:
        return None
    frame = frame.assign(value=-frame["value"], temperature=frame["temperature"].fillna(-1))
    means = frame.groupby(["shape", "estimator", "temperature"])["value"].mean()
    best = means.groupby(level=["shape", "estimator"]).idxmin().dropna()
    columns, names = sorted(frame["shape"].unique()), sorted(frame["estimator"].unique())
    figure, axes = canvas(
        columns=len(columns), width=5.2 if len(columns) == 1 else 2.6, height=3.2, sharey=True
    )
    for ax, shape in zip(axes[0], columns, strict=True):
        for at, name in enumerate(names):
            if (shape, name) not in best.index:
                continue
            heat = best[shape, name][-1]
            chosen = frame[["shape", "estimator", "temperature"]].apply(tuple, axis=1) == (shape, name, heat)
            values, colour = frame.loc[chosen, "value"].to_numpy(float), line_style(name)["color"]
            spread(ax, at, values, colour=colour, text="{:.1f}" + (f", τ = {heat:g}" if heat > 0 else ""))
        row_names(ax, [readable(name) for name in names])
        ax.margins(x=0.25)
        label(ax, x="−ELBO", y="", x_unit="nats", title=f"{shape[0]} × {shape[1]}")
    return figure


FIGURES = [
    Figure(
        "by-degree",
        "Exact for which functions?",
        "The bias of the enumerated mean, one dot a seed (a random polynomial at random logits of four categories, "
        "τ = 1). Dots at the bottom are zero but for rounding.",
        by_degree,
        ("polynomials",),
    ),
    Figure(
        "order",
        "Order of accuracy",
        "The bias for f = exp(ε w·z), geometric mean over seeds with a 95 % band.",
        order,
        ("order",),
    ),
    Figure(
        "temperatures",
        "Bound by temperature",
        "Of the training data at the end of training, with hard samples; one panel for each shape "
        "(variables × classes). Straight-through has no temperature. Mean over seeds with a 95 % band.",
        temperatures,
        ("vae-*",),
    ),
    Figure(
        "shapes",
        "Training −ELBO by the shape of the code",
        "Left is better. Each estimator at the temperature of its best mean, which is written beside it; that choice "
        "is made on the numbers shown and flatters those that have one. Mean over seeds with a 95 % interval.",
        shapes,
        ("vae-*",),
    ),
]
