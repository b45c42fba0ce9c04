"""The paper's tables beside ours, bounds along training, and the integrality gap."""

from __future__ import annotations

from typing import Any

from matplotlib.figure import Figure as Canvas

from reparam.papers.maddison2017.tables import TEST
from reparam.report.figures import PALETTE, Figure, PaperData, band, canvas, label, legend
from reparam.report.panels import curves, last_rows, tables

LAYERS = {1: "one layer", 2: "two layers"}
TABLE1 = {
    f"{kind}{data}-layers{n}": f"{kind}{comma}{name}, {LAYERS[n]}"
    for data, comma, name in (("", "", ""), ("-omniglot", ", ", "Omniglot"))
    for kind in ("linear", "nonlinear")
    for n in (1, 2)
}
FIG4 = {"structured-layers2": "two layers", "structured-layers3": "three layers"}
ARITY = {
    title: {f"arity-{n}-layers{layers}": f"{n}-ary" for n in (2, 4, 8)} for layers, title in LAYERS.items()
}


def table1(data: PaperData) -> Canvas | None:
    return tables(data, "bound_1000/test", TEST, {title: {name: ""} for name, title in TABLE1.items()})


def fig4(data: PaperData) -> Canvas | None:
    return tables(data, "bound_100/test", TEST, {title: {name: ""} for name, title in FIG4.items()})


def arity(data: PaperData) -> Canvas | None:
    return tables(data, "bound_1000/test", TEST, ARITY)


def along(data: PaperData) -> Canvas | None:
    return curves(data, "elbo/test", {**TABLE1, **FIG4}, y="one-sample test bound")


def temperature(data: PaperData) -> Canvas | None:
    names = {"bound_100/test": "discrete", "relaxed_bound_100/test": "relaxed, as trained"}
    figure, axes = canvas(width=5.2, height=4.0)
    ax, drawn = axes[0, 0], False
    for colour, (metric, name) in zip(PALETTE, names.items(), strict=False):
        frame = last_rows(data, metric, "temperature")
        if frame.empty:
            continue
        drawn = True
        at = frame["estimator"].str.rpartition("_")[2].astype(float)
        style: dict[str, Any] = {"color": colour, "linestyle": "-", "marker": "o", "markersize": 4}
        frame = frame.assign(temperature=at, value=-frame["value"])
        band(ax, frame, "temperature", "value", estimator=name, name=name, **style)
    ax.set_xscale("log")
    label(ax, x="temperature λ", y="negative bound of 100 samples", y_unit="nats")
    legend(ax)
    return figure if drawn else None


FIGURES = [
    Figure(
        "table1",
        "Table 1 beside ours",
        "Negative log-likelihoods of test data, mean over seeds with a 95 % interval; open circles: the paper's, by "
        "the bound of 50,000 samples on MNIST or Omniglot, ours by 1,000 on the discrete model. The number at the end "
        "of a name is m, the samples in training.",
        table1,
        ("linear*", "nonlinear*"),
    ),
    Figure(
        "structured",
        "Structured prediction (Fig 4)",
        "The lower half of a digit from its upper half, by the bound of 100 samples; open circles: the paper's.",
        fig4,
        ("structured-*",),
    ),
    Figure(
        "temperature",
        "The integrality gap (Fig 4 right)",
        "Structured prediction with one sample in training: the objective that is trained and that of the discrete "
        "model with the same parameters, against the temperature. Mean over seeds with a 95 % band.",
        temperature,
        ("temperature",),
    ),
    Figure(
        "arity",
        "Arity (App. E)",
        "One or two layers of as many bits, in variables of two, four and eight states. Open circles: the paper's.",
        arity,
        ("arity-*",),
    ),
    Figure(
        "along",
        "Bounds along training",
        "The one-sample bound of the discrete model on test data, against evaluations of f; mean over seeds with a 95 "
        "% band.",
        along,
        ("linear*", "nonlinear*", "structured-*"),
    ),
]
