"""NVIL beside wake-sleep, and what each of its tricks is worth."""

from __future__ import annotations

from itertools import cycle
from typing import Any

import pandas as pd
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import EngFormatter

from reparam.papers.mnih2014.tables import TABLE1
from reparam.report.figures import PALETTE, Figure, PaperData, band, canvas, label, legend
from reparam.report.panels import tables

LAYERS = {1: "one layer", 2: "two layers", 3: "three layers"}
METHODS = ("sbn", "wake-sleep")
PANELS = {title: {f"{name}-layers{n}": "" for name in METHODS} for n, title in LAYERS.items()}


def table1(data: PaperData) -> Canvas | None:
    return tables(data, "elbo/test", TABLE1, PANELS)


def along(data: PaperData) -> Canvas | None:
    frame = data.series("elbo/test", x="samples_seen")
    parts = {title: frame[frame["experiment"].isin(list(own))] for title, own in PANELS.items()}
    return _panels(parts, y="test bound")


def ablation(data: PaperData) -> Canvas | None:
    frame = data.series("elbo/valid", experiment="ablation-*", x="samples_seen")
    parts = {LAYERS[n]: frame[frame["experiment"] == f"ablation-layers{n}"] for n in LAYERS}
    return _panels(parts, y="validation bound")


def _panels(parts: dict[str, pd.DataFrame], y: str) -> Canvas | None:
    """A panel for every part that has rows; colours in the order of estimators' names, since all but one are NVIL."""
    parts = {title: rows for title, rows in parts.items() if not rows.empty}
    if not parts:
        return None
    figure, axes = canvas(columns=len(parts), width=5.0)
    for ax, (title, part) in zip(axes[0], parts.items(), strict=True):
        for colour, (estimator, rows) in zip(cycle(PALETTE), part.groupby("estimator"), strict=False):
            style: dict[str, Any] = {"color": colour, "linestyle": "-"}
            band(ax, rows, "samples_seen", "value", estimator=str(estimator), **style)
        ax.xaxis.set_major_formatter(EngFormatter(sep=""))
        label(ax, x="samples seen", y=y, y_unit="nats", title=title)
        legend(ax)
    return figure


FIGURES = [
    Figure(
        "table1",
        "Table 1 beside ours",
        "Negative bounds of test data, ten samples averaged, mean over seeds with a 95 % interval; open circles: the "
        "paper's, on MNIST.",
        table1,
        ("sbn-*", "wake-sleep-*"),
    ),
    Figure(
        "along",
        "NVIL and wake-sleep along training",
        "Test bounds at equal numbers of steps; mean over seeds with a 95 % band. Wake-sleep dreams besides, and so "
        "evaluates twice as much.",
        along,
        ("sbn-*", "wake-sleep-*"),
    ),
    Figure(
        "ablation",
        "Which of the tricks matters (Fig 1)",
        "Validation bound of NVIL whole, without the input-dependent baseline, with the running mean only, with the "
        "normalising only, and with none of them. Mean over seeds with a 95 % band.",
        ablation,
        ("ablation-*",),
    ),
]
