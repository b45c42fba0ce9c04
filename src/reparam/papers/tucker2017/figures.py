"""The toy: who reaches the deterministic optimum, with what variance, and where the relaxation would lead."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import EngFormatter

from reparam.report.figures import INK, PALETTE, Figure, PaperData, band, canvas, label, legend

START, LEAST = 0.2525, 0.2025
"""Expected losses at θ = 0 and at the optimum."""


def toy(data: PaperData) -> Canvas | None:
    figure, axes = canvas(columns=2, width=5.2, height=4.2)
    drawn = False
    for ax, metric in zip(axes[0], ("expectation", "log_variance/bits"), strict=True):
        for estimator, rows in data.series(metric, experiment="toy").groupby("estimator"):
            drawn = True
            band(ax, rows, "step", "value", estimator=str(estimator))
        ax.xaxis.set_major_formatter(EngFormatter())
        legend(ax)
    optima(axes[0, 0])
    label(axes[0, 0], x="gradient steps", y="expected loss", title="Loss")
    label(axes[0, 1], x="gradient steps", y="ln variance of the gradient", title="Log variance")
    return figure if drawn else None


def relaxed_optimum(data: PaperData) -> Canvas | None:
    frame = data.series("loss", experiment="relaxed-optimum", x="temperature")
    if frame.empty:
        return None
    figure, axes = canvas(width=5.0, height=3.8)
    ax: Axes = axes[0, 0]
    ax.plot(frame["temperature"], frame["value"], "o-", color=PALETTE[0], label="at the relaxed optimum")
    optima(ax)
    label(ax, x="temperature τ", y="expected loss of the bit")
    legend(ax, columns=1)
    return figure


def optima(ax: Axes) -> None:
    """Where the loss starts, and the least there is."""
    ax.axhline(LEAST, color=INK, linewidth=0.8, linestyle=":")
    ax.axhline(START, color=INK, linewidth=0.8, linestyle="--")


FIGURES = [
    Figure(
        "toy",
        "One bit, t = 0.45 (§5.1)",
        "Plain gradient steps of rate 0.1, mean over seeds with a 95 % band. Dotted: the least expected loss; dashed: "
        "that of the start. rebar tunes τ and η, rebar_fixed keeps τ = 0.5 and η = 1.",
        toy,
        ("toy",),
    ),
    Figure(
        "relaxed-optimum",
        "Where the relaxation leads",
        "The expected loss of the bit at the logit that minimises the relaxed loss, by quadrature. Dotted: the least "
        "expected loss; dashed: that of a fair bit, at which training starts.",
        relaxed_optimum,
        ("relaxed-optimum",),
    ),
]
