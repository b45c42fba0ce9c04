"""The supplement's variances, from the library's estimators beside the formulas."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure as Canvas

from reparam.papers.rezende2014 import formulas
from reparam.report.figures import PALETTE, Figure, PaperData, band, canvas, curves, label, legend

SYMBOLS = {"mean": "μ", "scale": "s"}
NAMES = {
    "pathwise": ("pathwise", PALETTE[0]),
    "score_function": ("score function, exact mean as baseline", PALETTE[1]),
    "score_function_loo": ("score function, leave one out (2 samples)", PALETTE[7]),
    "score_function_optimal": ("score function, optimal baseline (25 fresh)", PALETTE[6]),
    "measure_valued": ("measure-valued, coupled", PALETTE[2]),
}


def dimension(data: PaperData) -> Canvas | None:
    measured = data.series("variance/mean", experiment="dimension")
    if measured.empty:
        return None
    figure, axes = canvas(columns=2, width=4.8, height=3.8)
    for ax, (parameter, symbol) in zip(axes[0], SYMBOLS.items(), strict=True):
        for estimator, (name, colour) in curves(NAMES, measured["estimator"]).items():
            exact = data.series(f"exact/{parameter}", experiment="dimension", estimator=estimator)
            exact = exact[exact["seed"] == 0]
            ax.plot(exact["step"], exact["value"], color=colour, linewidth=1.2)
            rows = data.series(f"variance/{parameter}", experiment="dimension", estimator=estimator)
            if not rows.empty:
                style = {"marker": "o", "markersize": 3.5, "linestyle": "none", "color": colour}
                band(ax, rows, "step", "value", estimator=estimator, name=name, geometric=True, **style)
        ax.set_xscale("log", base=2)
        ax.set_yscale("log")
        label(ax, x="summands K", y=f"Var ∂/∂{symbol}", y_unit="per coordinate")
    legend(axes[0, 0], columns=1)
    return figure


def ratio(data: PaperData) -> Canvas | None:
    """The measured ratio of the variances for μ against μ²/s², one point per setting."""
    sides = {}
    for estimator in ("score_function", "pathwise"):
        rows = data.series("variance/mean", experiment="single-variable", estimator=estimator, x="mu")
        rows = data.beside(rows, "s")
        sides[estimator] = rows.assign(x=(rows["mu"] / rows["s"]) ** 2)
    score, path = sides["score_function"], sides["pathwise"]
    if score.empty or path.empty:
        return None
    both = score.merge(path, on=["seed", "step", "x"], suffixes=("", "_path"))
    figure, axes = canvas(width=5.2)
    ax = axes[0, 0]
    x = np.concatenate([[0.0], np.geomspace(0.01, both["x"].max(), 50)])
    ax.plot(
        x, formulas.ratio(np.sqrt(x), 1.0), color=PALETTE[7], linewidth=1.2, label="5/2 + 2 μ²/s² (paper)"
    )
    ax.axhline(2.5, color=PALETTE[7], linewidth=0.9, linestyle=":", label="5/2")
    quotient = both["value"] / both["value_path"]
    ax.plot(both["x"], quotient, "o", markersize=3.5, color=PALETTE[1], label="measured, each seed and c")
    ax.set_xscale("symlog", linthresh=0.25)
    ax.set_yscale("log")
    label(ax, x="μ²/s²", y="Var score function / Var path")
    legend(ax, columns=1)
    return figure


def marginal_likelihood(data: PaperData) -> Canvas | None:
    relative = data.series("relative", experiment="importance-sampling")
    if relative.empty:
        return None
    figure, axes = canvas(columns=2, width=4.4)
    colour: dict[str, Any] = {"color": PALETTE[0], "marker": "o", "markersize": 4}
    band(
        axes[0, 0],
        relative,
        "step",
        "value",
        estimator="importance_sampling",
        name="p̂(x)/p(x), mean over data",
        **colour,
    )
    axes[0, 0].axhline(1.0, color=PALETTE[7], linewidth=0.9, linestyle=":")
    for metric, name, style in (
        ("rmse", "root mean square error", "-"),
        ("bias", "mean error, magnitude", "--"),
    ):
        rows = data.series(metric, experiment="importance-sampling")
        rows = rows.assign(value=rows["value"].abs())
        band(
            axes[0, 1], rows, "step", "value", estimator=metric, name=name, geometric=True, linestyle=style, **colour
        )  # fmt: skip
    axes[0, 1].set_yscale("log")
    label(axes[0, 0], x="samples S", y="estimate over truth")
    label(axes[0, 1], x="samples S", y="error of log p̂(x)", y_unit="nats per datum")
    for ax in axes[0]:
        ax.set_xscale("log")
        legend(ax, columns=1)
    return figure


FIGURES = [
    Figure(
        "dimension",
        "Variance per coordinate against the number of summands (App. D.1)",
        "f = Σ ξ²/2 of K independent variables. Lines: exact. Points: measured, with a 95 % interval over seeds. The "
        "path and the measure-valued estimator see their own summand only; the score function sees the noise of all, "
        "which no baseline that is one number takes away.",
        dimension,
        ("dimension",),
    ),
    Figure(
        "ratio",
        "REINFORCE against the path for one variable (App. D.2)",
        "f = c ξ²/2. The ratio of the variances for μ never falls below 5/2.",
        ratio,
        ("single-variable",),
    ),
    Figure(
        "marginal-likelihood",
        "Marginal likelihood by importance sampling (App. E)",
        "A linear-Gaussian model whose likelihood is known; the recognition model has the posterior's means and twice "
        "its variances.",
        marginal_likelihood,
        ("importance-sampling",),
    ),
]
