"""Variances of the encoder's gradient by evaluations of f, training bounds, and what the control variates learn."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import EngFormatter

from reparam.report.curves import curve, last, levels, panels, with_results
from reparam.report.figures import Figure, PaperData, band, label, legend

ALPHA = "tuned/own/alpha.z1"
VARIANCE = "running_log_variance/own/encoder"
SETUPS = {
    "bernoulli-mnist": "MNIST, Bernoulli",
    "bernoulli-fashion": "Fashion, Bernoulli",
    "bernoulli-omniglot": "Omniglot, Bernoulli",
    "gaussian-mnist": "MNIST, Gaussian",
    "gaussian-fashion": "Fashion, Gaussian",
    "gaussian-omniglot": "Omniglot, Gaussian",
}
ON_DIGITS = {"bernoulli-mnist": "Digits, Bernoulli", "gaussian-mnist": "Digits, Gaussian"}


def setups(data: PaperData, metric: str) -> dict[str, str]:
    """Titles of the set-ups that have measured a metric, by their data."""
    return with_results(data, SETUPS if data.on_papers_data else ON_DIGITS, metric)


def by_cost(data: PaperData, experiment: str, metric: str) -> Mapping[int, pd.DataFrame]:
    """The series of a metric by the evaluations of f that an estimator takes for a datum."""
    frame = data.beside(data.series(metric, experiment=experiment, x="evaluations"), "samples_seen")
    cost = (frame["evaluations"] / frame["samples_seen"]).round().astype(int)
    return {int(evaluations): rows for evaluations, rows in frame.groupby(cost)}


def variances(data: PaperData) -> Canvas | None:
    series = {name: by_cost(data, name, VARIANCE) for name in setups(data, VARIANCE)}
    titles = {
        (name, cost): f"{setups(data, VARIANCE)[name]}: {cost} evaluations"
        for name, found in series.items()
        for cost in found
    }

    def draw(ax: Axes, panel: tuple[str, int]) -> None:
        name, cost = panel
        for estimator, rows in series[name][cost].groupby("estimator"):
            band(ax, rows, "step", "value", estimator=str(estimator))
        ax.xaxis.set_major_formatter(EngFormatter())
        label(ax, x="training steps", y="ln variance of the encoder's gradient")
        legend(ax)

    return panels(titles, draw, columns=2)


def ends(data: PaperData) -> Canvas | None:
    def draw(ax: Axes, name: str) -> None:
        levels(ax, last(data.series(VARIANCE, experiment=name)), x_label="ln variance at the end")

    return panels(setups(data, VARIANCE), draw, height=3.4)


def bounds(data: PaperData) -> Canvas | None:
    def draw(ax: Axes, name: str) -> None:
        curve(ax, data, name, "elbo/train")
        label(ax, x="training steps", y="bound on training data", y_unit="nats")
        legend(ax)

    return panels(setups(data, "elbo/train"), draw)


def weights(data: PaperData) -> Canvas | None:
    """The learned weight of the control variate of the baseline; that of the estimate has no sign of its own."""

    def draw(ax: Axes, name: str) -> None:
        curve(ax, data, name, ALPHA, cut=False)
        label(ax, x="training steps", y="α")
        legend(ax)

    return panels(setups(data, ALPHA), draw)


EXPERIMENTS = tuple(SETUPS)
FIGURES = [
    Figure(
        "variances",
        "Variance by evaluations of f",
        "The natural logarithm of the mean variance of an entry of the encoder's gradient, by running moments along "
        "each estimator's own training; mean over seeds with a 95 % band. A panel holds those that evaluate f equally "
        "often.",
        variances,
        EXPERIMENTS,
    ),
    Figure(
        "variances-end",
        "Variance at the end, all estimators",
        "The last readings, with 95 % intervals over seeds, the least at the bottom. Those with a 3, and relax, take "
        "three evaluations of f.",
        ends,
        EXPERIMENTS,
    ),
    Figure(
        "bounds",
        "Training bounds (Table 1)",
        "The bound of hard samples on training rows, mean over seeds with a 95 % band; the start is cut off. Gaussian "
        "bounds are of densities.",
        bounds,
        EXPERIMENTS,
    ),
    Figure(
        "weights",
        "What the control variates learn",
        "The weight α of the control variate in the baseline, along training; at 0 it is leave-one-out's. Taylor's "
        "would be −1 for double control variates; RODEO's is relative to the size of its network's output.",
        weights,
        EXPERIMENTS,
    ),
]
