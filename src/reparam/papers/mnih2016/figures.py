"""Table 1 beside ours, the likelihood by samples, learning signals, and what a learned proposal is worth."""

from __future__ import annotations

from itertools import cycle
from typing import Any

from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import EngFormatter

from reparam.papers.mnih2016.tables import TABLE1
from reparam.report.figures import PALETTE, Figure, PaperData, band, canvas, label, legend
from reparam.report.panels import curves, last_rows, tables

PREDICTION = {"prediction-proposalprior": "prior", "prediction-proposallearned": "learned proposal"}
PAPER = {"prediction-proposalprior": {"vimco_20": 56.5}, "prediction-proposallearned": {"vimco_20": 46.1}}


def table1(data: PaperData) -> Canvas | None:
    return tables(data, "bound_1000/test", {"sbn": TABLE1}, {"three layers": {"sbn": ""}})


def samples(data: PaperData) -> Canvas | None:
    frame = last_rows(data, "bound_1000/test", "sbn")
    if frame.empty:
        return None
    parts = frame["estimator"].str.rpartition("_")
    frame = frame.assign(method=parts[0], samples=parts[2].astype(int), value=-frame["value"])
    figure, axes = canvas(width=5.2)
    for colour, (method, rows) in zip(cycle(PALETTE), frame.groupby("method"), strict=False):
        style: dict[str, Any] = {"color": colour, "linestyle": "-", "marker": "o", "markersize": 4}
        band(axes[0, 0], rows, "samples", "value", estimator=str(method), **style)
    axes[0, 0].set_xscale("log")
    ticks = sorted(frame["samples"].unique())
    axes[0, 0].set_xticks(ticks, labels=[str(tick) for tick in ticks])
    axes[0, 0].minorticks_off()
    label(axes[0, 0], x="samples K of the bound in training", y="test negative log-likelihood", y_unit="nats")
    legend(axes[0, 0])
    return figure


def signals(data: PaperData) -> Canvas | None:
    frame = data.series("signal_rms", experiment="sbn", x="samples_seen")
    if frame.empty:
        return None
    counts = sorted({int(name.rpartition("_")[2]) for name in frame["estimator"]})
    figure, axes = canvas(columns=len(counts), width=3.6, sharey=True)
    for ax, count in zip(axes[0], counts, strict=True):
        own = frame[frame["estimator"].str.endswith(f"_{count}")]
        for estimator, rows in own.groupby("estimator"):
            band(ax, rows, "samples_seen", "value", estimator=str(estimator), geometric=True)
        ax.set_yscale("log")
        ax.xaxis.set_major_formatter(EngFormatter(sep=""))
        label(ax, x="samples seen", y="RMS of the learning signal", y_unit="nats", title=f"K = {count}")
        legend(ax)
    return figure


def prediction(data: PaperData) -> Canvas | None:
    return tables(data, "bound_100/test", PAPER, {"prediction": PREDICTION})


def along(data: PaperData) -> Canvas | None:
    titles = {"sbn": "belief network"} | {n: f"prediction, {t}" for n, t in PREDICTION.items()}
    return curves(data, "elbo/test", titles, y="one-sample test bound")


FIGURES = [
    Figure(
        "table1",
        "Table 1 beside ours",
        "Negative log-likelihoods of test data by 1,000 samples, mean over seeds with a 95 % interval; open circles: "
        "the paper's, on MNIST. The number at the end of a name is K.",
        table1,
        ("sbn",),
    ),
    Figure(
        "samples",
        "The likelihood by the samples in training",
        "The same against K, with 95 % intervals over seeds.",
        samples,
        ("sbn",),
    ),
    Figure(
        "signals",
        "Learning signals",
        "What is left of the signal after all baselines, over all samples, data and layers; NVIL's before it is "
        "divided by its running deviation. Mean over seeds with a 95 % band.",
        signals,
        ("sbn",),
    ),
    Figure(
        "prediction",
        "Structured prediction by its proposal",
        "Twenty samples in training, 100 in the bound; open circles: the paper's.",
        prediction,
        ("prediction-*",),
    ),
    Figure(
        "along",
        "Bounds along training",
        "One-sample test bounds against evaluations of f, mean over seeds with a 95 % band. Under bounds of many "
        "samples the one-sample bound is no objective, and may fall.",
        along,
        ("sbn", "prediction-*"),
    ),
]
