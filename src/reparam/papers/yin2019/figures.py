"""ARM's mean and standard deviation on one bit."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure as Canvas

from reparam.report.figures import PALETTE, Figure, PaperData, canvas, curves, label, legend, line_style

TARGET = 0.1


def one_bit(data: PaperData) -> Canvas | None:
    frame = data.series("mean", experiment="one-bit", x="probability")
    if frame.empty:
        return None
    frame = data.beside(data.beside(frame, "target"), "variance")
    here = frame[frame["target"] == TARGET].sort_values("probability")
    delta, p = 1 - 2 * TARGET, np.linspace(0.01, 0.99, 197)
    q = 1 - p
    sd = delta * np.sqrt(1 / 12 - 2 / 3 * np.abs(p - 0.5) ** 3 - (p * q) ** 2)
    figure, axes = canvas(width=5.2, height=4.0)
    ax = axes[0, 0]
    ax.plot(p, p * q * delta, color=PALETTE[7], label="p q (1 − 2t), exact")
    ax.plot(p, sd, color=PALETTE[7], linestyle="--", label="closed form of ARM's standard deviation")
    names = curves({"arm": ("ARM", line_style("arm")["color"])}, here["estimator"])
    for estimator, (name, colour) in names.items():
        rows = here[here["estimator"] == estimator]
        ax.plot(rows["probability"], rows["value"], "o", color=colour, label=f"mean of {name}")
        spread = np.sqrt(rows["variance"])
        ax.plot(rows["probability"], spread, "s", color=colour, label=f"standard deviation of {name}")
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
