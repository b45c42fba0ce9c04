"""The toys' curves beside the paper's digitised points, the learned control variates, and the auto-encoders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import EngFormatter, StrMethodFormatter

from reparam.papers.grathwohl2018 import digitised
from reparam.report.curves import curve, floor, last, levels, panels, with_results
from reparam.report.figures import (
    INK,
    PALETTE,
    Figure,
    PaperData,
    band,
    canvas,
    label,
    legend,
    line_style,
    published,
    readable,
)

ORDER = ("exact", "relax", "rebar", "score_function")
LEAST = 0.499**2
"""The least expected loss at t = 0.499."""


def curves(
    ax: Axes,
    data: PaperData,
    experiment: str,
    metric: str,
    steps: Sequence[float],
    points: Mapping[str, Sequence[float]],
) -> bool:
    """Every estimator's band, and the paper's points that lie within our run; False when there are no results."""
    frame = data.series(metric, experiment=experiment)
    for estimator in ORDER:
        rows = frame[frame["estimator"] == estimator]
        if rows.empty:
            continue
        band(ax, rows, "step", "value", estimator=estimator)
        if estimator in points:
            shown = [(x, y) for x, y in zip(steps, points[estimator], strict=True) if x <= rows["step"].max()]
            x, y = zip(*shown, strict=True) if shown else ((), ())
            published(ax, x, y, estimator=estimator, name=f"{readable(estimator)}, paper")
    others = sorted(set(frame["estimator"]) - set(ORDER))
    for estimator in others:
        band(ax, frame[frame["estimator"] == estimator], "step", "value", estimator=estimator)
    ax.xaxis.set_major_formatter(EngFormatter())
    return not frame.empty


def toy(data: PaperData) -> Canvas | None:
    figure, axes = canvas(columns=2, width=5.2, height=4.2)
    loss, variance = axes[0]
    drawn = curves(loss, data, "toy", "expectation", digitised.TOY_STEPS, digitised.TOY_LOSS)
    drawn |= curves(
        variance,
        data,
        "toy",
        "log_variance/bits",
        digitised.TOY_LOG_VARIANCE_STEPS,
        digitised.TOY_LOG_VARIANCE,
    )
    exact = data.series("expectation/right", experiment="exact-gradient")
    if not exact.empty:
        loss.plot(exact["step"], exact["value"], label=readable("exact"), **line_style("exact"))
        points = digitised.TOY_LOSS["exact"]
        published(loss, digitised.TOY_STEPS, points, estimator="exact", name=f"{readable('exact')}, paper")
    loss.axhline(LEAST, color=INK, linewidth=0.8, linestyle=":")
    label(loss, x="Adam steps", y="expected loss", title="Loss")
    label(variance, x="Adam steps", y="ln variance of the gradient", title="Log variance")
    for ax in axes[0]:
        legend(ax)
    return figure if drawn else None


def companion(data: PaperData) -> Canvas | None:
    figure, axes = canvas(width=5.2, height=4.2)
    ax: Axes = axes[0, 0]
    drawn = curves(
        ax, data, "toy-companion", "expectation", digitised.COMPANION_STEPS, digitised.COMPANION_LOSS
    )
    label(ax, x="Adam steps", y="expected loss")
    legend(ax)
    return figure if drawn else None


def exact_gradient(data: PaperData) -> Canvas | None:
    figure, axes = canvas(width=5.2, height=4.0)
    ax: Axes = axes[0, 0]
    names = {"right": "p (1 − p) (1 − 2t)", "released_code": "p (1 − 2t), the released code's"}
    drawn = False
    for colour, (which, name) in zip(PALETTE, names.items(), strict=False):
        frame = data.series(f"expectation/{which}", experiment="exact-gradient")
        if not frame.empty:
            drawn = True
            ax.plot(frame["step"], frame["value"] - LEAST, color=colour, label=name)
    points = zip(digitised.TOY_STEPS[1:], digitised.TOY_LOSS["exact"][1:], strict=True)
    steps, above = zip(*((step, loss - LEAST) for step, loss in points if loss > LEAST), strict=True)
    published(ax, steps, above, estimator="exact", name="paper (line width)")
    ax.set_yscale("log")
    ax.xaxis.set_major_formatter(EngFormatter())
    label(ax, x="Adam steps", y="expected loss above the least")
    legend(ax, columns=1)
    return figure if drawn else None


def shapes(data: PaperData) -> Canvas | None:
    figure, axes = canvas(width=5.2, height=4.2)
    ax: Axes = axes[0, 0]
    cells = data.cells[data.cells["experiment"] == "shapes"]
    drawn = False
    for estimator in sorted(cells["estimator"].unique()):
        named = readable(estimator)
        for seed in sorted(set(cells.loc[cells["estimator"] == estimator, "seed"])):
            arrays = data.arrays("shapes", estimator, int(seed))
            if "relaxation_c" in arrays:
                drawn = True
                style = line_style(estimator) | {"linewidth": 1.1}
                ax.plot(arrays["relaxation_g"], arrays["relaxation_c"], label=named, **style)
                named = "_"
    g = np.linspace(-6, 6, 400)
    ax.plot(g, ((g > 0) - 0.499) ** 2, color=INK, linewidth=0.8, linestyle=":", label="f(b), b = 1[g > 0]")
    label(ax, x="perturbed logit g", y="control variate η c")
    legend(ax, columns=1)
    return figure if drawn else None


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


MODELS = {
    "linear-1": "One linear layer",
    "linear-2": "Two linear layers",
    "nonlinear": "One non-linear layer",
    "omniglot-linear-layers1": "Omniglot, one linear layer",
    "omniglot-linear-layers2": "Omniglot, two linear layers",
    "omniglot-nonlinear": "Omniglot, non-linear layer",
}
PAPER_DATA = ("standard", "paper")
"""The scales that run MNIST and Omniglot; the others run digits, beside which the paper's levels mean nothing."""
EPOCH = 50_000
PAIR = ("rebar", "relax")
LABELS = {"Concrete": "concrete", "NVIL": "nvil", "MuProp": "muprop", "REBAR": "rebar", "RELAX": "relax"}


def training(data: PaperData) -> Canvas | None:
    """REBAR and RELAX on training and validation rows."""

    def draw(ax: Axes, name: str) -> None:
        drawn = []
        for split, shade in (("train", 1.0), ("valid", 0.45)):
            frame = data.series(f"elbo/{split}", experiment=name, x="samples_seen")
            for estimator in PAIR:
                rows = frame[frame["estimator"] == estimator]
                if not rows.empty:
                    named = f"{readable(estimator)}, {split}"
                    band(ax, rows, "samples_seen", "value", estimator=estimator, name=named, alpha=shade)
                    drawn.append(rows)
                    points(ax, rows, name, split, estimator)
        if drawn:
            floor(ax, pd.concat(drawn))
        ax.xaxis.set_major_formatter(EngFormatter())
        label(ax, x="training rows seen", y="ELBO", y_unit="nats")
        legend(ax)

    def points(ax: Axes, rows: pd.DataFrame, name: str, split: str, estimator: str) -> None:
        """The paper's, as far as the run goes, where its data are ours."""
        if data.scale in PAPER_DATA and (name, split) in digitised.CURVES:
            seen = [epochs * EPOCH for epochs in digitised.EPOCHS[name]]
            elbo = digitised.CURVES[name, split][estimator]
            shown = [(x, y) for x, y in zip(seen, elbo, strict=True) if x <= rows["samples_seen"].max()]
            if shown:
                published(
                    ax, *zip(*shown, strict=True), estimator=estimator, name=f"{readable(estimator)}, paper"
                )

    return panels(with_results(data, MODELS, "elbo/valid"), draw)


def table(data: PaperData) -> Canvas | None:
    def draw(ax: Axes, name: str) -> None:
        frame = last(data.series("elbo/train", experiment=name), "largest")
        numbers = digitised.TABLE_1.get(name) if data.scale in PAPER_DATA else None
        levels(ax, frame, x_label="highest training ELBO (nats)", paper=numbers)

    return panels(with_results(data, MODELS, "elbo/train"), draw, height=3.6)


def shifted(data: PaperData) -> Canvas | None:
    """The non-linear rows of Table 1 as printed, as the draft has them, and ours under the names of the estimators."""
    frame = pd.concat(
        last(data.series("elbo/train", experiment=name), "largest")
        for name in ("nonlinear", "omniglot-nonlinear")
    )
    if frame.empty:
        return None
    means = frame.groupby(["experiment", "estimator"])["value"].mean()
    columns = list(digitised.COLUMNS)
    cells, rows = [], []
    for name, numbers in digitised.NONLINEAR.items():
        rows += [f"{name}, as printed"]
        cells += [[f"{number:.2f}" for number in numbers]]
    rows += ["whose numbers, by a draft"]
    cells += [list(digitised.DRAFT)]
    for experiment in means.index.get_level_values(0).unique():
        rows += [f"ours, {experiment} ({data.scale})"]
        found = [means.get((experiment, LABELS[name]), np.nan) for name in columns]
        cells += [["–" if np.isnan(value) else f"{value:.2f}" for value in found]]
    figure, axes = canvas(width=9.5, height=0.42 * (len(rows) + 1.5))
    ax = axes[0, 0]
    ax.set_axis_off()
    drawn = ax.table(cellText=cells, rowLabels=rows, colLabels=columns, loc="center", cellLoc="center")
    drawn.auto_set_font_size(False)
    drawn.set_fontsize(9)
    drawn.scale(1, 1.5)
    for (row, column), cell in drawn.get_celld().items():
        cell.set_facecolor("none")
        cell.set_edgecolor(INK)
        cell.set_linewidth(0.3)
        wrong = 1 <= row <= len(digitised.NONLINEAR) and 0 <= column < 3
        cell.get_text().set_color(line_style("concrete")["color"] if wrong else INK)
    return figure


def work(data: PaperData) -> Canvas | None:
    """The bound on training rows against steps, evaluations of f and seconds: what each estimator buys for what."""
    names = {
        "step": "training steps",
        "evaluations": "evaluations of f",
        "seconds": "seconds of training steps",
    }

    def draw(ax: Axes, x: str) -> None:
        frame = curve(ax, data, "linear-1", "elbo/train", x=x)
        if x != "step":
            ends = frame.groupby("estimator")[x].max()
            ax.set_xlim(0, ends.min() * (3 if np.isfinite(ends.min()) else 1))
        label(ax, x=names[x], y="bound on training data", y_unit="nats")
        legend(ax)

    if data.series("elbo/train", experiment="linear-1").empty:
        return None
    equal = {"step": "Equal steps", "evaluations": "Equal evaluations", "seconds": "Equal time"}
    return panels(equal, draw, height=4.8)


FIGURES = [
    Figure(
        "toy",
        "One bit, t = 0.499 (Fig 1)",
        "Mean over seeds with a 95 % band; open circles: the paper's one seed. The dotted line is the least expected "
        "loss, below which the paper's curves of REBAR and REINFORCE dip.",
        toy,
        ("toy", "exact-gradient"),
    ),
    Figure(
        "companion",
        "One bit, t = 0.45",
        "The same with a gradient fifty times as large (a figure of the authors' repository, open circles).",
        companion,
        ("toy-companion",),
    ),
    Figure(
        "shapes",
        "What REBAR and RELAX learn to subtract (Fig 3)",
        "The control variate as a function of the perturbed logit after training it at a fixed logit; one line a "
        "seed. For one bit anything with the right difference between the two sides will do.",
        shapes,
        ("shapes",),
    ),
    Figure(
        "exact-gradient",
        "Two exact gradients (Fig 1, exact)",
        "Adam along the derivative of the expected loss, and along that of the released code, which lacks 1 − p. The "
        "paper's points at 500 and 1,000 steps lie on the latter; later ones are within the width of its line.",
        exact_gradient,
        ("exact-gradient",),
    ),
    Figure(
        "policy-gradients",
        "A2C and RELAX on CartPole (RL figures)",
        "Left: the mean of the last 100 returns; 195 (dotted) counts as solved, and the paper's A2C solves it after "
        "1152 ± 90 episodes. Right: ln variance of one episode's gradient, from 100 further episodes with each one's "
        "own policy; dotted, the bare score function on the same episodes, so that the distance is what the learned "
        "control variate takes away. A policy that has fallen to one action has hardly any variance: a low curve is no "
        "merit by itself. Open circles: the paper's means with the range of its curves.",
        policy_gradients,
        ("variance",),
    ),
    Figure(
        "solving",
        "Episodes until a task is solved (Table 2)",
        "Mean of the last 100 returns, with the learning rates that one seed chose. Open circles: the paper's episodes "
        "± over 5 seeds. The paper's LunarLander column holds other numbers and is not drawn; cartpole force is ours.",
        solving,
        ("discrete-*", "continuous-*"),
    ),
    Figure(
        "linear-quadratic",
        "Reparameterized and score-function policy gradients where both are possible",
        "Linear dynamics, quadratic cost, a Gaussian policy with gain k: the standard deviation of one estimate for k "
        "over the exact gradient, which has a closed form, against the number of steps. Left a closed loop that "
        "decays, right one that grows. Leave-one-out (loo) averages two samples, at twice the cost.",
        linear_quadratic,
        ("linear-quadratic-*",),
    ),
    Figure(
        "work",
        "What REBAR and RELAX buy, for equal steps, evaluations and time",
        "One linear layer: the bound of hard samples on training rows, mean over seeds with a 95 % band. An "
        "evaluation is one of f for one datum; rebar and relax take two, one of which is differentiated in the "
        "relaxed sample, and relax tunes its network first. Seconds are those of the training steps of this "
        "machine, measurements left out.",
        work,
        ("linear-1",),
    ),
    Figure(
        "training",
        "REBAR and RELAX on training and validation rows (training curves, appendix)",
        "ELBO of hard samples, mean over seeds with a 95 % band; the start is cut off. Pale: validation. Open "
        "circles, where the data are the paper's: its curves.",
        training,
        tuple(MODELS),
    ),
    Figure(
        "table-1",
        "Highest training ELBO (Table 1)",
        "Dots: ours, with 95 % intervals over seeds, the best on top. Open circles, where the data are the "
        "paper's: its linear rows. concrete is at temperature 0.5.",
        table,
        tuple(MODELS),
    ),
    Figure(
        "shifted",
        "Table 1's non-linear rows are shifted by one column",
        "The coloured cells stand under the wrong headers: a draft prints the same numbers under those of the "
        "third row. The paper's own training curves do not reach the last two columns either (best about −93.4 "
        "and −83.5 on MNIST).",
        shifted,
        ("nonlinear", "omniglot-nonlinear"),
    ),
]
