"""The toys' curves beside the paper's digitised points, and the learned control variates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import EngFormatter

from reparam.papers.grathwohl2018 import digitised
from reparam.report.figures import (
    INK,
    PALETTE,
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
    frame: pd.DataFrame,
    steps: Sequence[float],
    points: Mapping[str, Sequence[float]],
) -> bool:
    """Every estimator's band, and the paper's points that lie within our run; False when there are no results."""
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
    drawn = curves(
        loss, data.series("expectation", experiment="toy"), digitised.TOY_STEPS, digitised.TOY_LOSS
    )
    spread = data.series("variance/bits", experiment="toy")
    with np.errstate(divide="ignore"):
        spread = spread.assign(value=np.log(spread["value"]))  # −∞ where all draws were 0
    drawn |= curves(variance, spread, digitised.TOY_LOG_VARIANCE_STEPS, digitised.TOY_LOG_VARIANCE)
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
    losses = data.series("expectation", experiment="toy-companion")
    drawn = curves(ax, losses, digitised.COMPANION_STEPS, digitised.COMPANION_LOSS)
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
