"""The regression, and what the learning rate and ρ at the start do to a network."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure as Canvas

from reparam.papers.blundell2015.drawing.lines import by_rate, called, lines
from reparam.report.figures import INK, PALETTE, PaperData, canvas, label, legend
from reparam.report.panels import last_rows


def regression(data: PaperData) -> Canvas | None:
    """Quantiles of the regression function, of the first seed."""
    known = data.cells[data.cells["experiment"].str.startswith("regression-")]
    pairs = known[["experiment", "estimator"]].drop_duplicates().sort_values("experiment")
    found = [(e, m, data.arrays(e, m, 0)) for e, m in pairs.itertuples(index=False)]
    found = [entry for entry in found if "intervals/x" in entry[2]]
    if not found:
        return None
    figure, axes = canvas(columns=len(found), width=4.6)
    for ax, (experiment, estimator, arrays) in zip(axes[0], found, strict=True):
        x, (least, low, median, high, most) = arrays["intervals/x"], arrays["intervals/quantiles"]
        truth = x + 0.3 * np.sin(2 * np.pi * x) + 0.3 * np.sin(4 * np.pi * x)
        ax.axvspan(0, 0.5, color=INK, alpha=0.07, linewidth=0)
        ax.fill_between(x, least, most, color=PALETTE[0], alpha=0.2, linewidth=0, label="5 to 95 %")
        ax.fill_between(x, low, high, color=PALETTE[0], alpha=0.35, linewidth=0, label="quartiles")
        ax.plot(x, median, color=PALETTE[1], label="median")
        ax.plot(x, truth, color=INK, linestyle=":", linewidth=0.9, label="without noise")
        ax.set_ylim(-1, 2)
        name = {"regression-mixture": "BBB, scale mixture", "regression-mlp": "network without noise"}[
            experiment
        ]
        label(ax, x="x", y="y", title=called(name, estimator))
    legend(axes[0, 0], columns=1)
    return figure


def fragility(data: PaperData) -> Canvas | None:
    """Test error against the first ρ, a line for each rate."""
    panels = {"error/test": ("test error", "%"), "log_score/test": ("log score", "nats per datum")}
    frames = {metric: last_rows(data, metric, "fragility-*") for metric in panels}
    if any(frame.empty for frame in frames.values()):
        return None
    figure, axes = canvas(columns=2)
    for ax, (metric, frame) in zip(axes[0], frames.items(), strict=True):
        frame = by_rate(frame, np.nan)
        rho = frame["experiment"].str.extract(r"initial_rho(-[\d.]+)", expand=False)
        frame = frame.assign(rho=rho.astype(float))
        rates = sorted(frame["rate"].unique())
        frame = frame.assign(network=frame["rate"].map(str))
        table = {str(rate): (f"rate {rate:g}", PALETTE[i]) for i, rate in enumerate(rates)}
        lines(ax, frame, table, "rho", marker="o")
        name, unit = panels[metric]
        label(ax, x="initial ρ", y=name, y_unit=unit)
    legend(axes[0, 0], columns=1)
    return figure
