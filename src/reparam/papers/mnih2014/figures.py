"""NVIL beside wake-sleep, and what each of its tricks is worth."""

from __future__ import annotations

from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import EngFormatter

from reparam.papers.mnih2014.tables import TABLE1
from reparam.report.figures import Figure, PaperData, band, canvas, label, legend
from reparam.report.panels import curves, tables

LAYERS = {1: "one layer", 2: "two layers", 3: "three layers"}
TITLES = {
    f"{name}-layers{n}": f"{title}, {LAYERS[n]}"
    for n in LAYERS
    for name, title in (("sbn", "NVIL"), ("wake-sleep", "wake-sleep"))
}
ABLATION = {f"ablation-layers{n}": LAYERS[n] for n in (1, 2)}


def table1(data: PaperData) -> Canvas | None:
    return tables(data, "elbo/test", TABLE1, TITLES)


def along(data: PaperData) -> Canvas | None:
    figure, axes = canvas(columns=len(LAYERS), width=3.8)
    drawn = False
    for ax, (n, title) in zip(axes[0], LAYERS.items(), strict=True):
        for name in ("sbn", "wake-sleep"):
            frame = data.series("elbo/test", experiment=f"{name}-layers{n}", x="samples_seen")
            for estimator, rows in frame.groupby("estimator"):
                drawn = True
                band(ax, rows, "samples_seen", "value", estimator=str(estimator))
        ax.xaxis.set_major_formatter(EngFormatter(sep=""))
        label(ax, x="samples seen", y="test bound", y_unit="nats", title=title)
        legend(ax)
    return figure if drawn else None


def ablation(data: PaperData) -> Canvas | None:
    return curves(data, "elbo/valid", ABLATION, y="validation bound")


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
