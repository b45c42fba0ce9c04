"""ARM's mean and standard deviation on one bit."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure as Canvas

from reparam.report.figures import PALETTE, Figure, PaperData, canvas, label, legend, line_style

TARGET = 0.1


def one_bit(data: PaperData) -> Canvas | None:
    frame = data.series("mean", experiment="one-bit", estimator="arm", x="probability")
    if frame.empty:
        return None
    for name in ("target", "variance"):
        other = data.series(name, experiment="one-bit", estimator="arm")[["step", "value"]]
        frame = frame.merge(other.rename(columns={"value": name}), on="step")
    here = frame[frame["target"] == TARGET].sort_values("probability")
    delta, p = 1 - 2 * TARGET, np.linspace(0.01, 0.99, 197)
    q = 1 - p
    sd = delta * np.sqrt(1 / 12 - 2 / 3 * np.abs(p - 0.5) ** 3 - (p * q) ** 2)
    figure, axes = canvas(width=5.2, height=4.0)
    ax, style = axes[0, 0], line_style("arm")
    ax.plot(p, p * q * delta, color=PALETTE[7], label="p q (1 − 2t), exact")
    ax.plot(here["probability"], here["value"], "o", color=style["color"], label="mean of ARM")
    ax.plot(p, sd, color=PALETTE[7], linestyle="--", label="closed form of the standard deviation")
    ax.plot(
        here["probability"],
        np.sqrt(here["variance"]),
        "s",
        color=style["color"],
        label="standard deviation of ARM",
    )
    label(ax, x="probability of a 1", y="gradient by the logit")
    legend(ax, columns=1)
    return figure


FIGURES = [
    Figure(
        "one-bit",
        "ARM on one bit",
        "Mean and standard deviation of one estimate at t = 0.1, over a lattice of its uniform, beside closed forms.",
        one_bit,
        ("one-bit",),
    ),
]
