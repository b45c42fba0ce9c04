"""What sharing the noise of weights does to a minibatch, and the polynomial for the divergence."""

from __future__ import annotations

from matplotlib.figure import Figure as Canvas

from reparam.report.figures import INK, PALETTE, Figure, PaperData, band, canvas, curves, label, legend

NAMES = {
    "shared": ("one weight sample per minibatch", PALETTE[1]),
    "flipout": ("one per minibatch, random signs (flipout)", PALETTE[3]),
    "per_example": ("one weight sample per example", PALETTE[0]),
    "local": ("local reparameterization", PALETTE[2]),
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
]
