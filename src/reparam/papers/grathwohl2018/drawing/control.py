"""Policy gradients: variances along training, episodes until a task is solved, and the linear-quadratic problem."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import EngFormatter, StrMethodFormatter

from reparam.papers.grathwohl2018 import digitised
from reparam.report.figures import INK, PaperData, band, canvas, label, legend, line_style, readable


def policy_gradients(data: PaperData) -> Canvas | None:
    figure, axes = canvas(columns=2, width=5.2, height=4.4)
    gained, variance = axes[0]
    returns = data.series("return/100", experiment="variance")
    for estimator in returns["estimator"].unique():
        band(gained, returns[returns["estimator"] == estimator], "step", "value", estimator=estimator)
    last = float(returns["step"].max()) if len(returns) else 0.0
    gained.axhline(195, color=INK, linewidth=0.8, linestyle=":")
    for estimator, (solved, spread) in digitised.SOLVED.items():
        if solved <= 1.05 * last:
            style = line_style(estimator) | {"linestyle": "none"}
            name = f"{readable(estimator)} solves it, paper"
            gained.errorbar(
                [solved], [195], xerr=[spread], fmt="o", mfc="none", capsize=3, label=name, **style
            )
    spreads = data.series("log_variance", experiment="variance")
    for number, estimator in enumerate(spreads["estimator"].unique()):
        band(variance, spreads[spreads["estimator"] == estimator], "step", "value", estimator=estimator)
        plain = data.series("log_variance/plain", experiment="variance", estimator=estimator)
        along = plain.groupby("step")["value"].mean()
        style = line_style(estimator) | {"linestyle": ":", "linewidth": 1.2}
        variance.plot(along.index, along, label=f"score function, policy of {readable(estimator)}", **style)
        if estimator in digitised.LOG_VARIANCE:
            least, mean, most = digitised.LOG_VARIANCE[estimator]
            style = line_style(estimator) | {"linestyle": "none"}
            place, name = [(1.05 + 0.04 * number) * last], f"{readable(estimator)}, paper: mean and range"
            reach = [[mean - least], [most - mean]]
            variance.errorbar(place, [mean], yerr=reach, fmt="o", mfc="none", capsize=3, label=name, **style)
    label(gained, x="episodes", y="mean return of the last 100 episodes", title="Return")
    label(variance, x="episodes", y="ln variance of the policy gradient", title="Log variance")
    legend(gained, columns=1)
    legend(variance, columns=1)
    return None if returns.empty else figure


def solving(data: PaperData) -> Canvas | None:
    returns = data.series("return/100", experiment="discrete-*")
    returns = pd.concat([returns, data.series("return/100", experiment="continuous-*")], ignore_index=True)
    experiments = list(returns["experiment"].unique())
    if not experiments:
        return None
    figure, axes = canvas(columns=len(experiments), width=5.2, height=4.4)
    for ax, experiment in zip(axes[0], experiments, strict=True):
        environment = experiment.partition("-environment")[2]
        rows = returns[returns["experiment"] == experiment]
        for estimator in rows["estimator"].unique():
            band(ax, rows[rows["estimator"] == estimator], "step", "value", estimator=estimator)
        if environment == "cartpole":
            ax.axhline(195, color=INK, linewidth=0.8, linestyle=":")
            for estimator, (solved, spread) in digitised.SOLVED.items():
                style = line_style(estimator) | {"linestyle": "none"}
                name = f"{readable(estimator)} solves it, paper"
                ax.errorbar(
                    [solved], [195], xerr=[spread], fmt="o", mfc="none", capsize=3, label=name, **style
                )
        ax.xaxis.set_major_formatter(EngFormatter())
        label(ax, x="episodes", y="mean return of the last 100 episodes", title=readable(environment))
        legend(ax, columns=1)
    return figure


def linear_quadratic(data: PaperData) -> Canvas | None:
    rows = data.series("relative_error/gain", experiment="linear-quadratic-*")
    experiments = list(rows["experiment"].unique())
    if not experiments:
        return None
    figure, axes = canvas(columns=len(experiments), width=4.8, height=4.2, sharey=True)
    for ax, experiment in zip(axes[0], experiments, strict=True):
        frame = rows[rows["experiment"] == experiment]
        for estimator in frame["estimator"].unique():
            chosen = frame[frame["estimator"] == estimator]
            band(ax, chosen, "step", "value", estimator=estimator, geometric=True)
        ax.set_xscale("log", base=2)
        ax.set_yscale("log")
        ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
        closed_loop = experiment.partition("closed_loop")[2]
        label(ax, x="horizon", x_unit="steps", y="", title=f"x′ = {closed_loop} x + σ ε")
        legend(ax, columns=1)
    axes[0, 0].set_ylabel("σ of one estimate / |gradient|, gain k")
    return figure
