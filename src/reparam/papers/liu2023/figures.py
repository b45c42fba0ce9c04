"""The bias of straight-through estimators, by degree of f and by its scale."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure as Canvas

from reparam.report.figures import INK, Figure, PaperData, band, canvas, label, legend, line_style, readable

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
]
