"""The paper's figures from our own runs; its digitised points only where the data are the paper's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter, NullLocator

from reparam.papers.kingma2014 import digitised
from reparam.report.figures import (
    PALETTE,
    Figure,
    PaperData,
    band,
    canvas,
    interval,
    label,
    legend,
    line_style,
    pictures,
    published,
    readable,
)

Points = Mapping[tuple[str, int], Sequence[float]]


def latent(experiment: str) -> int:
    """The code dimension in the name of an experiment with a grid over it."""
    return int(experiment.rpartition("latent")[2])


def by_estimator(frame: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows of each estimator, by its label."""
    for estimator, rows in frame.groupby("estimator"):
        yield str(estimator), rows


def thousands(ax: Axes) -> None:
    """A logarithmic axis of counts over a decade or two: 20 k, 50 k, 100 k."""
    ax.set_xscale("log")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(EngFormatter())
    ax.xaxis.set_minor_formatter(NullFormatter())


def without_start(ax: Axes, *frames: pd.DataFrame) -> None:
    """As in the paper, let the panel's floor cut the start off: the lowest value after a tenth of the run."""
    frame = pd.concat(frames)
    late = frame.loc[frame["step"] >= 0.1 * frame["step"].max(), "value"]
    room = 0.08 * max(late.max() - late.min(), 1e-9)
    if np.isfinite(room):
        ax.set_ylim(late.min() - room, late.max() + room)


def bound_curves(data: PaperData, glob: str, x: Sequence[float], points: Points) -> Canvas | None:
    test = data.series("elbo/test", experiment=glob, x="samples_seen")
    train = data.series("elbo/train", experiment=glob, x="samples_seen")
    if test.empty:
        return None
    experiments = sorted(test["experiment"].unique(), key=latent)
    figure, axes = canvas(columns=len(experiments), width=4.0)
    for ax, experiment in zip(axes[0], experiments, strict=True):
        for estimator, rows in by_estimator(test[test["experiment"] == experiment]):
            band(ax, rows, "samples_seen", "value", estimator=estimator, name=f"{readable(estimator)}, test")
        for estimator, rows in by_estimator(train[train["experiment"] == experiment]):
            band(
                ax,
                rows,
                "samples_seen",
                "value",
                estimator=estimator,
                name=f"{readable(estimator)}, training",
                linewidth=0.9,
                alpha=0.7,
            )
        for estimator in ("pathwise", "wake_sleep"):
            found = points.get((estimator, latent(experiment)))
            if data.on_papers_data and found is not None:
                name = f"{readable(estimator)}, paper (test)"
                published(ax, x, found, estimator=estimator, name=name)
        own = [frame[frame["experiment"] == experiment] for frame in (test, train)]
        without_start(ax, *own)
        thousands(ax)
        label(ax, x="samples seen", y="bound", y_unit="nats per datum", title=f"$N_z$ = {latent(experiment)}")
        legend(ax, columns=1)
    return figure


def fig2(data: PaperData) -> Canvas | None:
    return bound_curves(data, "fig2-latent*", digitised.FIG2_SAMPLES, digitised.FIG2_MNIST_TEST)


def fig2_gaussian(data: PaperData) -> Canvas | None:
    return bound_curves(data, "fig2-frey-latent*", digitised.FIG2_FREY_SAMPLES, digitised.FIG2_FREY_TEST)


def gap(data: PaperData) -> Canvas | None:
    train = data.series("elbo/train", experiment="fig2-latent*", estimator="pathwise")
    test = data.series("elbo/test", experiment="fig2-latent*", estimator="pathwise")
    both = train.merge(
        test, on=["experiment", "estimator", "cell", "seed", "step"], suffixes=("_train", "_test")
    )
    if both.empty:
        return None
    figure, axes = canvas()
    ax: Axes = axes[0, 0]
    last = both.sort_values("step").groupby(["experiment", "seed"]).tail(1)
    for experiment, rows in last.groupby("experiment"):
        gaps = (rows["value_train"] - rows["value_test"]).to_numpy(float)
        mean, low, high = interval(gaps)
        style = {"color": line_style("pathwise")["color"], "marker": "o"}
        ax.errorbar(latent(str(experiment)), mean, [[mean - low], [high - mean]], capsize=3, **style)
    dimensions = sorted(latent(str(experiment)) for experiment in last["experiment"].unique())
    ax.set_xscale("log")
    ax.set_xticks(dimensions, labels=[str(n) for n in dimensions])
    ax.minorticks_off()
    label(ax, x="code dimension $N_z$", y="training minus test bound", y_unit="nats per datum")
    return figure


def fig3(data: PaperData) -> Canvas | None:
    settings = {
        "fig3-small": ("fig3-small", "small training set"),
        "fig3-large": ("fig3-large*", "whole training set"),
    }
    if data.series("log_likelihood_hmc/test", experiment="fig3-*").empty:
        return None
    figure, axes = canvas(rows=2, columns=2)
    for row, (experiment, (glob, title)) in zip(axes, settings.items(), strict=True):
        for ax, split in zip(row, ("train", "test"), strict=True):
            frame = data.series(f"log_likelihood_hmc/{split}", experiment=glob, x="evaluations")
            for estimator, rows in by_estimator(frame):
                band(ax, rows, "evaluations", "value", estimator=estimator, marker="o", markersize=3)
                if data.on_papers_data:
                    points = digitised.FIG3[experiment, estimator, split]
                    name = f"{readable(estimator)}, paper"
                    published(ax, digitised.FIG3_SAMPLES, points, estimator=estimator, name=name)
            thousands(ax)
            where = {"train": "training", "test": "test"}[split]
            label(
                ax,
                x="samples evaluated",
                y="log p(x)",
                y_unit="nats per datum",
                title=f"{title}, {where} data",
            )
            legend(ax, columns=2)
    return figure


def estimators_bound(data: PaperData) -> Canvas | None:
    frame = data.series("elbo/test", experiment="estimators", x="evaluations")
    if frame.empty:
        return None
    figure, axes = canvas(width=6.0)
    for estimator, rows in by_estimator(frame):
        band(axes[0, 0], rows, "evaluations", "value", estimator=estimator)
    without_start(axes[0, 0], frame)
    axes[0, 0].xaxis.set_major_formatter(EngFormatter())
    label(axes[0, 0], x="evaluations of the bound", y="test bound", y_unit="nats per datum")
    legend(axes[0, 0], columns=2)
    return figure


def gradient_variance(data: PaperData) -> Canvas | None:
    figure, axes = canvas(rows=2, columns=2, sharex=True)
    drawn = False
    for row, group in zip(axes, ("encoder", "decoder"), strict=True):
        for ax, part in zip(row, ("noise", "data"), strict=True):
            metric = f"gradient_variance/{group}/{part}"
            frame = data.series(metric, experiment="estimators", x="samples_seen")
            for estimator, rows in by_estimator(frame):
                drawn = True
                band(ax, rows, "samples_seen", "value", estimator=estimator, geometric=part == "noise")
            thousands(ax)
            if part == "noise":
                ax.set_yscale("log")
            else:
                ax.set_yscale("symlog", linthresh=0.1)
                ax.yaxis.set_minor_locator(NullLocator())
            label(ax, x="samples seen", y="variance", y_unit="nats²", title=f"{group}, {part} part")
    for ax in axes[1]:
        legend(ax, columns=1)
    return figure if drawn else None


def l_by_m(data: PaperData) -> Canvas | None:
    settings = {"l-by-m-l1-m100": (1, 100), "l-by-m-l5-m20": (5, 20), "l-by-m-l20-m5": (20, 5)}
    frame = data.series("elbo/test", experiment="l-by-m-*", x="evaluations")
    if frame.empty:
        return None
    figure, axes = canvas(width=5.0)
    for colour, (experiment, (samples, batch)) in zip(PALETTE, settings.items(), strict=False):
        rows = frame[frame["experiment"] == experiment]
        if not rows.empty:
            name = f"L = {samples}, M = {batch}"
            band(axes[0, 0], rows, "evaluations", "value", estimator="pathwise", name=name, color=colour)
    label(axes[0, 0], x="evaluations of the bound", y="test bound", y_unit="nats per datum")
    axes[0, 0].xaxis.set_major_formatter(EngFormatter())
    legend(axes[0, 0], columns=1)
    return figure


def likelihood_dimension(data: PaperData) -> Canvas | None:
    names = {"hmc": "harmonic, from HMC (the paper's)", "iw": "importance-weighted bound"}
    figure, axes = canvas(columns=2)
    drawn = False
    for colour, (method, name) in zip(PALETTE, names.items(), strict=False):
        for ax, kind in zip(axes[0], ("rmse", "bias"), strict=True):
            frame = data.series(f"log_likelihood_{method}_{kind}", experiment="likelihood-dimension")
            if not frame.empty:
                drawn = True
                band(
                    ax,
                    frame,
                    "step",
                    "value",
                    estimator=method,
                    name=name,
                    color=colour,
                    linestyle="-",
                    marker="o",
                )
    axes[0, 0].axvline(5, color=PALETTE[7], linewidth=0.9, linestyle=":")
    label(axes[0, 0], x="code dimension", y="RMS error", y_unit="nats per datum")
    label(axes[0, 1], x="code dimension", y="mean error", y_unit="nats per datum")
    for ax in axes[0]:
        legend(ax, columns=1)
    return figure if drawn else None


def manifold(data: PaperData) -> Canvas | None:
    images = data.arrays("manifold", "pathwise", 0).get("manifold")
    if images is None:
        return None
    figure, axes = canvas(width=5.0, height=5.0)
    pictures(axes[0, 0], images, columns=round(len(images) ** 0.5))
    return figure


def samples(data: PaperData) -> Canvas | None:
    cells = data.cells[
        (data.cells["estimator"] == "pathwise") & data.cells["experiment"].str.match("fig2-latent|manifold")
    ]
    sheets = {}
    for experiment in cells["experiment"].unique():
        arrays = data.arrays(experiment, "pathwise", 0)
        if "samples" in arrays:
            sheets[str(experiment)] = arrays["samples"]
    if not sheets:
        return None
    dimensions = {name: 2 if name == "manifold" else latent(name) for name in sheets}
    figure, axes = canvas(columns=len(sheets), width=3.0, height=3.2)
    for ax, name in zip(axes[0], sorted(sheets, key=dimensions.__getitem__), strict=True):
        pictures(ax, sheets[name], columns=8)
        ax.set_title(f"$N_z$ = {dimensions[name]}")
    return figure


FIGURES = [
    Figure(
        "bound",
        "Bound against samples seen (Fig 2)",
        "AEVB (pathwise) against wake-sleep. Mean over seeds with a 95 % band; thin lines: training data. As in the "
        "paper, the start lies below the panel.",
        fig2,
        ("fig2-latent*",),
    ),
    Figure(
        "bound-gaussian",
        "Bound with a Gaussian decoder (Fig 2, Frey Face)",
        "Grey levels under a Gaussian likelihood. Mean over seeds with a 95 % band; thin lines: training data.",
        fig2_gaussian,
        ("fig2-frey-latent*",),
    ),
    Figure(
        "gap",
        "Overfitting against the code's dimension",
        "Training minus test bound at the end of training, AEVB, with a 95 % interval over seeds. Below zero the test "
        "rows are the easier ones.",
        gap,
        ("fig2-latent*",),
    ),
    Figure(
        "likelihood",
        "Marginal likelihood along training (Fig 3)",
        "By the paper's HMC-based estimator. Monte Carlo EM evaluates each sample 16 times a step, wake-sleep twice.",
        fig3,
        ("fig3-*",),
    ),
    Figure(
        "l-by-m",
        "Noise samples or data at equal compute (§2.3)",
        "The same evaluations spent on L noise samples for each of M data.",
        l_by_m,
        ("l-by-m-*",),
    ),
    Figure(
        "estimators",
        "The same model with the score function in place of the path",
        "Test bound at equal evaluations. Mean over seeds with a 95 % band.",
        estimators_bound,
        ("estimators",),
    ),
    Figure(
        "gradient-variance",
        "Gradient variance along training",
        "Of one minibatch gradient of the bound per datum, summed over a group's parameters: the part that the noise "
        "brings in and the part that the choice of data does (an unbiased estimate, below zero by "
        "chance where the noise is much larger). Each estimator at its own parameters.",
        gradient_variance,
        ("estimators",),
    ),
    Figure(
        "likelihood-dimension",
        "The likelihood estimator by dimension (App. D)",
        "Error against the closed form of a linear-Gaussian model; the dotted line is the paper's limit of 5.",
        likelihood_dimension,
        ("likelihood-dimension",),
    ),
    Figure(
        "manifold",
        "The manifold of a two-dimensional code (Fig 4)",
        "Decoder means on an even grid of the unit square, sent through the inverse Gaussian CDF.",
        manifold,
        ("manifold",),
    ),
    Figure(
        "samples",
        "Samples by the code's dimension (Fig 5)",
        "Decoder means at codes drawn from the prior.",
        samples,
        ("fig2-latent*", "manifold"),
    ),
]
