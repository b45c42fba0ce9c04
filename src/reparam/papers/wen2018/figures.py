"""Variance of a minibatch's gradient against its size, beside Theorem 2, and the knee against width."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure as Canvas

from reparam.report.figures import INK, PALETTE, Figure, PaperData, band, canvas, curves, label, legend

NAMES = {
    "shared": ("shared perturbation", PALETTE[1]),
    "flipout": ("flipout", PALETTE[3]),
    "local": ("local reparameterization", PALETTE[2]),
    "per_example": ("weights for each example", PALETTE[0]),
}
KEYS = ["experiment", "estimator", "cell", "seed", "step"]


def batches(data: PaperData) -> Canvas | None:
    figure, axes = canvas(columns=3)
    drawn = False
    for ax, layer in zip(axes[0], ("hidden", "output"), strict=False):
        parts = [
            data.series(f"variance/{layer}", experiment=e, x="batch") for e in ("batches", "independent")
        ]
        every = pd.concat(parts, ignore_index=True)
        for way, (name, colour) in curves(NAMES, every["estimator"]).items():
            drawn, frame = True, every[every["estimator"] == way]
            style = {"color": colour, "linestyle": "none", "marker": "o", "markersize": 5}
            band(ax, frame, "batch", "value", estimator=way, name=name, geometric=True, **style)
            ratio = data.series(f"to_theorem/{layer}", estimator=way)
            both = frame.merge(ratio, on=KEYS, suffixes=("", "_ratio"))
            theorem = (both["value"] / both["value_ratio"]).groupby(both["batch"]).mean()
            ax.plot(theorem.index, theorem, color=INK, linewidth=0.9, linestyle=":")
        ax.plot([], [], color=INK, linewidth=0.9, linestyle=":", label="Theorem 2")
        ax.set_xscale("log", base=2)
        ax.set_yscale("log")
        label(ax, x="minibatch N", y="variance per weight", y_unit="nats²", title=f"{layer} layer")
    knees = axes[0, 2]
    measured = data.series("knee/hidden", experiment="width-hidden*")
    for way, (name, colour) in curves(NAMES, measured["estimator"]).items():
        drawn, frame = True, measured[measured["estimator"] == way]
        width = pd.to_numeric(frame["experiment"].str.removeprefix("width-hidden"))
        style = {"color": colour, "linestyle": "-", "marker": "o", "markersize": 5}
        band(
            knees,
            frame.assign(width=width),
            "width",
            "value",
            estimator=way,
            name=name,
            geometric=True,
            **style,
        )
    knees.axhspan(100, 1000, color=PALETTE[7], alpha=0.15, linewidth=0, label="paper's knees, shared")
    knees.set_xscale("log", base=2)
    knees.set_yscale("log")
    label(knees, x="hidden units", y="N = α / covariance", title="knee, hidden layer")
    for ax in axes[0]:
        legend(ax, columns=1)
    return figure if drawn else None


FIGURES = [
    Figure(
        "batches",
        "Gradient variance against the minibatch (Fig 1), and its knee",
        "A small network on digits, every weight perturbed by noise of its own size; mean over seeds. Dotted: what "
        "follows by Theorem 2 from the variance at N = 1 and the covariance of two halves. Flipout moves the knee "
        "far to the right, but in a small network not out of sight; wider layers move both. The grey range is the "
        "paper's, of networks of 512 units and more.",
        batches,
        ("batches", "independent", "width*"),
    )
]
