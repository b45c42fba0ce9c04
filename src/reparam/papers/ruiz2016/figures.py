"""G-REP's exact variance beside others'."""

from __future__ import annotations

from matplotlib.figure import Figure as Canvas

from reparam.report.figures import PALETTE, Figure, PaperData, canvas, curves, label, legend

OBJECTIVES = {"z": "f = z", "z_squared": "f = z²", "log_z": "f = log z"}
CURVES = {
    "grep": ("G-REP", PALETTE[1]),
    "rsvi_b0": ("RSVI, B = 0", PALETTE[2]),
    "pathwise": ("implicit", PALETTE[0]),
}


def variances(data: PaperData) -> Canvas | None:
    if data.series("variance/z", experiment="moments").empty:
        return None
    figure, axes = canvas(columns=3, width=3.8)
    for ax, (metric, title) in zip(axes[0], OBJECTIVES.items(), strict=True):
        frame = data.series(f"variance/{metric}", experiment="moments", x="alpha")
        for estimator, (name, colour) in curves(CURVES, frame["estimator"]).items():
            rows = frame[frame["estimator"] == estimator]
            one = rows[rows["seed"] == rows["seed"].min()].sort_values("alpha")
            ax.plot(one["alpha"], one["value"], "o-", markersize=3.5, color=colour, label=name)
        ax.set_yscale("log")
        label(ax, x="shape α", y="variance of the gradient", title=title)
        legend(ax, columns=1)
    return figure


FIGURES = [
    Figure(
        "variances",
        "Gradient variance for one gamma variable",
        "∂E[f]/∂α for z ~ Gamma(α, 1), one sample: exact, by quadrature over each estimator's noise.",
        variances,
        ("moments",),
    ),
]
