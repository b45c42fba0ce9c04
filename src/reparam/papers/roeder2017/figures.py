"""The trace of the KL, what is left of a gradient's variance near the posterior, and autoencoders."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from reparam.report.curves import last, levels, panels, with_results
from reparam.report.figures import (
    PALETTE,
    Figure,
    PaperData,
    band,
    canvas,
    curves,
    label,
    legend,
    line_style,
    readable,
)

NAMES = {
    "pathwise": ("total derivative", PALETTE[0]),
    "stl": ("path derivative (STL)", PALETTE[1]),
    "score_function_loo": ("score function, leave one out", PALETTE[7]),
    "iwae": ("total derivative", PALETTE[0]),
    "dreg": ("doubly reparameterized (DReG)", PALETTE[2]),
}
SHOWN = 400
"""The paper's first iteration."""


def fit(data: PaperData) -> Canvas | None:
    trace = data.series("expectation", experiment="fig1")
    if trace.empty:
        return None
    figure, axes = canvas(columns=3, width=4.2, height=3.6)
    late = trace[trace["step"] >= min(SHOWN, trace["step"].max())]
    for ax, frame in zip(axes[0], (trace, late), strict=False):
        for estimator, rows in frame.groupby("estimator"):
            name, colour = curves(NAMES, [str(estimator)])[str(estimator)]
            kl = rows.assign(value=(-rows["value"]).clip(lower=1e-16))
            style = {"color": colour, "linestyle": "-", "linewidth": 1.0}
            for seed, (_, own) in enumerate(kl.groupby("seed")):
                ax.plot(own["step"], own["value"], label=name if seed == 0 else None, **style)
        ax.set_yscale("log")
        label(ax, x="iteration", y="KL(q ‖ p)", y_unit="nats")
    axes[0, 0].set_title("whole run, each seed")
    axes[0, 1].set_title("the paper's window")
    for estimator in trace["estimator"].unique():
        rows = data.series("variance/posterior", experiment="fig1", estimator=estimator)
        name, colour = curves(NAMES, [estimator])[estimator]
        rows = rows[rows["value"] > 0]
        band(
            axes[0, 2],
            rows,
            "step",
            "value",
            estimator=estimator,
            name=name,
            color=colour,
            geometric=True,
            linestyle="-",
        )
    axes[0, 2].set_yscale("log")
    label(axes[0, 2], x="iteration", y="variance of a gradient entry")
    legend(axes[0, 0], columns=1)
    return figure


def landing(data: PaperData) -> Canvas | None:
    panels = {"landing": "ELBO", "landing-bound": "bound of 5 samples", "landing-mixture": "ELBO, mixture"}
    if data.series("relative", experiment="landing*").empty:
        return None
    figure, axes = canvas(columns=3, width=4.2, height=3.6)
    for ax, (experiment, title) in zip(axes[0], panels.items(), strict=True):
        _landing(ax, data, experiment)
        label(ax, x="distance t from the posterior", y="variance", y_unit="of the score's", title=title)
        legend(ax, columns=1)
    return figure


def _landing(ax: Axes, data: PaperData, experiment: str) -> None:
    """The variance against t > 0; what there is at t = 0 goes into the legend."""
    frame = data.series("relative", experiment=experiment, x="distance")
    for estimator, rows in frame.groupby("estimator"):
        name, colour = curves(NAMES, [str(estimator)])[str(estimator)]
        at_zero = rows.loc[rows["distance"] == 0, "value"]
        ending = "" if at_zero.empty else f"; {_rounded(float(np.mean(at_zero)))} at t = 0"
        style = {"color": colour, "marker": "o", "markersize": 3.5, "linestyle": "-"}
        near = rows[rows["distance"] > 0]
        band(
            ax,
            near,
            "distance",
            "value",
            estimator=str(estimator),
            name=name + ending,
            geometric=True,
            **style,
        )
    ax.set_xscale("log")
    ax.set_yscale("log")


def _rounded(value: float) -> str:
    return "0" if value < 1e-20 else f"{value:.2g}"


TITLES = {
    f"table1-data{data}-layers{layers}": f"{title}, {layers} layer{'s' if layers > 1 else ''}"
    for data, title in (("mnist", "MNIST"), ("omniglot", "Omniglot"), ("digits", "Digits"))
    for layers in (1, 2)
}


def table1(data: PaperData) -> Canvas | None:
    def draw(ax: Axes, name: str) -> None:
        levels(
            ax, last(data.series("bound_5000/test", experiment=name)), x_label="bound of 5,000 samples, nats"
        )

    return panels(with_results(data, TITLES, "bound_5000/test"), draw, columns=2, height=3.8)


DERIVATIVES = {
    "total_1": ("total, K = 1", PALETTE[0], "-"),
    "path_1": ("path, K = 1", PALETTE[1], "-"),
    "total_5": ("total, K = 5", PALETTE[0], ":"),
    "path_5": ("path, K = 5", PALETTE[1], ":"),
}
AS_TRAINED = {"own": "total_1", "path": "path_1"}


def variance(data: PaperData) -> Canvas | None:
    figure, axes = canvas(columns=2, width=4.8, height=4.0)
    drawn = False
    for ax, metric in zip(axes[0], ("variance/*/encoder", "running_log_variance/*/encoder"), strict=True):
        for name in data.wildcards(metric, experiment="variance"):
            rows = data.series(metric.replace("*", name), experiment="variance", estimator="total")
            kind = AS_TRAINED.get(name, name)
            plain = line_style(kind)
            text, colour, line = DERIVATIVES.get(kind, (readable(kind), plain["color"], plain["linestyle"]))
            style = {"color": colour, "linestyle": line, "marker": "o", "markersize": 3.5}
            log = ax is axes[0, 0]
            band(ax, rows, "step", "value", estimator=kind, name=text, geometric=log, **style)
            drawn = drawn or not rows.empty
    axes[0, 0].set_yscale("log")
    label(
        axes[0, 0],
        x="training steps",
        y="trace variance, nats² per unit²",
        title="one minibatch, fixed parameters",
    )
    label(axes[0, 1], x="training steps", y="ln variance of an entry", title="running moments along training")
    for ax in axes[0]:
        legend(ax)
    return figure if drawn else None


FIGURES = [
    Figure(
        "fit",
        "Fitting a Gaussian in 100 dimensions (Fig 1)",
        "The exact KL along the training, one line for each seed, and the variance of the gradient that is followed. "
        "With the path derivative the noise dies out on the way to the target; with the total derivative it stays.",
        fit,
        ("fig1",),
    ),
    Figure(
        "landing",
        "The gradient's variance on the way to the posterior",
        "The trace of the covariance for q's parameters, in units of that of the score ∇ log q. With five samples the "
        "path derivative (STL) is biased, DReG is not.",
        landing,
        ("landing*",),
    ),
    Figure(
        "table1",
        "Autoencoders by the derivative that they follow (Table 1)",
        "Test bound of 5,000 samples at the end of training, mean over seeds with a 95 % interval, best on top; the "
        "paper's numbers are not at hand. Path: the path derivative of the ELBO; STL: that of the bound of K > 1.",
        table1,
        ("table1-*",),
    ),
    Figure(
        "variance",
        "Variance of the encoder's gradient along a training",
        "Total and path derivative along one training by the total one; the number is that of samples in the bound. "
        "Mean over seeds with a 95 % band.",
        variance,
        ("variance",),
    ),
]
