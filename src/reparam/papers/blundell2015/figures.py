"""Classification, its uncertainty, pruning and weights; regression; the bandit; what depends on what is not stated."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from reparam.papers.blundell2015.digitised import EPOCHS, PRUNED, REGRET, REMOVED, STEPS, TEST_ERROR
from reparam.report.figures import (
    INK,
    PALETTE,
    Figure,
    PaperData,
    band,
    canvas,
    interval,
    label,
    legend,
    readable,
)

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
AGENTS = {
    "bandit-thompson": ("Thompson sampling, BBB", PALETTE[0]),
    "bandit-rho-initial_rho-2": ("Thompson sampling from ρ = −2", PALETTE[2]),
    "bandit-rho-initial_rho-8": ("Thompson sampling from ρ = −8", PALETTE[3]),
    "bandit-point-epsilon0.0": ("greedy", PALETTE[7]),
    "bandit-point-epsilon0.01": ("ε-greedy, 1 %", PALETTE[1]),
    "bandit-point-epsilon0.05": ("ε-greedy, 5 %", PALETTE[6]),
}
RATE = 1e-4
OWN = ("pathwise", "backpropagation")
SCORES = {
    "error/test": ("test error", "%"),
    "sampled_error/test": ("error, sampled", "%"),
    "sampled_log_score/test": ("log score, sampled", "nats"),
    "sampled_calibration_error/test": ("calibration error, sampled", "%"),
}
PUBLISHED = {"linestyle": "none", "marker": "o", "fillstyle": "none", "markersize": 4}
EPOCH = {True: 50_000, False: 1_000}
"""Training rows of the papers' data, and of digits."""


def _widest(frame: pd.DataFrame) -> pd.DataFrame:
    """The rows of the widest networks, with columns network and width."""
    parts = frame["experiment"].str.rsplit("-width", n=1)
    frame = frame.assign(network=parts.str[0], width=parts.str[1].astype(int))
    return frame[frame["width"] == frame["width"].max()]


def _lines(ax: Axes, frame: pd.DataFrame, table: dict[str, tuple[str, str]], x: str, **style: Any) -> None:
    """A line for each entry of the table and, dotted, for whoever else has its experiment."""
    for name, (method, colour) in table.items():
        rows = frame[frame["network"] == name]
        for estimator in rows["estimator"].unique():
            own = rows[rows["estimator"] == estimator]
            other = "" if estimator in OWN else f", {readable(estimator)}"
            drawn = {"color": colour, "linestyle": ":" if other else "solid", **style}
            band(ax, own, x, "value", estimator=estimator, name=method + other, **drawn)


def learning(data: PaperData) -> Canvas | None:
    """Test errors along the training."""
    frame = data.series("error/test", experiment="*-width*", x="samples_seen")
    if frame.empty:
        return None
    frame = _widest(frame)
    frame = frame.assign(epochs=frame["samples_seen"] / EPOCH[data.on_papers_data])
    figure, axes = canvas(width=6.5)
    ax = axes[0, 0]
    _lines(ax, frame, NETWORKS, "epochs")
    if data.scale == "paper":
        for name, errors in TEST_ERROR.items():
            ax.plot(EPOCHS, errors, color=NETWORKS[name][1], **PUBLISHED)
    ax.set_yscale("log")
    label(ax, x="epochs", y="test error", y_unit="%")
    legend(ax, columns=1)
    return figure


def scores(data: PaperData) -> Canvas | None:
    """Every method's scores where its validation error is least."""
    frames = {metric: _stopped(data, metric) for metric in SCORES}
    if frames["error/test"].empty:
        return None
    figure, axes = canvas(columns=len(SCORES), width=3.4, height=3.4)
    first = frames["error/test"]
    names = _names(first)
    for ax, (metric, frame) in zip(axes[0], frames.items(), strict=True):
        for at, (network, estimator) in enumerate(names):
            rows = frame[(frame["network"] == network) & (frame["estimator"] == estimator)]
            if rows.empty:
                continue
            mean, low, high = interval(rows["value"].to_numpy(float))
            style: dict[str, Any] = {
                "color": NETWORKS[network][1],
                "marker": "o",
                "markersize": 5,
                "capsize": 3,
            }
            ax.errorbar(mean, at, xerr=[[mean - low], [high - mean]], **style)
        shown = [names[key] for key in names] if ax is axes[0, 0] else [""] * len(names)
        ax.set_yticks(range(len(names)), labels=shown)
        ax.set_ylim(len(names) - 0.5, -0.5)
        name, unit = SCORES[metric]
        label(ax, x=name, y="", x_unit=unit)
    return figure


def _names(frame: pd.DataFrame) -> dict[tuple[str, str], str]:
    """(network, estimator) → what it is called, in the order of NETWORKS."""
    found = {}
    for network, (method, _) in NETWORKS.items():
        for estimator in frame.loc[frame["network"] == network, "estimator"].unique():
            found[network, estimator] = method + ("" if estimator in OWN else f", {readable(estimator)}")
    return found


def _stopped(data: PaperData, metric: str) -> pd.DataFrame:
    frame = data.series(metric, experiment="*-width*", x="error/valid")
    if frame.empty:
        return frame.assign(network="")
    best = frame.loc[frame.groupby(["experiment", "estimator", "seed"])["error/valid"].idxmin()]
    return _widest(best)


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
                    label=_called(name, estimator) + sampled,
                )
    label(ax, x="rows rejected, the least confident first", y="accuracy of the rest", x_unit="%", y_unit="%")
    ax.set_xlim(0, 60)
    legend(ax, columns=1)
    return figure


def _called(name: str, estimator: str) -> str:
    return name if estimator in OWN else f"{name}, {readable(estimator)}"


def pruning(data: PaperData) -> Canvas | None:
    """Test error against the share of weights that are taken out."""
    frames = [
        data.series(f"error_without_{share}/test", experiment="fig2-*").assign(removed=100 * share)
        for share in REMOVED
    ]
    if all(frame.empty for frame in frames):
        return None
    frame = _widest(pd.concat(frames))
    frame = frame[frame["step"] == frame.groupby(["experiment", "estimator"])["step"].transform("max")]
    figure, axes = canvas(width=6.0)
    ax = axes[0, 0]
    _lines(ax, frame, {name: NETWORKS[name] for name in TABLE}, "removed", marker="o")
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
                ax.plot(middles, density, color=colour, label=_called(name, estimator))
    label(axes[0, 0], x="weight", y="density")
    label(axes[0, 1], x="|μ|/σ", y="density", x_unit="dB")
    axes[0, 0].set_xlim(-0.3, 0.3)
    for ax in axes[0]:
        legend(ax, columns=1)
    return figure


def regression(data: PaperData) -> Canvas | None:
    """Quantiles of the regression function, of the first seed."""
    known = data.cells[data.cells["experiment"].str.startswith("regression-")]
    pairs = known[["experiment", "estimator"]].drop_duplicates().sort_values("experiment")
    found = [(e, m, data.arrays(e, m, 0)) for e, m in pairs.itertuples(index=False)]
    found = [entry for entry in found if "intervals/x" in entry[2]]
    if not found:
        return None
    figure, axes = canvas(columns=len(found), width=4.6)
    for ax, (experiment, estimator, arrays) in zip(axes[0], found, strict=True):
        x, (least, low, median, high, most) = arrays["intervals/x"], arrays["intervals/quantiles"]
        truth = x + 0.3 * np.sin(2 * np.pi * x) + 0.3 * np.sin(4 * np.pi * x)
        ax.axvspan(0, 0.5, color=INK, alpha=0.07, linewidth=0)
        ax.fill_between(x, least, most, color=PALETTE[0], alpha=0.2, linewidth=0, label="5 to 95 %")
        ax.fill_between(x, low, high, color=PALETTE[0], alpha=0.35, linewidth=0, label="quartiles")
        ax.plot(x, median, color=PALETTE[1], label="median")
        ax.plot(x, truth, color=INK, linestyle=":", linewidth=0.9, label="without noise")
        ax.set_ylim(-1, 2)
        name = {"regression-mixture": "BBB, scale mixture", "regression-mlp": "network without noise"}[
            experiment
        ]
        label(ax, x="x", y="y", title=_called(name, estimator))
    legend(axes[0, 0], columns=1)
    return figure


def regrets(data: PaperData) -> Canvas | None:
    """A panel for each learning rate."""
    frame = data.series("regret", experiment="bandit-*")
    if frame.empty:
        return None
    frame = _by_rate(frame)
    random = _by_rate(data.series("regret/random", experiment="bandit-*"))
    rates = sorted(frame["rate"].unique())
    figure, axes = canvas(columns=len(rates), width=4.6)
    for ax, rate in zip(axes[0], rates, strict=True):
        _lines(ax, frame[frame["rate"] == rate], AGENTS, "step")
        tossed = random[random["rate"] == rate].groupby("step")["value"].mean()
        ax.plot(tossed.index, tossed, color=INK, linestyle="--", linewidth=0.9, label="tossing a coin")
        if data.scale == "paper":
            for name, values in REGRET.items():
                ax.plot(STEPS, values, color=AGENTS[name][1], **PUBLISHED)
        ax.set_yscale("log")
        label(ax, x="steps", y="cumulative regret", title=f"learning rate {rate:g}")
    legend(axes[0, -1], columns=1)
    return figure


def _by_rate(frame: pd.DataFrame) -> pd.DataFrame:
    """With columns network, of AGENTS, and rate: RATE where the experiment's name has none."""
    rate = frame["experiment"].str.extract(r"-rate([\d.]+(?:e-\d+)?)", expand=False)
    network = frame["experiment"].str.replace(r"-rate[\d.]+(?:e-\d+)?", "", regex=True)
    return frame.assign(network=network, rate=rate.astype(float).fillna(RATE))


def fragility(data: PaperData) -> Canvas | None:
    """Test error against the first ρ, a line for each rate."""
    panels = {"error/test": ("test error", "%"), "log_score/test": ("log score", "nats per datum")}
    frames = {metric: data.series(metric, experiment="fragility-*") for metric in panels}
    if any(frame.empty for frame in frames.values()):
        return None
    figure, axes = canvas(columns=2)
    for ax, (metric, frame) in zip(axes[0], frames.items(), strict=True):
        ends = frame["step"] == frame.groupby(["experiment", "estimator"])["step"].transform("max")
        frame = _by_rate(frame[ends])
        rho = frame["experiment"].str.extract(r"initial_rho(-[\d.]+)", expand=False)
        frame = frame.assign(rho=rho.astype(float))
        rates = sorted(frame["rate"].unique())
        frame = frame.assign(network=frame["rate"].map(str))
        table = {str(rate): (f"rate {rate:g}", PALETTE[i]) for i, rate in enumerate(rates)}
        _lines(ax, frame, table, "rho", marker="o")
        name, unit = panels[metric]
        label(ax, x="initial ρ", y=name, y_unit=unit)
    legend(axes[0, 0], columns=1)
    return figure


FIGURES = [
    Figure(
        "learning",
        "Test error along the training (Fig 2)",
        "Networks of two hidden layers with everything random at its mean; mean over seeds with a 95 % band.",
        learning,
        ("fig2-*", "closed-form-*", "geometric-*", "learned-prior-*"),
    ),
    Figure(
        "scores",
        "Errors, log scores and calibration (Table 1)",
        "Read where the validation error is least; mean over seeds with a 95 % interval. Sampled: of the "
        "mean of 10 samples' probabilities. A calibrated network is right as often as it is sure.",
        scores,
        ("fig2-*", "closed-form-*", "geometric-*", "learned-prior-*"),
    ),
    Figure(
        "rejection",
        "Accuracy when the least confident are rejected",
        "Test rows in the order of the predicted class's probability; dotted: the network at its mean. A line that "
        "rises soon belongs to a network that knows where it errs. Means over seeds.",
        rejection,
        ("fig2-*",),
    ),
    Figure(
        "pruning",
        "Taking weights out (Table 2)",
        "Test error after the weights with the least |μ|/σ, or |μ| where they are not random, are set to zero.",
        pruning,
        ("fig2-*",),
    ),
    Figure(
        "weights",
        "Weights, and how sure the network is of them (Figs 3, 4)",
        "One sample of all weights, and the density of |μ|/σ on a logarithmic scale, at the end of training. Of one "
        "seed.",
        weights,
        ("fig2-*",),
    ),
    Figure(
        "regression",
        "Regression, and where it has no data (Fig 5)",
        "Quantiles of the regression function over samples of the network; shaded: where the data are. Of one seed.",
        regression,
        ("regression-*",),
    ),
    Figure(
        "bandit",
        "Regret on the bandit (Fig 6)",
        "Expected cumulative regret beside who knows which rows are edible; mean over seeds with a 95 % band; dashed: "
        "eating by the toss of a coin, in closed form. The paper states neither the learning rate nor ρ at the start "
        "(−5 where no other is named).",
        regrets,
        ("bandit-*",),
    ),
    Figure(
        "fragility",
        "What the initial width of the posterior and the learning rate do",
        "Bayes by Backprop with a scale mixture, at the end of training, by ρ at the start (σ = ln(1 + e^ρ)), which "
        "the paper does not state; mean over seeds with a 95 % band.",
        fragility,
        ("fragility-*",),
    ),
]
