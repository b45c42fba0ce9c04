"""The paper's figures from our own draws and quadrature, with its digitised points."""

from __future__ import annotations

from itertools import cycle

import numpy as np
from matplotlib.figure import Figure as Canvas

from reparam.papers.naesseth2017.digitised import FIG4_AT_2
from reparam.report.figures import INK, PALETTE, Figure, PaperData, band, canvas, label, legend, line_style
from reparam.report.style import DASHES

NAMES = {"grep": "G-REP", "rsvi_b0": "B = 0", "rsvi_b1": "B = 1", "rsvi_b3": "B = 3", "rsvi_b10": "B = 10"}
COLOURS = dict(zip(NAMES, PALETTE, strict=False))
OBJECTIVES = {"log_z": "f = log z", "z": "f = z", "z_squared": "f = z²"}


def variance(data: PaperData) -> Canvas | None:
    frame = data.series("variance", experiment="variance", x="alpha")
    if frame.empty:
        return None
    figure, axes = canvas(width=6.5, height=4.6)
    ax = axes[0, 0]
    known = [e for e in NAMES if e in set(frame["estimator"])]
    for estimator in [*known, *sorted(set(frame["estimator"]) - set(known))]:
        rows = frame[frame["estimator"] == estimator]
        name = NAMES.get(estimator, estimator)
        colour = COLOURS.get(estimator, line_style(estimator)["color"])
        band(
            ax,
            rows,
            "alpha",
            "value",
            estimator=estimator,
            name=name,
            geometric=True,
            color=colour,
            linestyle="-",
        )
        exact = data.series("variance_exact", experiment="variance", estimator=estimator, x="alpha")
        if not exact.empty:
            one = exact[exact["seed"] == exact["seed"].min()].sort_values("alpha")
            ax.plot(one["alpha"], one["value"], ":", color=colour, linewidth=1.2, label=f"{name}, exact")
        if estimator in FIG4_AT_2:
            ax.plot(
                2, FIG4_AT_2[estimator], "o", markerfacecolor="none", markeredgecolor=colour, markersize=6
            )
    ax.plot([], [], "o", markerfacecolor="none", markeredgecolor=INK, markersize=6, label="paper (Fig 4)")
    ax.set_yscale("log")
    label(ax, x="α of the first component", y="variance of its gradient", y_unit="nats²")
    legend(ax, columns=4)
    return figure


def bias(data: PaperData) -> Canvas | None:
    if data.series("bias/z", experiment="correction").empty:
        return None
    figure, axes = canvas(width=6.0)
    ax = axes[0, 0]
    for colour, (metric, name) in zip(PALETTE, OBJECTIVES.items(), strict=False):
        frame = data.series(f"bias/{metric}", experiment="correction", x="alpha")
        one = frame[frame["seed"] == frame["seed"].min()].sort_values("alpha")
        ax.plot(one["alpha"], one["value"], "o-", color=colour, markersize=4, label=name)
    for metric, mark in zip(OBJECTIVES, "x+|", strict=True):
        frame = data.series(f"bias_corrected/{metric}", experiment="correction", x="alpha")
        text = "with the correction, each f" if metric == "z" else None
        ax.plot(frame["alpha"], frame["value"], mark, color=INK, markersize=7, label=text)
    ax.set_yscale("symlog", linthresh=0.1)
    ax.margins(y=0.08)
    label(ax, x="shape α", y="relative error of ∂E[f]/∂α", y_unit="%")
    legend(ax, columns=2)
    return figure


def shapes(data: PaperData) -> Canvas | None:
    arrays = data.arrays("correction", "rsvi", 0)
    alphas = data.series("alpha", experiment="correction", estimator="rsvi").groupby("step")["value"].first()
    if "densities" not in arrays:
        return None
    figure, axes = canvas(columns=1 + len(arrays["densities"]), width=3.4, height=3.6)
    styles = zip(PALETTE, cycle(DASHES), strict=False)
    for alpha, row, (colour, dash) in zip(alphas, arrays["corrections"], styles, strict=False):
        axes[0, 0].plot(arrays["epsilon"], np.abs(row), color=colour, linestyle=dash, label=f"α = {alpha:g}")
    axes[0, 0].set_yscale("log")
    axes[0, 0].set_ylim(1e-5, 10)
    label(axes[0, 0], x="ε", y="|∇ log q/r|", title="correction term")
    grid = arrays["grid"]
    normal = np.exp(-(grid**2) / 2) / np.sqrt(2 * np.pi)
    for ax, alpha, rsvi, grep in zip(
        axes[0, 1:], arrays["densities"], arrays["density_rsvi"], arrays["density_grep"], strict=True
    ):
        ax.plot(grid, normal, color=INK, linewidth=1.1, linestyle="--", label="N(0, 1)")
        ax.plot(grid, rsvi, color=PALETTE[0], label="RSVI")
        ax.plot(grid, grep, color=PALETTE[1], label="G-REP")
        label(ax, x="ε", y="density", title=f"α = {alpha:g}")
    for ax in axes[0]:
        legend(ax, columns=2)
    return figure


FIGURES = [
    Figure(
        "variance",
        "Gradient variance by boost (Fig 4)",
        "One component of the gradient on the Dirichlet–multinomial toy. Geometric mean over seeds with a 95 % band; "
        "dotted: exact, by quadrature over the noise; circles: read from the paper, ± 10 %, from 100 draws a point. "
        "Below the dotted lines samples have missed the tail.",
        variance,
        ("variance",),
    ),
    Figure(
        "bias",
        "What dropping the correction costs",
        "Relative error of the gradient through accepted noise alone, by quadrature; crosses: the same with the "
        "correction.",
        bias,
        ("correction",),
    ),
    Figure(
        "shapes",
        "The correction, and the noise that it corrects for (Figs 2, 3)",
        "Size of the correction by accepted ε; density of the noise of RSVI and of G-REP beside the standard normal.",
        shapes,
        ("correction",),
    ),
]
