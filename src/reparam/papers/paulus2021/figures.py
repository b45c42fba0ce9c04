"""The trace of the covariance over the simplex."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure as Canvas

from reparam.report.figures import INK, Figure, PaperData, band, canvas, label, legend


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
]
