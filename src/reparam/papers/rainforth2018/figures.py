"""Signal-to-noise ratios of the toy against K and M, beside the leading terms of Theorem 1."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from reparam.report.figures import (
    INK,
    PALETTE,
    Figure,
    PaperData,
    band,
    canvas,
    label,
    legend,
    line_style,
    readable,
)

NAMES = {"guide": ("b, inference network", PALETTE[1], "-"), "prior": ("μ, model", PALETTE[0], "--")}


def ratios(ax: Axes, data: PaperData, experiment: str, x: str) -> bool:
    """Measured ratios with bands, and near the optimum the leading terms as thin lines; whether there were any."""
    drawn = False
    for parameter, (name, colour, line) in NAMES.items():
        frame = data.series(f"snr/{parameter}", experiment=experiment, x=x)
        for estimator, rows in frame.groupby("estimator"):
            drawn, own = True, estimator == "iwae"
            dash = line if own else line_style(str(estimator))["linestyle"]
            style = {"color": colour, "linestyle": dash, "marker": "o", "markersize": 4}
            text = name if own else f"{name}, {readable(str(estimator))}"
            band(ax, rows, x, "value", estimator=str(estimator), name=text, geometric=True, **style)
        leading = data.series(f"leading/{parameter}", experiment=experiment, x=x).groupby(x)["value"].mean()
        if len(leading) and experiment != "far":
            ax.plot(leading.index, leading, color=INK, linewidth=0.9, linestyle=":")
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    return drawn


def against_samples(data: PaperData) -> Canvas | None:
    figure, axes = canvas(columns=3, sharey=True)
    near, groups, far = axes[0]
    drawn = [
        ratios(near, data, "samples", "samples"),
        ratios(groups, data, "groups", "groups"),
        ratios(far, data, "far", "samples"),
    ]
    if not any(drawn):
        return None
    naive = data.series("snr_naive/guide", experiment="samples", estimator="iwae", x="samples")
    style = {"color": PALETTE[7], "linestyle": "-."}
    name = "b, its own mean as signal"
    band(near, naive, "samples", "value", estimator="iwae", name=name, geometric=True, **style)
    near.plot([], [], color=INK, linewidth=0.9, linestyle=":", label="leading terms, Theorem 1")
    label(near, x="samples K", y="|mean| / standard deviation", title="near the optimum, M = 1")
    label(groups, x="bounds averaged M", y="|mean| / standard deviation", title="near the optimum, K = 16")
    label(far, x="samples K", y="|mean| / standard deviation", title="far from the optimum")
    for ax in axes[0]:
        legend(ax, columns=1)
    return figure


FIGURES = [
    Figure(
        "signal-to-noise",
        "Signal-to-noise ratio of gradients of the importance-weighted bound (§3)",
        "Total derivative (iwae) on the linear-Gaussian toy; mean over seeds with a 95 % band, each seed with its "
        "own data and perturbation. Near the optimum the inference network's ratio falls as 1/√K while the model's "
        "rises as √K; averaging M bounds lifts both as √M. Grey: what one sees without a better estimate of the "
        "mean. Far from the optimum one sample has all the weight, and no rate is seen.",
        against_samples,
        ("samples", "groups", "far"),
    )
]
