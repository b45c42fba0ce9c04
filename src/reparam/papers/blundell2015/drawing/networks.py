"""Classification: along training, its uncertainty, pruning, weights."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas

from reparam.papers.blundell2015.digitised import EPOCHS, PRUNED, REMOVED, TEST_ERROR
from reparam.papers.blundell2015.drawing.lines import PUBLISHED, called, lines
from reparam.report.curves import at_best
from reparam.report.figures import PALETTE, PaperData, canvas, label, legend, row_names, spread
from reparam.report.panels import last_rows

NETWORKS = {
    "fig2-sgd": ("SGD", PALETTE[7]),
    "fig2-dropout": ("dropout", PALETTE[6]),
    "fig2-gaussian": ("BBB, Gaussian prior", PALETTE[1]),
    "fig2-mixture": ("BBB, scale mixture", PALETTE[0]),
    "closed-form": ("BBB, Gaussian prior, KL in closed form", PALETTE[4]),
    "geometric": ("BBB, scale mixture, KL weights 2^(M − i)", PALETTE[2]),
    "learned-prior": ("BBB, learned scale mixture", PALETTE[3]),
}
TABLE = ("fig2-sgd", "fig2-dropout", "fig2-gaussian", "fig2-mixture")
SCORES = {
    "error/test": ("test error", "%"),
    "sampled_error/test": ("error, sampled", "%"),
    "sampled_log_score/test": ("log score, sampled", "nats"),
    "sampled_calibration_error/test": ("calibration error, sampled", "%"),
}
EPOCH = {True: 50_000, False: 1_000}
"""Training rows of the papers' data, and of digits."""


def _widest(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of the widest networks, with columns network and width."""
    parts = frame["experiment"].str.rsplit("-width", n=1)
    frame = frame.assign(network=parts.str[0], width=parts.str[1].astype(int))
    return frame[frame["width"] == frame["width"].max()]


def learning(data: PaperData) -> Canvas | None:
    """Test errors along the training."""
    frame = data.series("error/test", experiment="*-width*", x="samples_seen")
    if frame.empty:
        return None
    frame = _widest(frame)
    frame = frame.assign(epochs=frame["samples_seen"] / EPOCH[data.on_papers_data])
    figure, axes = canvas(width=6.5)
    ax = axes[0, 0]
    lines(ax, frame, NETWORKS, "epochs")
    if data.scale == "paper":
        for name, errors in TEST_ERROR.items():
            ax.plot(EPOCHS, errors, color=NETWORKS[name][1], **PUBLISHED)
    ax.set_yscale("log")
    label(ax, x="epochs", y="test error", y_unit="%")
    legend(ax, columns=1)
    return figure


def scores(data: PaperData) -> Canvas | None:
    """Every method's scores where its validation error is least."""
    frames = {metric: _widest(at_best(data, metric, "*-width*", "error/valid")) for metric in SCORES}
    first = frames["error/test"]
    if first.empty:
        return None
    names = {
        (network, estimator): called(method, estimator)
        for network, (method, _) in NETWORKS.items()
        for estimator in first.loc[first["network"] == network, "estimator"].unique()
    }
    figure, axes = canvas(columns=len(SCORES), width=3.4, height=3.4)
    for ax, (metric, frame) in zip(axes[0], frames.items(), strict=True):
        for at, (network, estimator) in enumerate(names):
            rows = frame[(frame["network"] == network) & (frame["estimator"] == estimator)]
            if not rows.empty:
                spread(ax, at, rows["value"].to_numpy(float), colour=NETWORKS[network][1])
        row_names(ax, list(names.values()) if ax is axes[0, 0] else [""] * len(names))
        name, unit = SCORES[metric]
        label(ax, x=name, y="", x_unit=unit)
    return figure


def _cells(
    data: PaperData, networks: Iterable[str]
) -> Iterable[tuple[str, str, list[dict[str, np.ndarray]]]]:
    """(network, estimator, the arrays of its seeds) of the widest networks that have some."""
    known = data.cells[data.cells["experiment"].str.contains("-width")]
    if known.empty:
        return
    known = _widest(known)
    for network in networks:
        rows = known[known["network"] == network]
        for estimator in sorted(rows["estimator"].unique()):
            own = rows[rows["estimator"] == estimator].sort_values("seed")
            pairs = own[["experiment", "seed"]].itertuples(index=False)
            arrays = [data.arrays(experiment, estimator, seed) for experiment, seed in pairs]
            arrays = [each for each in arrays if each]
            if arrays:
                yield network, estimator, arrays


def rejection(data: PaperData) -> Canvas | None:
    """Accuracy among the most confident rows."""
    cells = list(_cells(data, TABLE))
    if not cells:
        return None
    figure, axes = canvas(width=6.0)
    ax = axes[0, 0]
    for network, estimator, arrays in cells:
        name, colour = NETWORKS[network]
        for array, dash in (("sampled_accuracy/test", "solid"), ("accuracy/test", ":")):
            found = [each[array] for each in arrays if array in each]
            if found:
                shares = np.arange(1, len(found[0]) + 1) * 100 / len(found[0])
                sampled = " (10 samples)" if dash == "solid" else ""
                ax.plot(
                    100 - shares,
                    np.mean(found, 0),
                    color=colour,
                    linestyle=dash,
                    label=called(name, estimator) + sampled,
                )
    label(ax, x="rows rejected, the least confident first", y="accuracy of the rest", x_unit="%", y_unit="%")
    ax.set_xlim(0, 60)
    legend(ax, columns=1)
    return figure


def pruning(data: PaperData) -> Canvas | None:
    """Test error against the share of weights that are taken out."""
    frames = [
        last_rows(data, f"error_without_{share}/test", "fig2-*").assign(removed=100 * share)
        for share in REMOVED
    ]
    if all(frame.empty for frame in frames):
        return None
    frame = _widest(pd.concat(frames))
    figure, axes = canvas(width=6.0)
    ax = axes[0, 0]
    lines(ax, frame, {name: NETWORKS[name] for name in TABLE}, "removed", marker="o")
    if data.scale == "paper":
        ax.plot([100 * share for share in REMOVED], PRUNED, color=PALETTE[0], **PUBLISHED)
    ax.set_yscale("log")
    label(ax, x="weights taken out", y="test error", x_unit="%", y_unit="%")
    legend(ax, columns=1)
    return figure


def weights(data: PaperData) -> Canvas | None:
    """Densities of the weights and of their signal-to-noise ratios, of one seed each."""
    cells = list(_cells(data, TABLE))
    if not cells:
        return None
    figure, axes = canvas(columns=2)
    for network, estimator, (arrays, *_) in cells:
        name, colour = NETWORKS[network]
        for ax, kind in zip(axes[0], ("weights", "snr"), strict=True):
            if f"{kind}/density" in arrays:
                density, edges = arrays[f"{kind}/density"], arrays[f"{kind}/edges"]
                middles = (edges[1:] + edges[:-1]) / 2
                ax.plot(middles, density, color=colour, label=called(name, estimator))
    label(axes[0, 0], x="weight", y="density")
    label(axes[0, 1], x="|μ|/σ", y="density", x_unit="dB")
    axes[0, 0].set_xlim(-0.3, 0.3)
    for ax in axes[0]:
        legend(ax, columns=1)
    return figure
