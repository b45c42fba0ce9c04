"""The toy with 200 bits: mean of f, and variance, along training."""

from __future__ import annotations

from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import EngFormatter

from reparam.report.figures import INK, Figure, PaperData, band, canvas, label, legend

LARGEST = 0.501**2
"""The largest mean of f, all bits being 1."""


def toy(data: PaperData) -> Canvas | None:
    figure, axes = canvas(columns=2, width=5.4, height=4.4)
    drawn = False
    for ax, metric in zip(axes[0], ("expectation", "variance/bits"), strict=True):
        for estimator, rows in data.series(metric, experiment="toy").groupby("estimator"):
            drawn = True
            band(ax, rows, "step", "value", estimator=str(estimator), geometric=metric != "expectation")
        ax.xaxis.set_major_formatter(EngFormatter())
        legend(ax)
    axes[0, 0].axhline(LARGEST, color=INK, linewidth=0.8, linestyle=":")
    axes[0, 1].set_yscale("log")
    label(axes[0, 0], x="RMSprop steps", y="mean of f", title="Objective (maximised)")
    label(
        axes[0, 1], x="RMSprop steps", y="variance of a gradient's entry", title="Variance, mean over entries"
    )
    return figure if drawn else None


FIGURES = [
    Figure(
        "toy",
        "Two hundred bits, t = 0.499",
        "All methods evaluate f at two samples a step but for the fresh ones of score_function_mean and the mean-field "
        "pass of muprop. Mean over seeds with a 95 % band, variances in the geometric mean. Dotted: the largest mean.",
        toy,
        ("toy",),
    ),
]
