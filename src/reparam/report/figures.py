"""What a paper's `figures.py` is made of.

```python
from reparam.report.figures import Figure, PaperData, band, canvas, label

def bound(data: PaperData):
    frame = data.series("elbo/test", experiment="fig2-*", x="samples_seen")
    if frame.empty:
        return None
    figure, axes = canvas()
    ...
    return figure

FIGURES = [Figure("bound", "Bound against samples seen", "What to look for.", bound, experiments=("fig2-*",))]
```
"""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure as Canvas

from reparam.errors import ReparamError
from reparam.report.style import (
    INK,
    PALETTE,
    band,
    canvas,
    curves,
    interval,
    label,
    legend,
    line_style,
    pictures,
    published,
    readable,
    row_names,
    spread,
    write,
)

__all__ = [
    "INK",
    "PALETTE",
    "Figure",
    "PaperData",
    "band",
    "canvas",
    "curves",
    "interval",
    "label",
    "legend",
    "line_style",
    "load_figures",
    "pictures",
    "published",
    "readable",
    "row_names",
    "spread",
    "write",
]

SERIES = ["experiment", "estimator", "cell", "seed", "step"]
PAPER_DATA = ("standard", "paper")
"""The scales that train on the papers' data; the others run digits, beside which a paper's levels mean nothing."""


@dataclass(frozen=True)
class PaperData:
    """One paper's results at one scale, from one source (the reader's run, or the project's reference).

    `metrics` and `cells` are the tables of that name (docs/architecture.md), limited to the paper, scale
    and source. `arrays(experiment, estimator, seed)` gives the arrays a seed kept for pictures; empty when
    it kept none.
    """

    scale: str
    metrics: pd.DataFrame
    cells: pd.DataFrame
    arrays: Callable[[str, str, int], dict[str, np.ndarray]]

    @property
    def on_papers_data(self) -> bool:
        """Whether a paper's levels on MNIST, Omniglot or Frey Face may stand beside these results."""
        return self.scale in PAPER_DATA

    def series(
        self, metric: str, *, experiment: str = "*", estimator: str = "*", x: str = "step"
    ) -> pd.DataFrame:
        """Rows of one metric: experiment, estimator, cell, seed, step, value, and `x` (another metric of
        the same row, such as `samples_seen`; or `seconds`, steps times the mean time of one, measurements not
        included: processor time on a CPU). Globs choose experiments and estimators; no match gives an empty frame."""
        table = self.metrics
        chosen = pd.Series(True, table.index)
        for column, glob in (("experiment", experiment), ("estimator", estimator)):
            matching = [name for name in table[column].unique() if fnmatchcase(name, glob)]
            chosen &= table[column].isin(matching)
        table = table[chosen]
        rows = table.loc[table["metric"] == metric, [*SERIES, "value"]]
        if x == "seconds":
            cells = self.cells.reindex(columns=[*SERIES[:4], "step_seconds"])
            rows = rows.merge(cells, on=SERIES[:4], how="inner", validate="many_to_one")
            rows[x] = rows["step"] * rows["step_seconds"].astype("float64")
        elif x != "step":
            rows = self.beside(rows, x)
        return rows.sort_values(SERIES, ignore_index=True)

    def beside(self, rows: pd.DataFrame, metric: str) -> pd.DataFrame:
        """The rows of a series that have another metric as well, and that as a column of its name."""
        along = self.metrics.loc[self.metrics["metric"] == metric, [*SERIES, "value"]]
        along = along.rename(columns={"value": metric})
        return rows.merge(along, on=SERIES, how="inner", validate="one_to_one")

    def wildcards(self, metric: str, *, experiment: str) -> list[str]:
        """What the one `*` in a metric's name stands for, among the metrics of an experiment (a glob)."""
        before, after = metric.split("*")
        pairs = self.metrics[["experiment", "metric"]].drop_duplicates()
        names = [m for e, m in pairs.itertuples(index=False) if fnmatchcase(e, experiment)]
        found = {
            n for n in names if n.startswith(before) and n.endswith(after) and len(n) > len(before + after)
        }
        return sorted(n.removeprefix(before).removesuffix(after) for n in found)


@dataclass(frozen=True)
class Figure:
    """One figure of a paper. `draw` returns None when there is nothing to draw yet.

    `experiments` are globs of the experiments it uses: the page names their cells as the figure's
    provenance, and says which of them are missing.
    """

    name: str
    title: str
    caption: str
    draw: Callable[[PaperData], Canvas | None]
    experiments: tuple[str, ...] = ("*",)

    def uses(self, experiment: str) -> bool:
        return any(fnmatchcase(experiment, glob) for glob in self.experiments)


def load_figures(folder: Path) -> list[Figure]:
    """The `FIGURES` of a paper's folder; none when it has no `figures.py`."""
    path = folder / "figures.py"
    if not path.is_file():
        return []
    spec = importlib.util.spec_from_file_location(f"reparam_figures_{folder.name}", path)
    if spec is None or spec.loader is None:
        raise ReparamError(f"{path}: cannot be loaded as a Python module")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    figures = list(getattr(module, "FIGURES", []))
    names = [figure.name for figure in figures]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ReparamError(f"{path}: two figures are named {twice[0]!r}; give each its own name")
    return figures
