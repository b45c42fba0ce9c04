"""Variances on one bit by probability, beside their closed forms, and the auto-encoders' bounds and variances."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.figure import Figure as Canvas

from reparam.measure.one_bit import VARIANCES
from reparam.report.curves import bounds_and_variances
from reparam.report.figures import Figure, PaperData, canvas, label, legend, line_style, readable

TARGET = 0.1
LEAST = 1e-12
"""Variances below are 0 but for rounding: DisARM's for a fair bit."""
FLOOR, CEILING = 1e-4, 1.0
"""Where the panels end: DisARM's variance goes down to 0."""
PANELS = {0.0: "f = (b − 0.1)²", 1.0: "f = (b − 0.1)² + 1"}


def variances(data: PaperData) -> Canvas | None:
    frame = data.series("variance", experiment="one-bit", x="probability")
    if frame.empty:
        return None
    frame = data.beside(data.beside(frame, "target"), "constant")
    figure, axes = canvas(columns=2, width=4.8, height=4.2, sharey=True)
    p = torch.linspace(0.01, 0.99, 197, dtype=torch.float64)
    for ax, (constant, title) in zip(axes[0], PANELS.items(), strict=True):
        here = frame[(frame["target"] == TARGET) & (frame["constant"] == constant)]
        for estimator, rows in here.groupby("estimator"):
            style = line_style(str(estimator))
            if estimator in VARIANCES:
                t, c = torch.full_like(p, TARGET), torch.full_like(p, constant)
                ax.plot(p, VARIANCES[str(estimator)](p, t, c), **style | {"linewidth": 1.2})
            points = rows.sort_values("probability")
            above = points["value"].where(points["value"] > LEAST)
            name = readable(str(estimator))
            ax.plot(points["probability"], above, "o", color=style["color"], markersize=4, label=name)
        ax.set_yscale("log")
        label(ax, x="probability of a 1", y="variance of the gradient", title=title)
        legend(ax)
    axes[0, 0].set_ylim(FLOOR, CEILING)
    return figure


def ratios(data: PaperData) -> Canvas | None:
    """Variances over that of leave-one-out, without a constant."""
    frame = data.series("variance", experiment="one-bit", x="probability")
    if frame.empty:
        return None
    frame = data.beside(data.beside(frame, "target"), "constant")
    frame = frame[(frame["constant"] == 0) & (frame["target"] == TARGET)]
    wide = frame.pivot(index="probability", columns="estimator", values="value")
    if "score_function_loo" not in wide:
        return None
    figure, axes = canvas(width=5.2, height=4.0)
    for estimator in wide.columns:
        if estimator != "score_function":
            relative = wide[estimator] / wide["score_function_loo"]
            axes[0, 0].plot(
                np.array(wide.index), relative, label=readable(estimator), **line_style(estimator)
            )
    label(axes[0, 0], x="probability of a 1", y="variance over that of leave-one-out")
    legend(axes[0, 0])
    return figure


MODELS = {"linear": "Linear", "nonlinear": "Non-linear"}


def training(data: PaperData) -> Canvas | None:
    return bounds_and_variances(
        data, MODELS, bound="elbo/train", axis="bound on training data", group="encoder"
    )


MULTI_SAMPLE = {"multi-sample": "Linear", "multi-sample-nonlinear": "Non-linear"}


def multi_sample(data: PaperData) -> Canvas | None:
    axis = "bound of 20 samples on training data"
    return bounds_and_variances(data, MULTI_SAMPLE, bound="bound_20/train", axis=axis, group="encoder")


FIGURES = [
    Figure(
        "variances",
        "Variance on one bit",
        "Dots: our estimators, over a lattice of their noise; lines: closed forms. A constant added to f moves "
        "REINFORCE and none of the others. For a fair bit DisARM has no variance.",
        variances,
        ("one-bit",),
    ),
    Figure(
        "ratios",
        "Two evaluations of f, three ways to spend them",
        "Variance relative to two-sample leave-one-out, at any t: DisARM is never above it and never above ARM.",
        ratios,
        ("one-bit",),
    ),
    Figure(
        "training",
        "Discrete VAEs: bound and variance at two evaluations of f",
        "Mean over seeds with a 95 % band. Above, the bound of hard samples on training rows, the start cut off; "
        "below, the natural logarithm of the mean variance of an entry of the encoder's gradient, by running moments.",
        training,
        ("linear", "nonlinear"),
    ),
    Figure(
        "multi-sample",
        "Discrete VAEs: multi-sample bounds at equal evaluations of f",
        "Mean over seeds with a 95 % band; the start of the bounds is cut off. Local DisARM trains on the bound of "
        "half as many samples as VIMCO, so the variances are of gradients of two bounds.",
        multi_sample,
        tuple(MULTI_SAMPLE),
    ),
]
