"""What sharing the noise of weights does to a minibatch, the polynomial for the divergence, and networks."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import NullFormatter, ScalarFormatter

from reparam.papers.kingma2015.digitised import GRADIENT_VARIANCE, TEST_ERROR, WIDTHS
from reparam.report.curves import at_best
from reparam.report.figures import (
    INK,
    PALETTE,
    Figure,
    PaperData,
    band,
    canvas,
    curves,
    label,
    legend,
    readable,
    row_names,
    spread,
)

NAMES = {
    "shared": ("one weight sample per minibatch", PALETTE[1]),
    "flipout": ("one per minibatch, random signs (flipout)", PALETTE[3]),
    "per_example": ("one weight sample per example", PALETTE[0]),
    "local": ("local reparameterization", PALETTE[2]),
}
WAYS = {"none": ("no noise", PALETTE[7]), **NAMES}
LAYERS = {"top": "top layer", "bottom": "bottom layer"}
NETWORKS = {
    "fig1-none": ("no dropout", PALETTE[7], "solid"),
    "fig1-binary": ("binary dropout", PALETTE[6], "solid"),
    "fig1-gaussian-a": ("Gaussian dropout A", PALETTE[1], "solid"),
    "fig1-variational-a": ("variational dropout A", PALETTE[0], "solid"),
    "fig1-variational-a2": ("variational dropout A2", PALETTE[2], "solid"),
    "fig1-gaussian-b": ("Gaussian dropout B", PALETTE[4], "dashed"),
    "fig1-variational-b": ("variational dropout B", PALETTE[5], "dashed"),
}
SCORES = {
    "error/test": ("test error", "%"),
    "log_score/test": ("test log score", "nats per datum"),
    "calibration_error/test": ("calibration error", "%"),
}


def minibatch(data: PaperData) -> Canvas | None:
    every = data.series("variance", experiment="minibatch", x="batch")
    if every.empty:
        return None
    figure, axes = canvas(width=6.0)
    ax = axes[0, 0]
    for way, (name, colour) in curves(NAMES, every["estimator"]).items():
        frame = every[every["estimator"] == way]
        style = {"color": colour, "linestyle": "none", "marker": "o", "markersize": 5}
        if way == "per_example":  # where the local one lies, too
            style |= {"markersize": 10, "fillstyle": "none"}
        band(ax, frame, "batch", "value", estimator=way, name=name, geometric=True, **style)
        formula = data.series("formula", experiment="minibatch", estimator=way, x="batch")
        means = formula.groupby("batch")["value"].mean()
        ax.plot(means.index, means, color=INK, linewidth=0.9, linestyle=":")
    ax.plot([], [], color=INK, linewidth=0.9, linestyle=":", label="formula, closed forms")
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    label(ax, x="minibatch M", y="variance", y_unit="nats²")
    legend(ax, columns=1)
    return figure


def divergence(data: PaperData) -> Canvas | None:
    exact = data.series("exact", experiment="divergence", x="alpha")
    polynomial = data.series("polynomial", experiment="divergence", x="alpha")
    if exact.empty or polynomial.empty:
        return None
    figure, axes = canvas(columns=2)
    axes[0, 0].plot(exact["alpha"], exact["value"], color=PALETTE[0], label="quadrature")
    axes[0, 0].plot(
        polynomial["alpha"], polynomial["value"], color=PALETTE[1], linestyle="--", label="polynomial"
    )
    axes[0, 1].plot(exact["alpha"], polynomial["value"] - exact["value"], color=PALETTE[1])
    label(axes[0, 0], x="α", y="−KL + constant", y_unit="nats")
    label(axes[0, 1], x="α", y="polynomial − quadrature", y_unit="nats", title="error, best constant")
    for ax in axes[0]:
        ax.set_xscale("log")
        legend(ax, columns=1)
    return figure


def networks(data: PaperData) -> Canvas | None:
    """A panel for each of SCORES: a line for every method, and for whoever else trains its networks."""
    frames = {metric: _stopped(data, metric) for metric in SCORES}
    if any(frame.empty for frame in frames.values()):
        return None
    figure, axes = canvas(columns=len(SCORES), width=4.6)
    for ax, (metric, frame) in zip(axes[0], frames.items(), strict=True):
        for name, (method, colour, dash) in NETWORKS.items():
            rows = frame[frame["network"] == name]
            for estimator in rows["estimator"].unique():
                own = rows[rows["estimator"] == estimator]
                other = "" if estimator in ("pathwise", "backpropagation") else f", {readable(estimator)}"
                style: dict[str, Any] = {"color": colour, "linestyle": ":" if other else dash, "marker": "o"}
                band(ax, own, "width", "value", estimator=estimator, name=method + other, **style)
            if metric == "error/test" and data.on_papers_data:
                ax.plot(WIDTHS, TEST_ERROR[name], "o", markerfacecolor="none", markeredgecolor=colour)
        ax.set_xscale("log")
        ax.set_xticks(sorted(frame["width"].unique()))
        ax.xaxis.set_major_formatter(ScalarFormatter())
        ax.xaxis.set_minor_formatter(NullFormatter())
        name, unit = SCORES[metric]
        label(ax, x="hidden units", y=name, y_unit=unit)
    legend(axes[0, 0])
    return figure


def _stopped(data: PaperData, metric: str) -> pd.DataFrame:
    """Every seed's reading where its validation error is least, with columns network and width."""
    best = at_best(data, metric, "fig1-*", "error/valid")
    if best.empty:
        return best
    parts = best["experiment"].str.rsplit("-width", n=1)
    return best.assign(network=parts.str[0], width=parts.str[1].astype(int))


def table(data: PaperData) -> Canvas | None:
    metrics = {layer: f"pass_variance/*/{layer}" for layer in LAYERS}
    ways = data.wildcards(metrics["top"], experiment="table1")
    if not ways:
        return None
    figure, axes = canvas(columns=2, width=5.0)
    for ax, (layer, title) in zip(axes[0], LAYERS.items(), strict=True):
        for way, (name, colour) in curves(WAYS, ways).items():
            frame = data.series(metrics[layer].replace("*", way), experiment="table1", x="samples_seen")
            style = {"color": colour, "linestyle": "solid", "marker": "o", "markersize": 5}
            band(ax, frame, "samples_seen", "value", estimator=way, name=name, geometric=True, **style)
            if data.on_papers_data and way in GRADIENT_VARIANCE and not frame.empty:
                ends = sorted(frame["samples_seen"].unique())[:: len(frame["samples_seen"].unique()) - 1 or 1]
                style = {"color": colour, "marker": "o", "markersize": 8, "fillstyle": "none"}
                ax.plot(ends, GRADIENT_VARIANCE[way][layer][: len(ends)], linestyle="none", **style)
        ax.set_xscale("log")
        ax.set_yscale("log")
        label(ax, x="rows seen", y="variance per weight", y_unit="nats²", title=title)
    legend(axes[0, 0], columns=1)
    return figure


def speed(data: PaperData) -> Canvas | None:
    frame = data.series("seconds", experiment="speed")
    if frame.empty:
        return None
    figure, axes = canvas(width=6.0, height=3.2)
    ax = axes[0, 0]
    known = curves(NAMES, frame["estimator"])
    for at, (way, (_, colour)) in enumerate(known.items()):
        spread(ax, at, 1000 * frame.loc[frame["estimator"] == way, "value"].to_numpy(float), colour=colour)
    row_names(ax, [name for name, _ in known.values()])
    ax.set_xscale("log")
    label(ax, x="a training step", y="", x_unit="ms")
    return figure


FIGURES = [
    Figure(
        "minibatch",
        "Variance of a minibatch's log-likelihood (§2.1)",
        "Linear regression with Gaussian weights; points: as sampled, mean over seeds; dotted: the formula. Where data "
        "share a weight sample their covariance stays as a floor. Random signs take it from the outputs, but not from "
        "their squares.",
        minibatch,
        ("minibatch",),
    ),
    Figure(
        "divergence",
        "The divergence from the log-uniform prior (§3.3)",
        "The published cubic polynomial beside quadrature, up to the constant that brings them closest.",
        divergence,
        ("divergence",),
    ),
    Figure(
        "networks",
        "Networks with seven ways of dropout (Fig 1)",
        "Three hidden layers, read where the validation error is least, everything random at its mean; mean over seeds "
        "with a 95 % band; open circles: the paper's test errors on MNIST. Type A puts noise on the inputs of layers, "
        "type B on weights.",
        networks,
        ("fig1-*",),
    ),
    Figure(
        "table",
        "Variance of a minibatch's gradient (Table 1)",
        "At the end of 10 and of 100 epochs of variational dropout B, over the minibatches of one pass, averaged over "
        "a layer's weights; mean over seeds. Open circles: the paper's, of 60,000 rows in minibatches of 1,000.",
        table,
        ("table1",),
    ),
    Figure(
        "speed",
        "What sampling costs (§5)",
        "Processor time of a training step, noise included, by how weights are sampled; mean over seeds with a 95 % "
        "interval.",
        speed,
        ("speed",),
    ),
]
