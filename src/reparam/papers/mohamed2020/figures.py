"""Figs 2 and 3 from our own estimators, beside quadrature; the constant that is subtracted from f."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from reparam.report.figures import PALETTE, Figure, PaperData, band, canvas, curves, label, legend

ZERO = 1e-6
"""Variances that are 0 but for rounding lie below it, and below the panels."""
SYMBOLS = {"mean": "μ", "scale": "σ"}
COSTS = {
    "quadratic": ("fig2-quadratic", "$(x-k)^2$"),
    "exponential": ("fig3-exponential", "$\\exp(-k x^2)$"),
    "cosine": ("fig3-cosine", "$\\cos kx$"),
}
CURVES = {
    "score_function": ("score function", PALETTE[1]),
    "score_function_mean": ("… mean baseline (1 fresh sample)", PALETTE[4]),
    "score_function_optimal": ("… optimal baseline (25 fresh)", PALETTE[6]),
    "score_function_loo": ("… leave one out (2 samples)", PALETTE[7]),
    "pathwise": ("pathwise", PALETTE[0]),
    "measure_valued": ("measure-valued, coupled", PALETTE[2]),
    "measure_valued_independent": ("measure-valued, independent", PALETTE[5]),
}
ELSEWHERE = ("score_function_mean", "score_function_loo", "score_function_moving_average")
"""Baselines that Figs 2 and 3 do not show: they have a figure of their own."""


def _points(ax: Axes, rows: pd.DataFrame, x: str, estimator: str, name: str, colour: str) -> None:
    style = {"marker": "o", "markersize": 3.5, "linestyle": "none", "color": colour}
    band(ax, rows, x, "value", estimator=estimator, name=name, geometric=True, **style)


def _panel(ax: Axes, data: PaperData, cost: str, parameter: str, estimators: Sequence[str]) -> None:
    """Lines by quadrature and points as measured."""
    experiment, title = COSTS[cost]
    least = []
    for estimator, (name, colour) in curves(CURVES, estimators).items():
        metric = f"variance/{estimator}/{parameter}"
        line = data.series(metric, experiment=f"exact-{cost}", x="k")
        if not line.empty:
            ax.plot(line["k"], line["value"].clip(lower=ZERO), color=colour, linewidth=1.2)
        else:
            own = data.series(f"exact/{parameter}", experiment=experiment, estimator=estimator, x="k")
            own = own[own["seed"] == own["seed"].min()]
            ax.plot(own["k"], own["value"], color=colour, linewidth=1.2)
        rows = data.series(f"variance/{parameter}", experiment=experiment, estimator=estimator, x="k")
        rows = rows[rows["value"] > ZERO]
        if not rows.empty:
            least.append(rows["value"].min())
            _points(ax, rows, "k", estimator, name, colour)
    ax.set_yscale("log")
    if least:
        ax.set_ylim(bottom=min(least) / 2)
    if cost != "quadratic":
        ax.set_xscale("log")
        ticks = [k for k in (0.1, 0.2, 0.5, 1, 2, 5, 10) if cost == "exponential" or 0.5 <= k <= 5]
        ax.set_xticks(ticks, labels=[f"{k:g}" for k in ticks])
        ax.minorticks_off()
    label(
        ax,
        x="k",
        y=f"Var ∂/∂{SYMBOLS[parameter]}",
        y_unit="per draw",
        title=f"{title}, ∂/∂{SYMBOLS[parameter]}",
    )


def _measured(data: PaperData, experiments: str) -> set[str]:
    """Estimators whose variance was measured there."""
    return set(data.series("variance/mean", experiment=experiments)["estimator"])


def _costs_by_parameters(data: PaperData, estimators: Sequence[str]) -> tuple[Canvas, np.ndarray]:
    figure, axes = canvas(rows=2, columns=3, width=4.2, height=3.6)
    for row, parameter in zip(axes, SYMBOLS, strict=True):
        for ax, cost in zip(row, COSTS, strict=True):
            _panel(ax, data, cost, parameter, estimators)
    return figure, axes


def variances(data: PaperData) -> Canvas | None:
    measured = _measured(data, "fig[23]-*")
    if not measured:
        return None
    figure, axes = _costs_by_parameters(data, sorted(measured.difference(ELSEWHERE)))
    legend(axes[1, 0], columns=1)
    return figure


def baselines(data: PaperData) -> Canvas | None:
    measured = _measured(data, "fig[23]-*") - {"score_function_moving_average"}
    if not measured:
        return None
    chosen = sorted(name for name in measured if name.startswith("score_function"))
    figure, axes = _costs_by_parameters(data, chosen)
    for ax, parameter in zip(axes[:, 0], SYMBOLS, strict=True):
        rows = data.series(f"variance/{parameter}", experiment="fig2-moving-average", x="k")
        if not rows.empty:
            band(
                ax, rows, "k", "value", estimator="score_function_moving_average", name="… running average",
                geometric=True, marker="s", markersize=4, linestyle="none", color=PALETTE[3],
            )  # fmt: skip
    legend(axes[1, 0], columns=1)
    return figure


def constants(data: PaperData) -> Canvas | None:
    measured = _measured(data, "baseline-*")
    if not measured:
        return None
    panels = {"baseline-quadratic": "$(x-k)^2$, k = 0", "baseline-exponential": "$\\exp(-k x^2)$, k = 10"}
    figure, axes = canvas(rows=2, columns=2, width=4.6, height=3.4)
    for column, (experiment, title) in zip(axes.T, panels.items(), strict=True):
        for ax, parameter in zip(column, SYMBOLS, strict=True):
            line = data.series(f"parabola/{parameter}", experiment=experiment, x="multiple")
            line = line[(line["seed"] == 0) & (line["estimator"] == "score_function")]
            ax.plot(line["multiple"], line["value"], color=CURVES["score_function"][1], linewidth=1.2)
            for estimator, (name, colour) in curves(CURVES, measured).items():
                rows = data.series(
                    f"variance/{parameter}", experiment=experiment, estimator=estimator, x="multiple"
                )
                if not rows.empty:
                    name = name.replace("… ", "score function, ")
                    _points(ax, rows, "multiple", estimator, name, colour)
            mean = data.series(f"mean_multiple/{parameter}", experiment=experiment)["value"]
            if len(mean):
                ax.axvline(mean.iloc[0], color=PALETTE[7], linewidth=0.9, linestyle=":", label="E f")
            ax.set_yscale("log")
            label(
                ax, x="constant subtracted from f", x_unit="optimal baselines", y="variance", y_unit="per draw",
                title=f"{title}, ∂/∂{SYMBOLS[parameter]}",
            )  # fmt: skip
    for ax in axes[1]:
        legend(ax, columns=1)
    return figure


def logistic(data: PaperData) -> Canvas | None:
    bound = data.series("elbo/train", experiment="logistic")
    if bound.empty:
        return None
    along = data.wildcards("variance/*/mean", experiment="logistic-variance")
    known = CURVES | {"score_function_moving_average": ("… running average", PALETTE[3])}
    names = curves(known, [*bound["estimator"], *along])
    figure, axes = canvas(columns=3, width=4.2, height=4.6)
    # the path's full line first, under the dashes of those that coincide with it
    for estimator in sorted(set(bound["estimator"]), key=lambda name: (name != "pathwise", name)):
        rows = bound[bound["estimator"] == estimator]
        name, colour = names[estimator]
        band(axes[0, 0], rows, "step", "value", estimator=estimator, name=name, color=colour)
    label(axes[0, 0], x="step", y="bound", y_unit="nats per datum")
    groups = {"mean": "the mean", "log_scale": "the log scale"}
    for ax, (group, symbol) in zip(axes[0, 1:], groups.items(), strict=True):
        path = data.series(f"variance/pathwise/{group}", experiment="logistic-variance")
        for estimator, (name, colour) in names.items():
            rows = data.series(f"variance/{estimator}/{group}", experiment="logistic-variance")
            if not rows.empty and len(rows) == len(path):
                rows = rows.assign(value=rows["value"] / path["value"])
                style = {"color": colour, "marker": "o", "markersize": 3.5}
                band(ax, rows, "step", "value", estimator=estimator, name=name, geometric=True, **style)
        ax.set_yscale("log")
        label(ax, x="step of the pathwise training", y="variance over the path's", title=f"for {symbol}")
    legend(axes[0, 0], columns=1)
    legend(axes[0, 1], columns=1)
    return figure


FIGURES = [
    Figure(
        "variances",
        "Variance of one estimate against k (Figs 2 and 3)",
        "x ~ N(1, 1). Lines: quadrature. Points: the library's estimators, with a 95 % interval over seeds. The path"
        " wins where the cost is smooth and slow, and loses where it changes quickly; no estimator wins everywhere. "
        "The measure-valued ones take four evaluations of f a draw. The optimal baseline found at 25 fresh samples "
        "stays above the line, which knows it exactly.",
        variances,
        ("fig2-quadratic", "fig3-*", "exact-*"),
    ),
    Figure(
        "baselines",
        "The score function and its baselines",
        "Lines: quadrature (mean and optimal baseline known exactly; leave one out as it is). Points: measured. With "
        "exp(−k x²) and cos kx the mean of f can be worse than no baseline at all.",
        baselines,
        ("fig2-*", "fig3-*", "exact-*"),
    ),
    Figure(
        "constants",
        "What a constant does: the optimal baseline (Eq. 65)",
        "The same cost less a constant. The score function's variance is a parabola (line: exact) with its vertex at "
        "the optimal baseline, which is not E f; leave one out and the path do not notice the constant.",
        constants,
        ("baseline-*",),
    ),
    Figure(
        "logistic",
        "Bayesian logistic regression (§8)",
        "Breast cancer data. Left: the bound along each estimator's own training. Right: the variance of one "
        "estimate of each along the pathwise training, on one minibatch, over that of the path; a measure-valued "
        "estimate takes 94 evaluations, leave one out two.",
        logistic,
        ("logistic", "logistic-variance"),
    ),
]
