"""Targets, fitted samples, and the KL by length."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure as Canvas

from reparam.papers.rezende2015.digitised import FIG3D
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
    readable,
)


def lengths(data: PaperData) -> list[int]:
    names = data.cells["experiment"].unique()
    return sorted(
        int(n.removeprefix("potentials-length")) for n in names if n.startswith("potentials-length")
    )


def samples(data: PaperData) -> Canvas | None:
    found = {k: data.arrays(f"potentials-length{k}", "pathwise", 0) for k in lengths(data)}
    found = {k: arrays for k, arrays in found.items() if "samples" in arrays}
    if not found:
        return None
    target = next(iter(found.values()))["target"]
    figure, axes = canvas(rows=len(found) + 1, columns=4, width=2.3, height=2.3)
    for i in range(4):
        axes[0, i].imshow(target[i], origin="lower", extent=(-4, 4, -4, 4), cmap="magma")
        axes[0, i].set_title(f"$U_{i + 1}$")
        for row, (k, arrays) in zip(axes[1:], found.items(), strict=True):
            z = arrays["samples"][i]
            counts, _, _ = np.histogram2d(z[:, 1], z[:, 0], bins=50, range=[(-4, 4), (-4, 4)])
            row[i].imshow(counts, origin="lower", extent=(-4, 4, -4, 4), cmap="magma")
            row[0].set_ylabel(f"K = {k}")
    axes[0, 0].set_ylabel("target")
    for ax in axes.flat:
        ax.set_xticks([])
        ax.set_yticks([])
        ax.grid(False)
    return figure


def divergence(data: PaperData) -> Canvas | None:
    known = lengths(data)
    if data.series("kl/U1", experiment="potentials-length*").empty:
        return None
    figure, axes = canvas(rows=2, columns=4, width=3.2, height=3.4)
    for i in range(4):
        for k, colour in zip(known, PALETTE, strict=False):
            found = data.series(f"kl/U{i + 1}", experiment=f"potentials-length{k}")
            for estimator, rows in found.groupby("estimator"):
                own = estimator == "pathwise"
                dash = "-" if own else line_style(str(estimator))["linestyle"]
                name = f"K = {k}" if own else f"K = {k}, {readable(str(estimator))}"
                style = {"color": colour, "linestyle": dash}
                band(
                    axes[0, i],
                    rows,
                    "step",
                    "value",
                    estimator=str(estimator),
                    name=name,
                    geometric=True,
                    **style,
                )
            bound = data.series(f"bound/U{i + 1}", experiment=f"potentials-length{k}", estimator="pathwise")
            last = bound.sort_values("step").groupby("seed").tail(1)
            if not last.empty:
                mean, low, high = interval(last["value"].to_numpy(float))
                axes[1, i].errorbar(
                    k, mean, [[mean - low], [high - mean]], fmt="o", color=PALETTE[0], capsize=3
                )
        floor = data.series(f"log_normaliser/U{i + 1}", experiment="potentials-length*")["value"]
        if not floor.empty:
            axes[1, i].axhline(
                -floor.iloc[0], color=PALETTE[7], linestyle="--", linewidth=1, label="−log Z, with wall"
            )
        if i + 1 in FIG3D:
            shown = {"markerfacecolor": "none", "markeredgecolor": PALETTE[1], "markersize": 6}
            axes[1, i].plot(
                list(FIG3D[i + 1]), list(FIG3D[i + 1].values()), "o", label="paper (by eye)", **shown
            )
        axes[0, i].set_yscale("log")
        axes[1, i].set_xscale("log")
        axes[1, i].set_xticks([2, 8, 32], labels=["2", "8", "32"])
        axes[1, i].minorticks_off()
        label(axes[0, i], x="step", y="KL to the target", y_unit="nats", title=f"$U_{i + 1}$")
        label(axes[1, i], x="length K", y="bound", y_unit="nats")
    legend(axes[0, 0], columns=1)
    legend(axes[1, 0], columns=1)
    return figure


FIGURES = [
    Figure(
        "samples",
        "Four potentials and what planar flows make of them (Fig 3)",
        "Targets, walled off beyond |z₁| = 4, and 2,000 samples of fitted flows of length K; one seed.",
        samples,
        ("potentials-length*",),
    ),
    Figure(
        "divergence",
        "Divergence by length (Fig 3)",
        "KL of the flow from the normalised target along training, geometric mean over seeds with a 95 % band, and the "
        "bound E[log q + U] at the end, never below −log Z. Only U₁ is proper without our wall; on U₂ to U₄ "
        "the paper's bounds have no absolute meaning.",
        divergence,
        ("potentials-length*",),
    ),
]
