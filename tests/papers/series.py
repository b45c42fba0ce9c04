"""Results in which no two numbers are alike, and which of them a figure has drawn."""

from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from typing import Any, NamedTuple
from zlib import crc32

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.category import StrCategoryLocator
from matplotlib.collections import PathCollection
from matplotlib.container import BarContainer
from matplotlib.ticker import FixedLocator

from reparam.plan import experiments
from reparam.report.figures import SERIES, PaperData

NEWCOMER = "newcomer_5"
"""An estimator of somebody's own, with a number of samples, which some labels have."""
STEPS = 3
CHOSEN = {"dong2020": {"target": 0.1, "constant": 0.0}, "yin2019": {"target": 0.1}}
"""Metrics by which figures on one bit choose the rows that they show."""


def own(*names: Any) -> float:
    """A number between 0.2 and 0.8 that belongs to these names."""
    return 0.2 + 0.6 * crc32(repr(names).encode()) / 2**32


class Source(NamedTuple):
    metric: str
    experiment: str
    estimators: frozenset[str]


@cache
def planned(paper: str) -> set[tuple[str, str]]:
    """(experiment, estimator) of the cells."""
    return {(c.experiment, c.estimator) for e in experiments.expand(paper, "quick") for c in e.cells}


class Marked(PaperData):
    """One seed and three steps of whatever is asked for, of every estimator of a paper's cells and of `others`."""

    def __init__(self, paper: str, *others: str) -> None:
        pairs = sorted({(e, label) for e, m in planned(paper) for label in (m, *others)})
        rows = [(e, m, "cell", 0, 0, "metric", 1.0) for e, m in pairs]
        frame = pd.DataFrame(rows, columns=[*SERIES, "metric", "value"])
        super().__init__("quick", frame, frame, lambda *_: {})
        self.__dict__.update(sources={}, along={}, pairs=pairs, chosen=CHOSEN.get(paper, {}))

    def matching(self, experiment: str, estimator: str) -> list[tuple[str, str]]:
        return [(e, m) for e, m in self.pairs if fnmatchcase(e, experiment) and fnmatchcase(m, estimator)]

    def series(
        self, metric: str, *, experiment: str = "*", estimator: str = "*", x: str = "step"
    ) -> pd.DataFrame:
        pairs = self.matching(experiment, estimator)
        rows = [(e, m, "cell", 0, step, own(e, m, metric, step)) for e, m in pairs for step in range(STEPS)]
        for e in {e for e, _ in pairs}:
            table = {m: [row[-1] for row in rows if row[:2] == (e, m)] for each, m in pairs if each == e}
            for m, values in table.items():
                for value in (*values, np.mean(values)):
                    self.keep(value, Source(metric, e, frozenset({m})))
            for value in np.mean(list(table.values()), axis=0):
                self.keep(value, Source(metric, e, frozenset(table)))
        frame = pd.DataFrame(rows, columns=[*SERIES, "value"])
        return frame if x == "step" else self.beside(frame, x)

    def keep(self, value: float, source: Source) -> None:
        """The number itself, and in per cent."""
        self.sources[round(float(value), 9)] = source
        self.sources[round(100 * float(value), 9)] = source._replace(metric=f"{source.metric} in per cent")

    def beside(self, rows: pd.DataFrame, metric: str) -> pd.DataFrame:
        if metric in self.chosen:
            return rows.assign(**{metric: self.chosen[metric]})
        self.along[round(own(metric), 9)] = metric
        return rows.assign(**{metric: rows["step"] + own(metric)})

    def wildcards(self, metric: str, *, experiment: str) -> list[str]:
        return sorted({m for _, m in self.matching(experiment, "*")})

    def source(self, values: np.ndarray) -> tuple[str, frozenset[str], frozenset[str]] | None:
        """(metric, experiments, estimators) that all of these are of."""
        found = [self.sources.get(round(float(value), 9)) for value in values]
        if None in found or len({source.metric for source in found}) != 1:
            return None
        estimators = frozenset().union(*(source.estimators for source in found))
        return found[0].metric, frozenset(source.experiment for source in found), estimators

    def metric_along(self, values: np.ndarray) -> str:
        if len(values) > 1 and set(values) <= set(range(STEPS)):
            return "step"
        found = {self.along.get(round(float(value) % 1, 9)) for value in values}
        return (found.pop() or "") if len(found) == 1 else ""


class Drawn(NamedTuple):
    """A line, a row of points, bars or a map: whose numbers it shows against which metric, and how it looks."""

    metric: str
    experiments: frozenset[str]
    estimators: frozenset[str]
    x: str
    label: str
    colour: Any


def drawn(ax: Axes, data: Marked) -> Iterator[Drawn]:
    """Whatever in a panel is rows of one series; numbers computed from several are none."""
    named = (
        dict(zip(ax.get_yticks(), (text.get_text() for text in ax.get_yticklabels()), strict=True))
        if rows(ax)
        else {}
    )
    for x, y, text, colour in shown(ax):
        for values, others, across in ((y, x, False), (x, y, True)):
            finite = np.isfinite(values)
            found = data.source(values[finite]) if finite.any() else None
            if found:
                name = named.get(others[0], "") if across else text
                along = "" if across else data.metric_along(others[finite])
                yield Drawn(*found, along, name, colour)
                break


def rows(ax: Axes) -> bool:
    """Whether what is drawn stands in rows with names."""
    return isinstance(ax.yaxis.get_major_locator(), (FixedLocator, StrCategoryLocator))


def shown(ax: Axes) -> Iterator[tuple[np.ndarray, np.ndarray, str, Any]]:
    """(x, y, label, colour) of lines, bars, and scattered points by their colour's number."""
    for line in ax.lines:
        yield (
            *numbers(line.get_xdata(orig=False), line.get_ydata(orig=False)),
            line.get_label(),
            line.get_color(),
        )
    for bars in ax.containers:
        for bar in bars.patches if isinstance(bars, BarContainer) else ():
            middle = bar.get_x() + bar.get_width() / 2, bar.get_y() + bar.get_height() / 2
            yield (*numbers([middle[0]], [bar.get_height()]), bars.get_label(), bar.get_facecolor())
            yield (*numbers([bar.get_width()], [middle[1]]), bars.get_label(), bar.get_facecolor())
    for dots in ax.collections:
        if isinstance(dots, PathCollection) and dots.get_array() is not None:
            yield (*numbers(dots.get_offsets()[:, 0], dots.get_array()), dots.get_label(), None)


def numbers(*columns: Any) -> list[np.ndarray]:
    return [np.asarray(column, dtype=float) for column in columns]
