"""The toy with 200 bits: mean of f, and variance, along training; and the auto-encoders' bounds."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import EngFormatter

from reparam.report.curves import curve, last, levels, panels, with_results
from reparam.report.figures import INK, Figure, PaperData, band, canvas, label, legend

LARGEST = 0.501**2
"""The largest mean of f, all bits being 1."""


def toy(data: PaperData) -> Canvas | None:
    figure, axes = canvas(columns=2, width=5.4, height=4.4)
    drawn = False
    for ax, metric in zip(axes[0], ("expectation", "variance/bits"), strict=True):
        for estimator, rows in data.series(metric, experiment="toy").groupby("estimator"):
            drawn = True
            band(ax, rows, "step", "value", estimator=str(estimator), geometric=metric != "expectation")
        ax.xaxis.set_major_formatter(EngFormatter())
        legend(ax)
    axes[0, 0].axhline(LARGEST, color=INK, linewidth=0.8, linestyle=":")
    axes[0, 1].set_yscale("log")
    label(axes[0, 0], x="RMSprop steps", y="mean of f", title="Objective (maximised)")
    label(
        axes[0, 1], x="RMSprop steps", y="variance of a gradient's entry", title="Variance, mean over entries"
    )
    return figure if drawn else None


MODELS = {"linear": "Linear", "nonlinear": "Non-linear"}


def auto_encoders(data: PaperData) -> Canvas | None:
    """The bound along training, and at the end."""
    found = with_results(data, MODELS, "elbo/train")
    titles = {
        (name, what): f"{title}: {what}" for name, title in found.items() for what in ("training", "end")
    }

    def draw(ax: Axes, panel: tuple[str, str]) -> None:
        name, what = panel
        if what == "training":
            curve(ax, data, name, "elbo/train")
            label(ax, x="training steps", y="bound on training data", y_unit="nats")
            legend(ax)
        else:
            frame = last(data.series("elbo/train", experiment=name))
            levels(ax, frame, x_label="bound on training data (nats)")

    return panels(titles, draw, columns=2)


FIGURES = [
    Figure(
        "toy",
        "Two hundred bits, t = 0.499",
        "All methods evaluate f at two samples a step but for the fresh ones of score_function_mean and the mean-field "
        "pass of muprop. Mean over seeds with a 95 % band, variances in the geometric mean. Dotted: the largest mean.",
        toy,
        ("toy",),
    ),
    Figure(
        "auto-encoders",
        "Discrete VAEs: the bound on training data",
        "Of hard samples, with 95 % bands and intervals over seeds; the start is cut off. Those with a 3, and relax, "
        "take three evaluations of f, the others two.",
        auto_encoders,
        tuple(MODELS),
    ),
]
