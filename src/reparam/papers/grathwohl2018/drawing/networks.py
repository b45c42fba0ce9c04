"""The auto-encoders: bounds along training, for equal work, and beside the paper's tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import EngFormatter

from reparam.papers.grathwohl2018 import digitised
from reparam.report.curves import AUTO_ENCODERS, curve, floor, last, levels, panels, with_results
from reparam.report.figures import (
    INK,
    PaperData,
    band,
    canvas,
    label,
    legend,
    line_style,
    published,
    readable,
)

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
        if data.on_papers_data and (name, split) in digitised.CURVES:
            seen = [epochs * EPOCH for epochs in digitised.EPOCHS[name]]
            elbo = digitised.CURVES[name, split][estimator]
            shown = [(x, y) for x, y in zip(seen, elbo, strict=True) if x <= rows["samples_seen"].max()]
            if shown:
                published(
                    ax, *zip(*shown, strict=True), estimator=estimator, name=f"{readable(estimator)}, paper"
                )

    return panels(with_results(data, AUTO_ENCODERS, "elbo/valid", PAIR), draw)


def table(data: PaperData) -> Canvas | None:
    def draw(ax: Axes, name: str) -> None:
        frame = last(data.series("elbo/train", experiment=name), "largest")
        numbers = digitised.TABLE_1.get(name) if data.on_papers_data else None
        levels(ax, frame, x_label="highest training ELBO (nats)", paper=numbers)

    return panels(with_results(data, AUTO_ENCODERS, "elbo/train"), draw, height=3.6)


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
