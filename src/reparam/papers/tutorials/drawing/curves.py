"""The curves behind the claims."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import NullFormatter
from scipy import stats

from reparam.papers.tutorials.drawing.numbers import number
from reparam.report.figures import (
    INK,
    PALETTE,
    PaperData,
    band,
    canvas,
    interval,
    label,
    legend,
    line_style,
    readable,
)

BLUE, ORANGE, GREEN, RED, GREY = (PALETTE[i] for i in (0, 1, 2, 6, 7))
SEEN = 5.5
"""Standard errors from which on a bias is one."""
MARKS = {
    "gumbel_softmax": (8, "s"),
    "straight_through": (8, "^"),
    "reinmax": (8, "v"),
    "score_function": (8, "o"),
    "score_function_loo": (9, "p"),
    "rebar": (6, "d"),
    "relax": (11, "D"),
}
"""Sizes and marks; REBAR and RELAX start at one place."""


def variance(data: PaperData) -> Canvas | None:
    sweeps = {
        "constant": ("constant c added to z²", "f = z² + c"),
        "frequency": ("frequency a", "f = sin(a z)"),
    }
    if all(data.series("variance/mu", experiment=name).empty for name in sweeps):
        return None
    figure, axes = canvas(columns=2, width=4.8)
    for ax, (experiment, (x, title)) in zip(axes[0], sweeps.items(), strict=True):
        frame = data.series("variance/mu", experiment=experiment, x="x")
        for estimator, rows in frame.groupby("estimator"):
            band(ax, rows, "x", "value", estimator=str(estimator), geometric=True)
        for estimator in ("score_function", "pathwise"):
            exact = data.series(f"formula/{estimator}/mu", experiment=experiment, estimator=estimator, x="x")
            exact = exact[exact["seed"] == exact["seed"].min()]
            ax.plot(
                exact["x"],
                exact["value"],
                "o",
                markerfacecolor="none",
                color=line_style(estimator)["color"],
                clip_on=False,
                label=f"{readable(estimator)}, formula",
            )
        ax.set_yscale("log")
        if experiment == "frequency":
            ax.set_xscale("log", base=2)
        else:
            ax.set_xscale("symlog", linthresh=1)
            ax.set_xlim(left=0)
        label(ax, x=x, y="variance of ∂/∂μ", title=title)
        legend(ax, columns=2)
    return figure


def temperature(data: PaperData) -> Canvas | None:
    panels = {"relative_bias": "bias over the gradient's norm", "variance": "variance"}
    if data.series("variance", experiment="temperature").empty:
        return None
    figure, axes = canvas(columns=2, width=4.8)
    for ax, (metric, name) in zip(axes[0], panels.items(), strict=True):
        frame = data.series(metric, experiment="temperature", x="x")
        for estimator, rows in frame.groupby("estimator"):
            band(ax, rows, "x", "value", estimator=str(estimator), geometric=True)
            if metric == "relative_bias":
                means = data.beside(rows.drop(columns="x"), "x").groupby("x")["value"]
                errors = data.series("bias_z", experiment="temperature", estimator=str(estimator), x="x")
                seen = errors.groupby("x")["value"].mean() > SEEN
                middle = np.exp(means.agg(lambda part: np.log(part).mean()))
                colour = line_style(str(estimator))["color"]
                ax.plot(middle[seen].index, middle[seen], "s", color=colour, markersize=5)
                ax.plot(middle[~seen].index, middle[~seen], "o", color=colour, markerfacecolor="none")
        for estimator in ("score_function", "score_function_loo", "straight_through", "rebar"):
            level = number(data, metric, "discrete-problemcategories", estimator)
            if metric == "variance" or estimator == "straight_through":
                ax.axhline(level, **line_style(estimator) | {"linewidth": 1.2}, label=readable(estimator))
        ax.set_xscale("log")
        ax.set_yscale("log")
        label(ax, x="temperature τ", y=name)
        legend(ax, columns=1)
    return figure


def baseline(data: PaperData) -> Canvas | None:
    if data.series("variance/mu", experiment="baselines").empty:
        return None
    figure, axes = canvas(columns=2, width=4.8)
    for ax, name in zip(axes[0], ("mu", "sigma"), strict=True):
        rows = data.series(f"variance/{name}", experiment="baselines", x="b")
        band(
            ax,
            rows,
            "b",
            "value",
            estimator="score_function",
            name="score function",
            marker="o",
            markersize=4,
        )
        marks = {"b*": (f"optimal/{name}", GREEN), "E f": ("mean", RED), "one b for both": ("shared", GREY)}
        for text, (metric, colour) in marks.items():
            ax.axvline(
                number(data, metric, "baselines", "score_function"), color=colour, linestyle="--", label=text
            )
        ax.set_ylim(bottom=0)
        label(ax, x="baseline b", y=f"variance of ∂/∂{'μ' if name == 'mu' else 'σ'}")
        legend(ax, columns=2)
    return figure


def gamma(data: PaperData) -> Canvas | None:
    arrays = data.arrays("gamma", "implicit", 0)
    alphas = data.series("alpha", experiment="gamma")
    if not arrays or alphas.empty:
        return None
    by_step = alphas.groupby("step")["value"].first()
    figure, axes = canvas(columns=3, width=4.2)
    *densities, means = axes[0]
    for ax, step in zip(densities, (0, 2), strict=True):
        alpha = float(by_step[step])
        edges = np.linspace(0, 2.5 * alpha + 6, 45)
        grid = np.linspace(1e-3, edges[-1], 300)
        for name, colour in (("tutorial", RED), ("accepted", BLUE)):
            text = {"tutorial": "the tutorial's map", "accepted": "right map, accepted"}[name]
            ax.hist(
                arrays[f"{name}_{step}"],
                edges,
                density=True,
                histtype="step",
                color=colour,
                linewidth=1.6,
                label=text,
            )
        ax.plot(grid, stats.gamma(alpha).pdf(grid), color=INK, linewidth=1, label="Gamma density")
        label(ax, x="z", y="density", title=f"α = {alpha:g}")
        legend(ax, columns=1)
    for name, colour, text in (
        ("tutorial", RED, "the tutorial's map"),
        ("proposal", BLUE, "Marsaglia and Tsang's"),
    ):
        values = [number(data, f"{name}/mean", "gamma", "implicit", step) for step in by_step.index]
        means.plot(by_step, np.array(values) / by_step.to_numpy(), "o-", color=colour, label=text)
    means.set_yscale("log")
    means.set_xscale("log")
    label(means, x="shape α", y="mean over α", title="Mean of the map")
    legend(means, columns=1)
    return figure


def scales(data: PaperData) -> Canvas | None:
    if data.series("score/plain", experiment="small-scales").empty:
        return None
    figure, axes = canvas(columns=2, width=4.8)
    for ax, (metric, y) in zip(
        axes[0], {"score": "1/σ, size of ∇ log q", "path": "|∂ bound / ∂ output|"}.items(), strict=True
    ):
        for at, name in enumerate(("plain", "clamp", "softplus", "constant")):
            rows = data.series(f"{metric}/{name}", experiment="small-scales", x="raw")
            finite = rows[np.isfinite(rows["value"])]
            style = {"color": PALETTE[(7, 0, 1, 2)[at]], "linestyle": ("-", "--", ":", "-.")[at]}
            ax.plot(finite["raw"], finite["value"].clip(lower=1e-12), label=name, **style)
        ax.set_yscale("log")
        ax.invert_xaxis()
        label(ax, x="network's output (log σ² of the plain one)", y=y)
        legend(ax, columns=2)
    return figure


def ranks(data: PaperData) -> Canvas | None:
    panels = {"categories": "four categories", "bits": "six bits"}
    if data.series("variance", experiment="discrete-*").empty:
        return None
    figure, axes = canvas(columns=2, width=4.8)
    for ax, (problem, title) in zip(axes[0], panels.items(), strict=True):
        for experiment, trained in (
            (f"discrete-problem{problem}", ""),
            (f"tuned-problem{problem}", ", trained"),
        ):
            for estimator, rows in data.series("variance", experiment=experiment).groupby("estimator"):
                if trained and estimator == "score_function":
                    continue  # what the trained ones are judged by, drawn already
                bias = number(data, "relative_bias", experiment, str(estimator))
                seen = number(data, "bias_z", experiment, str(estimator)) > SEEN
                size, mark = MARKS.get(str(estimator), (9, "*"))
                ax.plot(
                    rows["value"].mean(),
                    100 * bias,
                    mark,
                    markersize=size,
                    color=line_style(str(estimator))["color"],
                    markerfacecoloralt="none",
                    fillstyle="full" if seen else "left" if trained else "none",
                    label=f"{readable(str(estimator))}{trained}",
                )
        ax.set_xscale("log")
        ax.set_yscale("log")
        ax.margins(0.1)
        ax.xaxis.set_minor_formatter(NullFormatter())
        label(ax, x="variance of one estimate", y="bias over the gradient's norm", y_unit="%", title=title)
        legend(ax, columns=2)
    return figure


def rejection(data: PaperData) -> Canvas | None:
    if data.series("gamma/shape", experiment="rejection").empty:
        return None
    figure, axes = canvas(columns=2, width=4.8)
    for ax, (law, x) in zip(
        axes[0], {"gamma": "shape α (f = log z)", "sphere": "concentration κ (cosine)"}.items(), strict=True
    ):
        rows = data.series(f"{law}/dropped_relative_bias", experiment="rejection", x=f"{law}/shape")
        rows = rows.assign(value=100 * rows["value"]).rename(columns={f"{law}/shape": "shape"})
        band(ax, rows, "shape", "value", estimator="rsvi", name="correction dropped", marker="o", color=RED)
        whole = data.series(f"{law}/relative_bias", experiment="rejection", x=f"{law}/shape")
        whole = whole.assign(value=100 * whole["value"]).rename(columns={f"{law}/shape": "shape"})
        for estimator, own in whole.groupby("estimator"):
            known: dict[str, Any] = {"name": "with it", "color": BLUE} if estimator == "rsvi" else {}
            band(ax, own, "shape", "value", estimator=str(estimator), marker="s", **known)
        ax.set_xscale("log")
        ax.set_xticks(
            sorted(rows["shape"].unique()), labels=[f"{value:g}" for value in sorted(rows["shape"].unique())]
        )
        ax.xaxis.set_minor_formatter(NullFormatter())
        label(ax, x=x, y="relative bias", y_unit="%")
        legend(ax, columns=2)
    return figure


def bounds(data: PaperData) -> Canvas | None:
    bound = data.series("bound", experiment="weighted-bound", x="samples")
    if bound.empty:
        return None
    figure, axes = canvas(columns=2, width=4.8)
    tight, split = axes[0]
    exact = data.series("likelihood", experiment="weighted-bound")
    gap = bound.merge(exact, on=["seed", "step"], suffixes=("", "_exact"))
    gap = gap.assign(gap=gap["value_exact"] - gap["value"])
    band(
        tight,
        gap,
        "samples",
        "gap",
        estimator="pathwise",
        name="log p(x) − bound",
        geometric=True,
        marker="o",
    )
    tight.set_xscale("log")
    tight.set_yscale("log")
    label(tight, x="samples K", y="gap of the bound", y_unit="nats", title="Importance weighting")
    noises = data.metrics[data.metrics["experiment"] == "two-noises"]
    if not noises.empty:
        table = noises.pivot_table(index=["seed", "step"], columns="metric", values="value").reset_index()
        first = table[table["step"] == 0].set_index("seed")["exact_total"]
        names = ["exact_data", "exact_noise", "total"]
        shares = table[names].div(table["seed"].map(first), axis=0).assign(samples=table["samples"])
        means = shares.groupby("samples").mean()
        bars = [f"{samples:g}" for samples in means.index]
        split.bar(bars, means["exact_data"], 0.55, color=BLUE, label="of the data, exact")
        split.bar(
            bars, means["exact_noise"], 0.55, means["exact_data"], color=ORANGE, label="of the noise, exact"
        )
        whole = [interval(part["total"].to_numpy()) for _, part in shares.groupby("samples")]
        centre, low, high = (np.array(column) for column in zip(*whole, strict=True))
        ends = [centre - low, high - centre]
        split.errorbar(bars, centre, ends, fmt="o", color=INK, capsize=4, label="whole, measured")
    label(split, x="noise samples L", y="variance over that of L = 1", title="Two sources of noise")
    for ax in (tight, split):
        legend(ax, columns=2)
    return figure


def training(data: PaperData) -> Canvas | None:
    frame = data.series("objective", experiment="categorical-vae")
    if frame.empty:
        return None
    figure, axes = canvas(columns=2, width=4.8)
    left, right = axes[0]
    for estimator, rows in frame.groupby("estimator"):
        band(left, rows, "step", "value", estimator=str(estimator))
    label(
        left,
        x="steps",
        y="exact bound",
        y_unit="nats per datum",
        title="Two variables of eight classes",
    )
    uses = data.series("objective", experiment="uses-*")
    for at, ((experiment, method), rows) in enumerate(uses.groupby(["experiment", "estimator"])):
        table = rows.pivot_table(index="step", columns="seed", values="value")
        rise = table.iloc[-1] - table.iloc[0]
        share = ((table - table.iloc[0]) / rise).mean(axis=1)
        name = readable(str(experiment).removeprefix("uses-use"))
        name += "" if method == "pathwise" else f", {readable(str(method))}"
        colour = PALETTE[at % len(PALETTE)]
        right.plot(
            share.index, 100 * share, color=colour, linestyle=("-", "--", ":", "-.")[at % 4], label=name
        )
        held = data.series("objective_held", experiment=str(experiment), estimator=str(method))
        if not held.empty:
            still = ((held.set_index("seed")["value"] - table.iloc[0]) / rise).mean()
            right.plot(held["step"].max(), 100 * still, "x", color=colour, markersize=7, clip_on=False)
    right.plot([], [], "x", color=INK, label="its laws held")
    label(
        right, x="steps", y="of the way from start to end", y_unit="%", title="A model for each use, pathwise"
    )
    legend(left, columns=2)
    legend(right, columns=2)
    return figure
