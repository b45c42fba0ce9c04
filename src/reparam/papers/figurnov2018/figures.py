"""The paper's toys with its digitised points, what a constant does to them, and the errors of derivatives."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from reparam.papers.figurnov2018 import digitised
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
    line_style,
    published,
)

NAMES = {
    "implicit": "implicit",
    "rsvi": "RSVI",
    "rsvi_b0": "RSVI, B = 0",
    "rsvi_b1": "RSVI, B = 1",
    "rsvi_b5": "RSVI, B = 5",
    "rsvi_b10": "RSVI, B = 10",
}
METHODS = {
    "pathwise": ("ours", PALETTE[0]),
    "implicit": ("ours, CDF by autodiff", PALETTE[5]),
    "finite_difference": ("finite difference", PALETTE[1]),
    "torch": ("torch", PALETTE[2]),
}
COLOURS = dict(zip(("implicit", "rsvi_b10", "rsvi_b5", "rsvi_b1", "rsvi_b0"), PALETTE, strict=False))
COLOURS["rsvi"] = PALETTE[1]


def colour(estimator: str) -> str:
    """One colour per curve of the paper's figure; other estimators have that of every report."""
    return COLOURS.get(estimator, line_style(estimator)["color"])


def exact(ax: Axes, data: PaperData, experiment: str, x: str) -> None:
    """Thin dotted lines: variances by quadrature."""
    frame = data.series("variance_exact", experiment=experiment, x=x)
    for estimator, rows in frame.groupby("estimator"):
        one = rows[rows["seed"] == rows["seed"].min()].sort_values(x)
        name = f"{NAMES.get(str(estimator), estimator)}, exact"
        ax.plot(one[x], one["value"], ":", color=colour(str(estimator)), linewidth=1.2, label=name)


def sampled(ax: Axes, data: PaperData, experiment: str, x: str) -> None:
    """The variances of draws, on a logarithmic axis, the paper's order of curves first."""
    frame = data.series("variance", experiment=experiment, x=x)
    for estimator in sorted(
        frame["estimator"].unique(), key=lambda e: list(NAMES).index(e) if e in NAMES else 99
    ):
        rows = frame[frame["estimator"] == estimator]
        style = {"color": colour(estimator), "linestyle": "-"}
        name = NAMES.get(estimator, estimator)
        band(ax, rows, x, "value", estimator=estimator, name=name, geometric=True, **style)
    ax.set_yscale("log")


def toys(data: PaperData) -> Canvas | None:
    titles = {
        "dirichlet": "Dirichlet",
        "von-mises": "ten von Mises factors",
        "von-mises-bare": "one factor, no constant",
    }
    if (
        data.series("variance", experiment="dirichlet").empty
        and data.series("variance", experiment="von-mises*").empty
    ):
        return None
    figure, axes = canvas(columns=3, height=4.4)
    for ax, (experiment, title) in zip(axes[0], titles.items(), strict=True):
        sampled(ax, data, experiment, "phi")
        exact(ax, data, experiment, "phi")
        for (toy, estimator), points in digitised.FIG1.items():
            if toy == experiment and not data.series("variance", experiment=toy, estimator=estimator).empty:
                published(ax, digitised.FIG1_PHI, points, estimator=estimator, name="")
                ax.lines[-1].set_markeredgecolor(colour(estimator))
        if experiment != "von-mises-bare":
            ax.plot(
                [],
                [],
                "o",
                markerfacecolor="none",
                markeredgecolor=INK,
                markersize=5.5,
                label="paper (Fig 1)",
            )
        label(ax, x="φ", y="variance of the gradient", y_unit="nats²", title=title)
        legend(ax, columns=2)
    return figure


def constants(data: PaperData) -> Canvas | None:
    titles = {
        "dirichlet-constant": "Dirichlet",
        "von-mises-constant": "ten von Mises factors",
        "von-mises-bare-constant": "one von Mises factor",
    }
    frame = data.series("variance", experiment="*-constant", x="constant")
    if frame.empty:
        return None
    figure, axes = canvas(columns=3, height=4.4)
    for ax, (experiment, title) in zip(axes[0], titles.items(), strict=True):
        sampled(ax, data, experiment, "constant")
        exact(ax, data, experiment, "constant")
        used = data.series("constant_normalised", experiment=experiment)["value"]
        if not used.empty:
            ax.axvline(used.iloc[0], color=INK, linewidth=1.0, linestyle="--", label="normalised f")
        ax.locator_params(axis="x", nbins=6)
        label(ax, x="constant in f", x_unit="nats", y="variance of the gradient", y_unit="nats²", title=title)
        legend(ax, columns=1)
    return figure


def derivatives(data: PaperData) -> Canvas | None:
    frame = data.series("error_at", experiment="derivative-*", x="parameter")
    if frame.empty:
        return None
    panels = [(law, dtype) for dtype in ("float32", "float64") for law in ("gamma", "von-mises")]
    figure, axes = canvas(rows=2, columns=2, height=4.0)
    for ax, (law, dtype) in zip(axes.flat, panels, strict=True):
        experiment = f"derivative-{law}-dtype{dtype}"
        own = frame[frame["experiment"] == experiment]
        for method, (name, shade) in curves(METHODS, own["estimator"]).items():
            rows = own[own["estimator"] == method]
            one = rows[rows["seed"] == rows["seed"].min()].sort_values("parameter")
            seconds = data.arrays(experiment, method, 0).get("seconds")
            text = name if seconds is None else f"{name}, {float(seconds) * 1e6:.2g} µs a value"
            ax.plot(one["parameter"], one["value"], "o-", markersize=3.5, color=shade, label=text)
            paper = digitised.TABLE2.get((law, dtype, method))
            if paper is not None:
                ax.axhline(paper, color=shade, linewidth=1.0, linestyle="--")
        if not own.empty:
            ax.plot([], [], color=INK, linewidth=1.0, linestyle="--", label="paper's mean (Table 2)")
            ax.set_xscale("log")
            ax.set_yscale("log")
        symbol = {"gamma": "shape α", "von-mises": "concentration κ"}[law]
        title = f"{law.replace('-', ' ')}, {dtype}"
        label(ax, x=symbol, y="mean |error| of the derivative", title=title)
        legend(ax, columns=1)
    return figure


FIGURES = [
    Figure(
        "toys",
        "Variance of one gradient component (Fig 1)",
        "Implicit gradients against RSVI with B boosts of the shape. Geometric mean over seeds with a 95 % band; "
        "dotted: exact, by quadrature over the noise; circles: read from the paper, ± 10 %. In the last panel, ours, "
        "f has one von Mises factor and no constant: the order is reversed.",
        toys,
        ("dirichlet", "von-mises", "von-mises-bare"),
    ),
    Figure(
        "constant",
        "What a constant added to f does",
        "The same gradients at φ = 2, by a constant that changes neither the optimum nor the mean of any estimate. "
        "RSVI's correction multiplies f itself, so its variance is a parabola in the constant; the implicit gradient "
        "does not see it. The dashed line is the constant of the normalised f, which the paper's two toys have.",
        constants,
        ("*-constant",),
    ),
    Figure(
        "derivatives",
        "Accuracy and speed of implicit derivatives (Table 2)",
        "Mean absolute error against mpmath at up to 20 samples of each parameter (those below 1e-30 are left out), "
        "and time per value in eager mode on one thread of this machine.",
        derivatives,
        ("derivative-*",),
    ),
]
