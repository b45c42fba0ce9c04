"""Variance of a minibatch's gradient against its size, beside Theorem 2, and the theorem's parts."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from reparam.report.curves import floor, last
from reparam.report.figures import (
    INK,
    PALETTE,
    Figure,
    PaperData,
    band,
    canvas,
    curves,
    interval,
    label,
    legend,
    line_style,
    readable,
)

NAMES = {
    "shared": ("shared perturbation", PALETTE[1]),
    "flipout": ("flipout", PALETTE[3]),
    "local": ("local reparameterization", PALETTE[2]),
    "per_example": ("weights for each example", PALETTE[0]),
}
KEYS = ["experiment", "estimator", "cell", "seed", "step"]
DENSE, CONVOLUTIONAL = ("batches", "independent"), ("convolutional",)
PANELS = {
    "hidden": ("first layer", DENSE),
    "output": ("last layer", DENSE),
    "convolution1": ("first convolution", CONVOLUTIONAL),
    "convolution2": ("second convolution", CONVOLUTIONAL),
}
"""Layer: how it is called, and the experiments in which it is measured."""


def batches(data: PaperData) -> Canvas | None:
    shown = {
        layer: (title, experiments)
        for layer, (title, experiments) in PANELS.items()
        if not all(data.series(f"variance/{layer}", experiment=e, x="batch").empty for e in experiments)
    }
    if not shown:
        return None
    figure, axes = canvas((len(shown) + 1) // 2, 2)  # a network's two layers stand side by side
    for ax, (layer, (title, experiments)) in zip(axes.flat, shown.items(), strict=False):
        minibatches(ax, data, layer, experiments, title)
    for ax in axes.flat[len(shown) :]:
        ax.set_axis_off()
    return figure


def minibatches(ax: Axes, data: PaperData, layer: str, experiments: tuple[str, ...], title: str) -> None:
    """Variance of a layer by N with what follows by the theorem."""
    parts = [data.series(f"variance/{layer}", experiment=e, x="batch") for e in experiments]
    every = pd.concat(parts, ignore_index=True)
    ratio = pd.concat([data.series(f"to_theorem/{layer}", experiment=e) for e in experiments])
    for way, (name, colour) in curves(NAMES, every["estimator"]).items():
        frame = every[every["estimator"] == way]
        style = {"color": colour, "linestyle": "none", "marker": "o", "markersize": 5}
        band(ax, frame, "batch", "value", estimator=way, name=name, geometric=True, **style)
        both = frame.merge(ratio, on=KEYS, suffixes=("", "_ratio"))
        theorem = (both["value"] / both["value_ratio"]).groupby(both["batch"]).mean()
        ax.plot(theorem.index, theorem, color=INK, linewidth=0.9, linestyle=":")
    ax.plot([], [], color=INK, linewidth=0.9, linestyle=":", label="Theorem 2")
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    label(ax, x="minibatch N", y="variance per weight", y_unit="nats²", title=title)
    legend(ax, columns=1)


def parts(data: PaperData) -> Canvas | None:
    figure, axes = canvas(columns=3)
    drawn = [sizes(axes[0, 0], data), width(axes[0, 1], data), training(axes[0, 2], data)]
    for ax in axes[0]:
        ax.set_yscale("log")
    return figure if any(drawn) else None


def sizes(ax: Axes, data: PaperData) -> bool:
    """α of a shared perturbation, β as what flipout takes away of its covariance, and γ, what flipout leaves."""
    places: dict[str, int] = {}
    for layer, (title, experiments) in PANELS.items():
        variance = data.series(f"variance/{layer}", experiment=experiments[0], estimator="shared")
        covariance = last(data.series(f"covariance/{layer}", experiment=experiments[0]))
        common, left = (
            covariance[covariance["estimator"] == way].set_index("seed")["value"]
            for way in ("shared", "flipout")
        )
        if variance.empty or common.empty or left.empty:
            continue
        alpha = variance[variance["step"] == variance["step"].min()]["value"]
        place = places[title] = len(places)
        for i, values in enumerate((alpha, (common - left).dropna(), left)):
            mean, low, high = interval(values.to_numpy(float))
            ax.plot([place + 0.15 * (i - 1)] * 2, [max(low, mean / 100), high], color=PALETTE[i], linewidth=2)
            ax.plot(place + 0.15 * (i - 1), mean, "o", color=PALETTE[i], markersize=6)
    for i, part in enumerate(("α", "β", "γ")):
        ax.plot([], [], "o", color=PALETTE[i], label=part)
    ax.set_xticks(range(len(places)), [title.replace(" ", "\n") for title in places])
    label(ax, x="", y="part of the variance", y_unit="nats²", title="Theorem 2's parts")
    legend(ax, columns=3)
    return bool(places)


def width(ax: Axes, data: PaperData) -> bool:
    measured = data.series("knee/hidden", experiment="width-hidden*")
    for way, (name, colour) in curves(NAMES, measured["estimator"]).items():
        frame = measured[measured["estimator"] == way]
        units = pd.to_numeric(frame["experiment"].str.removeprefix("width-hidden"))
        style = {"color": colour, "linestyle": "-", "marker": "o", "markersize": 5}
        frame = frame.assign(width=units)
        band(ax, frame, "width", "value", estimator=way, name=name, geometric=True, **style)
    ax.axhspan(100, 1000, color=PALETTE[7], alpha=0.15, linewidth=0, label="paper's knees, shared")
    ax.set_xscale("log", base=2)
    label(ax, x="hidden units", y="N = α / covariance", title="knee, first layer")
    legend(ax, columns=1)
    return not measured.empty


def training(ax: Axes, data: PaperData) -> bool:
    kinds = {"none": "unperturbed", "flipout": "perturbed"}
    measured = data.series("knee/hidden", experiment="training-perturbed*")
    for way, (name, colour) in curves(NAMES, measured["estimator"]).items():
        frame = measured[measured["estimator"] == way]
        for place, kind in enumerate(kinds):
            values = frame.loc[frame["experiment"] == f"training-perturbed{kind}", "value"]
            ax.plot(
                [place] * len(values),
                values,
                "o",
                color=colour,
                markersize=6,
                label=f"_{name}" if place else name,
            )
    ax.axhspan(100, 1000, color=PALETTE[7], alpha=0.15, linewidth=0)
    ax.set_xticks(range(len(kinds)), list(kinds.values()))
    ax.set_xlim(-0.5, len(kinds) - 0.5)
    label(ax, x="training of the network", y="N = α / covariance", title="knee, first layer")
    legend(ax, columns=1)
    return not measured.empty


def large_batch(data: PaperData) -> Canvas | None:
    metric, prefix = "sampled_log_score/train", "large-batch-weights"
    if data.series(metric, experiment=f"{prefix}*").empty:
        return None
    figure, axes = canvas(columns=3)
    for ax, x in zip(axes[0], ("step", "seconds"), strict=False):
        frame = data.series(metric, experiment=f"{prefix}*", x=x)
        for (experiment, method), part in frame.groupby(["experiment", "estimator"]):
            way, estimator = str(experiment).removeprefix(prefix), str(method)
            name, colour = curves(NAMES, [way])[way]
            if estimator != "pathwise":
                name, colour = f"{name}, {readable(estimator)}", line_style(estimator)["color"]
            if x == "seconds":
                part = part.assign(seconds=part.groupby("step")["seconds"].transform("mean"))
            band(ax, part, x, "value", estimator=estimator, name=name, color=colour, linestyle="solid")
        ax.set_xscale("log")
        floor(ax, frame)
        label(
            ax,
            x="updates" if x == "step" else "time",
            x_unit="" if x == "step" else "s",
            y="training rows' log-likelihood",
            y_unit="nats",
        )
    times = data.series("seconds", experiment="speed")
    ways = curves(NAMES, times["estimator"])
    for place, (way, (_, colour)) in enumerate(ways.items()):
        mean, low, high = interval(1000 * times.loc[times["estimator"] == way, "value"].to_numpy(float))
        axes[0, 2].errorbar(place, mean, [[mean - low], [high - mean]], marker="o", color=colour, capsize=3)
    axes[0, 2].set_xticks(range(len(ways)), [name.replace(" ", "\n") for name, _ in ways.values()])
    axes[0, 2].set_xlim(-0.5, len(ways) - 0.5)
    axes[0, 2].set_ylim(bottom=0)
    label(axes[0, 2], x="", y="an update", y_unit="ms")
    legend(axes[0, 0], columns=1)
    return figure


FIGURES = [
    Figure(
        "batches",
        "Gradient variance against the minibatch (Fig 1)",
        "Every weight perturbed by noise of its own size; mean over seeds, each with a network of its own. Dotted: "
        "what follows by Theorem 2 from the variance at N = 1 and the covariance of two halves at the largest N. "
        "Above: the fully connected network; below: convolutions.",
        batches,
        ("batches", "independent", "convolutional"),
    ),
    Figure(
        "parts",
        "The parts of Theorem 2, and the knee",
        "α is the variance at N = 1, β + γ the covariance of two data's gradients under a shared perturbation, γ that "
        "under flipout. Where they meet, at N = α / (β + γ), or α / γ under flipout, a larger minibatch stops to "
        "help. The grey range is that of the paper's knees under a shared perturbation. Right: networks trained to the "
        "same accuracy with and without perturbations.",
        parts,
        ("batches", "convolutional", "width*", "training*"),
    ),
    Figure(
        "large-batch",
        "Bayes by Backprop with large minibatches (Fig 2a)",
        "The log-likelihood of training rows under one sample of the weights, against updates and processor time; mean "
        "over seeds with a 95 % band. Right: the time of one update.",
        large_batch,
        ("large-batch*", "speed"),
    ),
]
