"""What the correction and the exact envelope are worth, by dimension."""

from __future__ import annotations

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
        "bias": ("error of the κ-gradient", "%", "no correction term"),
        "shortcut_error": ("error of E[w]", "", "shortcut for κ > 10"),
    }
    if data.series("bias", experiment="cosine-*").empty:
        return None
    figure, axes = canvas(columns=2, width=5.2, height=4.4)
    for ax, (metric, (name, unit, title)) in zip(axes[0], panels.items(), strict=True):
        frame = data.series(metric, experiment="cosine-*", estimator="rsvi", x="kappa")
        others = data.series("gradient_error", experiment="cosine-*", x="kappa")
        for other, rows in others[others["estimator"] != "rsvi"].groupby("estimator"):
            if metric == "bias":
                style = line_style(str(other)) | {"linestyle": "none", "marker": "s", "markersize": 3}
                ax.plot(rows["kappa"], 100 * rows["value"], label=readable(str(other)), **style)
        dimensions = sorted(int(e.removeprefix("cosine-dimension")) for e in frame["experiment"].unique())
        for i, dimension in enumerate(dimensions):
            rows = frame[frame["experiment"] == f"cosine-dimension{dimension}"]
            one = rows[rows["seed"] == rows["seed"].min()].sort_values("kappa")
            share = i / max(len(dimensions) - 1, 1)
            ends = to_rgb(PALETTE[0]), to_rgb(PALETTE[1])
            colour = tuple((1 - share) * a + share * b for a, b in zip(*ends, strict=True))
            ax.plot(one["kappa"], one["value"], "o-", markersize=3, color=colour, label=f"m = {dimension}")
        ax.axhline(0, color=INK, linewidth=1, linestyle="--", label="ours" if metric == "bias" else None)
        ax.set_xscale("log")
        label(ax, x="κ", y=name, y_unit=unit, title=title)
        legend(ax, columns=4)
    return figure


FIGURES = [
    Figure(
        "faults",
        "Two faults of the official sampler",
        "Exact, by quadrature over accepted proposals of Ulrich's sampler in m dimensions. Left: relative error of "
        "∂E[w]/∂κ, w the cosine to the mean direction, when only the path is differentiated. Right: E[w] − A_m(κ) "
        "where the envelope is replaced by its limit for large κ. The dashed line is the library's: no error.",
        faults,
        ("cosine-*",),
    ),
]
