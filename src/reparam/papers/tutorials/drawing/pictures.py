"""The five pictures, each with what the run measured."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.patches import Circle, FancyArrowPatch, FancyBboxPatch

from reparam.papers.tutorials.drawing.numbers import number, rounded
from reparam.report.figures import INK, PALETTE, PaperData, canvas, label, legend, line_style, readable

BLUE, ORANGE, GREEN, RED = (PALETTE[i] for i in (0, 1, 2, 6))
CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 3**0.5 / 2]])
"""Of the simplex of three classes, in the plane."""


def field(ax: Axes, title: str, width: float = 10, height: float = 6) -> None:
    ax.set_xlim(0, width)
    ax.set_ylim(0, height)
    ax.set_aspect("equal")
    ax.set_axis_off()
    ax.set_title(title)


def box(
    ax: Axes, x: float, y: float, text: str, colour: str = INK, width: float = 1.9, height: float = 1.0
) -> None:
    """A rounded box about (x, y): something computed."""
    shape = FancyBboxPatch(
        (x - width / 2, y - height / 2),
        width,
        height,
        boxstyle="round,pad=0,rounding_size=0.18",
        facecolor="none",
        edgecolor=colour,
        linewidth=1.5,
    )
    ax.add_patch(shape)
    ax.text(x, y, text, ha="center", va="center", fontsize=9.5, linespacing=1.35)


def node(ax: Axes, x: float, y: float, text: str, colour: str = INK) -> None:
    """A circle: something random."""
    ax.add_patch(Circle((x, y), 0.62, facecolor="none", edgecolor=colour, linewidth=1.5))
    ax.text(x, y, text, ha="center", va="center", fontsize=11)


def arrow(
    ax: Axes, start: tuple[float, float], end: tuple[float, float], colour: str = INK, bend: float = 0.0
) -> None:
    style = f"arc3,rad={bend}"
    dashed = "solid" if colour == INK else (0, (4, 2))
    ax.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=13,
            color=colour,
            linestyle=dashed,
            linewidth=1.5,
            connectionstyle=style,
            shrinkA=0,
            shrinkB=0,
        )
    )


def trick(data: PaperData) -> Canvas | None:
    estimators = ["score_function", "score_function_loo", "measure_valued", "pathwise"]
    if data.series("samples", experiment="constant").empty:
        return None
    figure, axes = canvas(columns=3, width=4.7, height=3.6)
    blocked, opened, cost = axes[0]
    for ax, title in ((blocked, "Sampling blocks the gradient"), (opened, "Noise first, and it flows")):
        field(ax, title, height=6.4)
        box(ax, 1.3, 3.2, "φ")
        box(ax, 8.6, 3.2, "f(z)")
        arrow(ax, (2.25, 3.2), (4.0, 3.2))
        arrow(ax, (6.0, 3.2), (7.65, 3.2))
    node(blocked, 5.0, 3.2, "z", RED)
    blocked.text(5.0, 4.5, "z ~ q$_φ$", ha="center")
    arrow(blocked, (8.4, 2.6), (5.5, 2.6), RED, -0.25)
    blocked.plot([4.25, 4.75], [1.9, 2.4], color=RED, linewidth=3)
    blocked.plot([4.25, 4.75], [2.4, 1.9], color=RED, linewidth=3)
    blocked.text(5.0, 0.8, "∂z/∂φ: the law alone names none", ha="center", color=RED)
    box(opened, 5.0, 3.2, "z = μ + σ ε", GREEN)
    node(opened, 5.0, 5.5, "ε")
    arrow(opened, (5.0, 4.88), (5.0, 3.75))
    opened.text(6.0, 5.4, "ε ~ N(0, 1)", va="center")
    arrow(opened, (8.3, 2.65), (5.3, 2.65), GREEN, -0.3)
    arrow(opened, (4.7, 2.65), (1.6, 2.65), GREEN, -0.3)
    share = 100 * number(data, "finite/normal", "laws", "pathwise")
    opened.text(5.0, 0.8, f"∂z/∂φ finite at {rounded(share)} % of draws", ha="center", color=GREEN)
    costs = [
        number(data, "samples", "constant", name, 0) * number(data, "evaluations", "constant", name, 0)
        for name in estimators
    ]
    colours = [line_style(estimator)["color"] for estimator in estimators]
    cost.barh([readable(estimator) for estimator in estimators], costs, color=colours)
    for at, value in enumerate(costs):
        cost.annotate(
            rounded(value), (value, at), xytext=(4, 0), textcoords="offset points", va="center", fontsize=9
        )
    cost.set_xscale("log")
    cost.margins(x=0.3)
    label(cost, x="evaluations of f for a 5 % error", y="", title="What it buys, for f = z²")
    return figure


def insight(data: PaperData) -> Canvas | None:
    arrays = data.arrays("laws", "pathwise", 0)
    if not arrays:
        return None
    epsilon, z = arrays["epsilon"], arrays["z"]
    scale, loc = np.polyfit(epsilon, z, 1)
    figure, axes = canvas(columns=2, width=5.2, height=3.9)
    move, slope = axes[0]
    chosen = np.sort(epsilon)[10::20]
    for one in chosen:
        move.plot([one, loc + scale * one], [0, 1], color=BLUE, linewidth=0.8, alpha=0.7)
        move.plot([one, loc + 0.7 + 0.6 * scale * one], [0, -1], color=ORANGE, linewidth=0.8, alpha=0.7)
    for level, values, colour in (
        (0, chosen, INK),
        (1, loc + scale * chosen, BLUE),
        (-1, loc + 0.7 + 0.6 * scale * chosen, ORANGE),
    ):
        move.plot(values, np.full_like(values, level), "o", color=colour, markersize=4)
    move.set_yticks([-1, 0, 1], labels=["μ + 0.7, 0.6 σ", "ε ~ N(0, 1)", "μ, σ"])
    label(move, x="value", y="", title="The noise stays; φ only moves it")
    slope.plot(epsilon, z, ".", color=BLUE, markersize=3, label="400 draws of the run")
    for one in np.sort(epsilon)[20::55]:
        at = loc + scale * one
        slope.annotate(
            "", (one, at + 0.9), (one, at), arrowprops={"arrowstyle": "->", "color": GREEN, "linewidth": 1.6}
        )
        slope.annotate(
            "",
            (one, at + 0.9 * one),
            (one, at),
            arrowprops={"arrowstyle": "->", "color": RED, "linewidth": 1.6},
        )
    slope.plot([], [], color=GREEN, label="∂z/∂μ = 1")
    slope.plot([], [], color=RED, label="∂z/∂σ = ε")
    label(slope, x="noise ε", y="sample z", title="so each draw has a slope in φ")
    legend(slope, columns=3)
    return figure


def chart(data: PaperData) -> Canvas | None:
    if data.series("variance", experiment="constant").empty:
        return None
    constant = number(data, "variance", "constant", "score_function", 0) / number(
        data, "variance", "constant", "pathwise", 0
    )
    wave = number(data, "variance", "frequency", "pathwise") / number(
        data, "variance", "frequency", "score_function"
    )
    relaxed = 100 * number(data, "relative_bias", "temperature", "gumbel_softmax", 4)
    straight = 100 * number(data, "relative_bias", "discrete-problemcategories", "straight_through")
    trained = {
        name: rounded(-number(data, "objective", "categorical-vae", name))
        for name in ("score_function_loo", "gumbel_softmax", "straight_through")
    }
    step = 100 * number(data, "relative_bias", "step", "pathwise", 2)
    figure, axes = canvas(width=11.5, height=5.8)
    ax = axes[0, 0]
    field(ax, "", width=23, height=12.2)
    box(ax, 11.5, 11.3, "Is z continuous?", BLUE, 5, 1.3)
    box(ax, 5.2, 8.4, "Is f differentiable,\nand smooth on the scale of q?", BLUE, 6.4, 1.7)
    box(ax, 17.8, 8.4, "May the gradient be biased?", BLUE, 6.4, 1.7)
    arrow(ax, (9.0, 11.0), (5.4, 9.35))
    arrow(ax, (14.0, 11.0), (17.6, 9.35))
    ax.text(6.1, 10.5, "yes")
    ax.text(16.2, 10.5, "no", ha="left")
    gain = f"{rounded(constant)} times less variance\nthan score function (z²)"
    loss = f"the path has {rounded(wave)} times the\nvariance (sin 16 z), and on a\nstep an error of {rounded(step)} %"
    unbiased = (
        f"no bias; a VAE with categories\nreaches −{trained['score_function_loo']} nats\n(leave-one-out)"
    )
    biased = (
        f"bias {rounded(relaxed)} % (τ = 1), {rounded(straight)} %;\nthe same VAE −{trained['gumbel_softmax']} and\n"
        f"−{trained['straight_through']} nats"
    )
    answers = [
        (2.9, "pathwise", gain, GREEN, 5.2, "yes"),
        (8.6, "score function,\nmeasure-valued", loss, GREEN, 5.2, "no"),
        (14.4, "leave-one-out,\nDisARM, REBAR", unbiased, GREEN, 17.2, "no"),
        (20.1, "Gumbel-Softmax,\nstraight-through", biased, ORANGE, 18.4, "yes"),
    ]
    for x, name, evidence, colour, origin, word in answers:
        arrow(ax, (origin, 7.5), (x, 5.75))
        ax.text(
            (origin + x) / 2 + (0.35 if x > origin else -0.35),
            6.7,
            word,
            ha="left" if x > origin else "right",
        )
        box(ax, x, 4.9, name, colour, 4.6, 1.6)
        ax.text(x, 3.6, evidence, ha="center", va="top", fontsize=9, linespacing=1.4)
    more = "Gamma, Beta, Dirichlet, von Mises, mixtures: continuous, by implicit derivatives."
    ax.text(11.5, 0.6, f"{more} Several samples: leave-one-out is free.", ha="center", fontsize=9)
    return figure


def structure(data: PaperData) -> Canvas | None:
    metric = (
        "gradient_moments" if data.series("variance/pathwise/encoder", experiment="vae").empty else "variance"
    )
    if data.series(f"{metric}/pathwise/encoder", experiment="vae").empty:
        return None
    figure, axes = canvas(columns=2, width=6.4, height=3.7)
    ax, bars = axes[0]
    field(ax, "One draw through a VAE", width=14, height=6.4)
    node(ax, 0.9, 3.0, "x")
    box(ax, 3.3, 3.0, "encoder", BLUE)
    box(ax, 6.0, 4.1, "μ", width=1.0, height=0.8)
    box(ax, 6.0, 1.9, "σ", width=1.0, height=0.8)
    box(ax, 8.4, 3.0, "z = μ + σ ε", GREEN, 2.5)
    node(ax, 8.4, 5.5, "ε")
    box(ax, 11.1, 3.0, "decoder", ORANGE)
    node(ax, 13.2, 3.0, "x̂")
    arrow(ax, (1.55, 3.0), (2.3, 3.0))
    arrow(ax, (4.25, 3.25), (5.45, 4.0))
    arrow(ax, (4.25, 2.75), (5.45, 2.0))
    arrow(ax, (6.5, 4.0), (7.3, 3.5))
    arrow(ax, (6.5, 2.0), (7.3, 2.5))
    arrow(ax, (8.4, 4.85), (8.4, 3.5))
    arrow(ax, (9.65, 3.0), (10.12, 3.0))
    arrow(ax, (12.07, 3.0), (12.55, 3.0))
    arrow(ax, (12.9, 2.2), (3.3, 1.35), GREEN, -0.22)
    ax.text(8.2, 0.2, "the gradient's way back", ha="center", color=GREEN)
    estimators = ["pathwise", "score_function_loo", "score_function_10", "score_function"]
    for at, estimator in enumerate(estimators):
        values = [
            number(data, f"{metric}/{estimator}/{group}", "vae", "pathwise")
            for group in ("encoder", "decoder")
        ]
        bars.bar(
            np.arange(2) + 0.2 * at - 0.3,
            values,
            0.18,
            color=PALETTE[(0, 6, 4, 1)[at]],
            label=readable(estimator),
        )
    bars.set_yscale("log")
    bars.set_xticks([0, 1], labels=["encoder", "decoder"])
    label(
        bars,
        x="parameter group",
        y="variance of one gradient",
        y_unit="nats²",
        title="after training on digits",
    )
    legend(bars, columns=2)
    return figure


def simplex(data: PaperData) -> Canvas | None:
    arrays = data.arrays("gumbel", "law", 0)
    if not arrays:
        return None
    temperatures = arrays["temperatures"]
    figure, axes = canvas(columns=len(temperatures), width=2.3, height=2.7)
    for at, (ax, tau) in enumerate(zip(axes[0], temperatures, strict=True)):
        corners = np.vstack([CORNERS, CORNERS[:1]])
        ax.plot(*corners.T, color=INK, linewidth=1)
        points = arrays[f"simplex_{at}"] @ CORNERS
        ax.plot(*points.T, ".", color=BLUE, markersize=3, alpha=0.5, rasterized=True)
        ax.plot(*(np.array([0.5, 0.3, 0.2]) @ CORNERS), "x", color=RED, markersize=7, markeredgewidth=2)
        ax.set_aspect("equal")
        ax.set_axis_off()
        ax.set_title(f"τ = {tau:g}")
        places = ((0, -0.13, "left"), (0, -0.13, "right"), (0.07, -0.03, "left"))
        nearest = arrays[f"simplex_{at}"].argmax(-1)
        for corner, (right, up, side) in enumerate(places):
            x, y = CORNERS[corner]
            share = 100 * (nearest == corner).mean()
            ax.text(x + right, y + up, f"{corner + 1}: {share:.0f} %", ha=side, fontsize=8.5)
    return figure
