"""ARM on one bit, and the networks: likelihoods beside the paper's tables, and bounds against steps and seconds."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from reparam.report.curves import curve, last, levels, panels, with_results
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


MODELS = {
    "linear-layers1": "One linear layer",
    "linear-layers2": "Two linear layers",
    "nonlinear": "Non-linear layer",
    "structured": "Structured prediction",
}
TABLES = {
    "linear-layers1": {"arm": -107.2, "score_function": -164.0},
    "linear-layers2": {"arm": -96.7, "score_function": -159.2},
    "nonlinear": {"arm": -98.4, "score_function": -114.6},
    "structured": {"arm": -57.9},
}
"""Tables 2 and 3, in nats: what the authors ran themselves."""


def likelihoods(data: PaperData) -> Canvas | None:
    metrics = {name: "bound_1000/test" if name == "structured" else "bound_100/test" for name in MODELS}

    def draw(ax: Axes, name: str) -> None:
        paper = TABLES[name] if data.on_papers_data else None
        samples = metrics[name].split("/")[0].removeprefix("bound_")
        frame = last(data.series(metrics[name], experiment=name))
        levels(ax, frame, x_label=f"test bound of {int(samples):,} samples (nats)", paper=paper)

    found = {
        name: title for name, title in MODELS.items() if with_results(data, {name: title}, metrics[name])
    }
    return panels(found, draw, columns=2, height=3.2)


def training(data: PaperData) -> Canvas | None:
    """Bounds along training against steps, and against the seconds of these."""
    found = with_results(data, MODELS, "elbo/train")
    titles = {
        (name, x): f"{title}: by {x}s" if x == "step" else f"{title}: by time"
        for name, title in found.items()
        for x in ("step", "seconds")
    }

    def draw(ax: Axes, panel: tuple[str, str]) -> None:
        name, x = panel
        curve(ax, data, name, "elbo/train", x=x)
        along = "training steps" if x == "step" else "seconds of training steps"
        label(ax, x=along, y="bound on training data", y_unit="nats")
        legend(ax)

    return panels(titles, draw, columns=4 if len(found) > 1 else 2)


def step_times(data: PaperData) -> Canvas | None:
    frame = data.series("seconds", experiment="speed")
    if frame.empty:
        return None
    figure, axes = canvas(width=5.2, height=3.2)
    levels(axes[0, 0], frame.assign(value=1000 * frame["value"]), x_label="milliseconds of a training step")
    return figure


FIGURES = [
    Figure(
        "one-bit",
        "ARM on one bit",
        "Mean and standard deviation of one estimate at t = 0.1, over a lattice of its uniform, beside closed forms.",
        one_bit,
        ("one-bit",),
    ),
    Figure(
        "likelihoods",
        "Test likelihoods at the end (Tables 2 and 3)",
        "Dots: our bounds of so many samples, with 95 % intervals over seeds, the best on top. Open circles, where the "
        "data are the paper's: what its authors ran.",
        likelihoods,
        tuple(MODELS),
    ),
    Figure(
        "training",
        "Bounds by steps, and by time",
        "The bound of hard samples on training rows, mean over seeds with a 95 % band; the start is cut off. Times are "
        "of training steps alone.",
        training,
        tuple(MODELS),
    ),
    Figure(
        "step-times",
        "What a training step costs",
        "The processor's time of one traced step on the linear auto-encoder, with 95 % intervals.",
        step_times,
        ("speed",),
    ),
]
