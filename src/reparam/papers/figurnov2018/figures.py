"""The paper's toys with its digitised points, what a constant does to them, and the errors of derivatives."""

from __future__ import annotations

from itertools import cycle

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from numpy.polynomial import Polynomial

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
    readable,
)
from reparam.report.style import DASHES

NAMES = {
    "implicit": "implicit",
    "rsvi": "RSVI",
    "rsvi_b0": "RSVI, B = 0",
    "rsvi_b1": "RSVI, B = 1",
    "rsvi_b5": "RSVI, B = 5",
    "rsvi_b10": "RSVI, B = 10",
}
METHODS = {
    "pathwise": ("quadrature of ∂CDF", PALETTE[0]),
    "implicit": ("CDF by autodiff", PALETTE[5]),
    "finite_difference": ("finite difference", PALETTE[1]),
    "torch": ("torch (Jankowiak)", PALETTE[2]),
    "knowles": ("Knowles", PALETTE[3]),
}
COLOURS = dict(zip(("implicit", "rsvi_b10", "rsvi_b5", "rsvi_b1", "rsvi_b0"), PALETTE, strict=False))
COLOURS["rsvi"] = PALETTE[1]
MARKS = {"implicit": "o", "rsvi_b10": "s"}
"""Of draws; other estimators have triangles."""
LAWS = {"gamma": "gamma", "von-mises": "von Mises"}
PANELS = [(law, dtype) for dtype in ("float32", "float64") for law in LAWS]


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
    quadrature = data.series("variance_exact", experiment="*-constant", x="constant")
    if frame.empty:
        return None
    figure, axes = canvas(columns=3, height=4.4)
    for ax, (experiment, title) in zip(axes[0], titles.items(), strict=True):
        own = frame[frame["experiment"] == experiment]
        for estimator, rows in own.groupby("estimator"):
            name, shade = NAMES.get(str(estimator), readable(str(estimator))), colour(str(estimator))
            exactly = quadrature[
                (quadrature["experiment"] == experiment) & (quadrature["estimator"] == estimator)
            ]
            if not exactly.empty:
                one = exactly[exactly["seed"] == exactly["seed"].min()]
                parabola = Polynomial.fit(one["constant"], one["value"], 2)
                ax.plot(*parabola.linspace(400), color=shade, label=f"{name}, exact")
                ax.plot(one["constant"], one["value"], ".", color=shade, markersize=6)
            mark = MARKS.get(str(estimator), "^")
            style = {"linestyle": "none", "markersize": 4, "markerfacecolor": "none", "color": shade}
            ax.plot(rows["constant"], rows["value"], mark, label=f"{name}, a seed's draws", **style)
        ax.set_yscale("log")
        ax.axvline(0, color=INK, linewidth=1.0, linestyle=":", label="without the constant")
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
    figure, axes = canvas(rows=2, columns=2, height=4.0)
    for ax, (law, dtype) in zip(axes.flat, PANELS, strict=True):
        own = frame[frame["experiment"] == f"derivative-{law}-dtype{dtype}"]
        dashes = cycle(DASHES)
        for (method, (name, shade)), dash in zip(
            curves(METHODS, own["estimator"]).items(), dashes, strict=False
        ):
            rows = own[own["estimator"] == method]
            one = rows[rows["seed"] == rows["seed"].min()].sort_values("parameter")
            style = {"color": shade, "linestyle": dash, "marker": "o", "markersize": 3.5}
            ax.plot(one["parameter"], one["value"], label=name, **style)
        ax.set_xscale("log")
        ax.set_yscale("log")
        symbol = {"gamma": "shape α", "von-mises": "concentration κ"}[law]
        label(ax, x=symbol, y="mean |error| of the derivative", title=f"{LAWS[law]}, {dtype}")
        legend(ax, columns=2)
    return figure


def table(data: PaperData) -> Canvas | None:
    """Rows: law and type; columns: error, time. Filled: ours, open: the paper's."""
    errors = data.series("error", experiment="derivative-*")
    if errors.empty:
        return None
    figure, axes = canvas(rows=len(PANELS), columns=2, width=4.8, height=2.4)
    for pair, (law, dtype) in zip(axes, PANELS, strict=True):
        experiment = f"derivative-{law}-dtype{dtype}"
        own = errors[errors["experiment"] == experiment]
        theirs = {m: row for (*which, m), row in digitised.TABLE2.items() if which == [law, dtype]}
        methods = curves(METHODS, {*own["estimator"], *theirs})
        for at, (method, (_, shade)) in enumerate(methods.items()):
            ours = own.loc[own["estimator"] == method, "value"]
            seconds = data.arrays(experiment, method, 0).get("seconds")
            measured = (ours.mean() if len(ours) else None, seconds)
            for ax, mine, printed in zip(pair, measured, theirs.get(method, (None, None)), strict=True):
                for value, face, above in ((mine, shade, 5), (printed, "none", -11)):
                    if value is not None:
                        ax.plot(float(value), at, "o", color=shade, markerfacecolor=face, markersize=6)
                        ax.annotate(
                            f"{float(value):.1e}",
                            (float(value), at),
                            xytext=(0, above),
                            textcoords="offset points",
                            ha="center",
                            fontsize=7,
                        )
        for ax, x, unit in zip(pair, ("mean |error|", "time of a value"), ("", "s"), strict=True):
            ax.set_xscale("log")
            ax.margins(x=0.12)
            ax.set_yticks(range(len(methods)), labels=[name for name, _ in methods.values()])
            ax.set_ylim(len(methods) - 0.4, -0.6)
            label(ax, x=x, y="", x_unit=unit, title=f"{LAWS[law]}, {dtype}")
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
        "does not see it. Dots: exact, by quadrature, for noise of one number (B = 10 has eleven), and the parabola "
        "through them; open marks: the sampled variance of each seed, often too small where tails are heavy. The "
        "dashed line is the constant of the normalised f, which the paper's two toys have.",
        constants,
        ("*-constant",),
    ),
    Figure(
        "derivatives",
        "Accuracy of implicit derivatives, by parameter",
        "Mean absolute error against mpmath at up to 20 samples of each parameter (those below 1e-30 are left out).",
        derivatives,
        ("derivative-*",),
    ),
    Figure(
        "table-2",
        "Accuracy and speed of implicit derivatives (Table 2)",
        "Filled: ours, the mean over six decades of the parameter, in eager mode on one thread of this machine. Open: "
        "the paper's, whose parameters and machine are not known; its automatic differentiation of the CDF is "
        "compiled. Our samples follow the first row, a quadrature that the paper does not have; Knowles' method is "
        "not built.",
        table,
        ("derivative-*",),
    ),
]
