"""What the correction and the exact envelope are worth, by dimension."""

from __future__ import annotations

from itertools import cycle

from matplotlib.colors import to_rgb
from matplotlib.figure import Figure as Canvas

from reparam.report.figures import (
    INK,
    PALETTE,
    Figure,
    PaperData,
    canvas,
    label,
    legend,
    line_style,
    readable,
)


def faults(data: PaperData) -> Canvas | None:
    panels = {
        "bias": ("error of the κ-gradient", "%", "no correction term", "gradient_error", 100),
        "shortcut_error": ("error of E[w]", "", "shortcut for κ > 10", "sampler_error", 1),
    }
    if data.series("bias", experiment="cosine-*").empty:
        return None
    figure, axes = canvas(columns=2, width=5.2, height=4.4)
    for ax, (metric, (name, unit, title, right, scale)) in zip(axes[0], panels.items(), strict=True):
        frame = data.series(metric, experiment="cosine-*", estimator="rsvi", x="kappa")
        dimensions = sorted(int(e.removeprefix("cosine-dimension")) for e in frame["experiment"].unique())
        for i, (dimension, mark) in enumerate(zip(dimensions, cycle("os^Dv*P"), strict=False)):
            rows = frame[frame["experiment"] == f"cosine-dimension{dimension}"]
            one = rows[rows["seed"] == rows["seed"].min()].sort_values("kappa")
            share = i / max(len(dimensions) - 1, 1)
            ends = to_rgb(PALETTE[0]), to_rgb(PALETTE[1])
            colour = tuple((1 - share) * a + share * b for a, b in zip(*ends, strict=True))
            ax.plot(
                one["kappa"], one["value"], f"{mark}-", markersize=5, color=colour, label=f"m = {dimension}"
            )
        unharmed = data.series(right, experiment="cosine-*", x="kappa")
        for estimator, rows in unharmed.groupby("estimator"):
            shade = INK if estimator == "rsvi" else line_style(str(estimator))["color"]
            text = f"{'ours' if estimator == 'rsvi' else readable(str(estimator))}, every m"
            ax.plot(rows["kappa"], scale * rows["value"], "x", markersize=5, color=shade, label=text)
        ax.set_xscale("log")
        label(ax, x="κ", y=name, y_unit=unit, title=title)
        legend(ax, columns=3)
    return figure


FIGURES = [
    Figure(
        "faults",
        "Two faults of the official sampler",
        "Exact, by quadrature over accepted proposals of Ulrich's sampler in m dimensions. Left: relative error of "
        "∂E[w]/∂κ, w the cosine to the mean direction, when only the path is differentiated. Right: E[w] − A_m(κ) "
        "where the envelope is replaced by its limit for large κ. Crosses: the library's gradient and sampler in all "
        "of the dimensions, by the same quadrature.",
        faults,
        ("cosine-*",),
    ),
]
