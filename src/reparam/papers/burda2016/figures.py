"""The bound against its samples, and how far log Ẑ strays."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure as Canvas

from reparam.report.figures import INK, PALETTE, Figure, PaperData, band, canvas, curves, label, legend


def seeds(data: PaperData, experiment: str) -> list[int]:
    """Seeds of an enumerated experiment."""
    cells = data.cells[(data.cells["experiment"] == experiment) & (data.cells["estimator"] == "enumeration")]
    return sorted(cells["seed"].unique())


def theorems(data: PaperData) -> Canvas | None:
    figure, axes = canvas(columns=3)
    exact, sampled, spread = axes[0]
    found = [data.arrays("bounds", "enumeration", seed) for seed in seeds(data, "bounds")]
    gaps = [arrays["gap"] for arrays in found if "gap" in arrays]
    if gaps:
        every = np.concatenate(gaps)
        every = every[np.argsort(every[:, 0])][:: max(1, len(every) // 40)]
        exact.plot(np.arange(1, every.shape[1] + 1), every.T, color=PALETTE[0], linewidth=0.8, alpha=0.6)
        exact.set_yscale("log")
    toy = data.series("gap", experiment="toy", x="samples")
    if not toy.empty:
        names = curves({"iwae": ("iwae, sampled", PALETTE[0])}, toy["estimator"])
        for estimator, (name, colour) in names.items():
            style = {"color": colour, "linestyle": "-", "marker": "o", "markersize": 4}
            rows = toy[toy["estimator"] == estimator]
            band(sampled, rows, "samples", "value", estimator=estimator, name=name, geometric=True, **style)
        last = toy[toy["estimator"] == "iwae"].groupby("samples")["value"].mean()
        line = last.iloc[-1] * last.index[-1] / last.index.to_numpy(float)
        sampled.plot(last.index, line, color=INK, linewidth=0.9, linestyle=":", label="slope −1")
        sampled.set_xscale("log", base=2)
        sampled.set_yscale("log")
    found = [data.arrays("deviations", "enumeration", seed) for seed in seeds(data, "deviations")]
    points = [(arrays["delta"].ravel(), arrays["deviation"].ravel()) for arrays in found if "delta" in arrays]
    if points:
        delta, deviation = (np.concatenate(part) for part in zip(*points, strict=True))
        spread.plot(
            delta, deviation, ".", color=PALETTE[0], markersize=3, alpha=0.5, label="random problems, all K"
        )
        line = np.linspace(0, delta.max(), 50)
        spread.plot(line, 2 + 2 * line, color=PALETTE[6], label="the bound 2 + 2δ")
        spread.set_yscale("symlog", linthresh=1)
    if not gaps and toy.empty and not points:
        return None
    label(exact, x="samples k", y="log p(x) − $L_k$", y_unit="nats", title="by enumeration")
    label(sampled, x="samples k", y="log p(x) − $L_k$", y_unit="nats per datum", title="linear-Gaussian toy")
    label(
        spread,
        x="δ = log Z − E log Ẑ",
        x_unit="nats",
        y="E |log Ẑ − E log Ẑ|",
        y_unit="nats",
        title="deviations",
    )
    for ax in axes[0]:
        legend(ax, columns=1)
    return figure


FIGURES = [
    Figure(
        "theorems",
        "Bounds of k samples, and how far log Ẑ strays (Theorem 1, App. B)",
        "Left: some of the random models with six states; every curve falls, none below zero. Middle: the value read "
        "by iwae on the toy of 20 dimensions, mean over seeds with a 95 % band. Right: one point per problem and K, "
        "far below the bound: a small gap is a reliable one, and the constant 2 is generous.",
        theorems,
        ("bounds", "toy", "deviations"),
    )
]
