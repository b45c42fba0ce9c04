"""A paper's figures, drawn once from the reader's own run and once from each reference that is there."""

import hashlib
import logging
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from reparam.report import svg
from reparam.report.figures import Figure, PaperData
from reparam.report.paper import Paper
from reparam.report.provenance import Cell
from reparam.report.scoreboard import records
from reparam.report.style import theme
from reparam.report.tables import Tables, source_root

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Drawing:
    """A figure on the page: its markup, or why there is none, and the cells behind it."""

    figure: Figure
    source: str
    scale: str
    kind: str
    markup: str
    files: list[str]
    cells: list[Cell]
    missing: list[str]
    error: str


def paper_data(tables: Tables, paper: str, source: str, scale: str, results: Path) -> PaperData:
    """The part of the tables that a paper's figures may see."""

    def own(frame: pd.DataFrame) -> pd.DataFrame:
        chosen = (frame["paper"] == paper) & (frame["source"] == source) & (frame["scale"] == scale)
        return frame[chosen].reset_index(drop=True)

    cells = own(tables.cells)

    def arrays(experiment: str, estimator: str, seed: int) -> dict[str, np.ndarray]:
        match = (
            (cells["experiment"] == experiment) & (cells["estimator"] == estimator) & (cells["seed"] == seed)
        )
        for cell in cells.loc[match, "cell"]:
            folder = results / source_root(source) / scale / paper / experiment / estimator / str(cell)
            path = folder / f"seed-{seed}.npz"
            if path.is_file():
                with np.load(path) as archive:
                    return dict(archive)
        return {}

    return PaperData(scale, own(tables.metrics), cells, arrays)


def gallery(
    paper: Paper, tables: Tables, cells: list[Cell], results: Path, scale: str
) -> tuple[list[Drawing], dict[str, bytes]]:
    """The drawings of a paper in its own order, and the files (name → content) of each for use elsewhere."""
    references = sorted(
        {cell.scale for cell in cells if cell.source == "reference" and cell.paper == paper.key}
    )
    sources = [("run", scale), *(("reference", earlier) for earlier in references)]
    data = {origin: paper_data(tables, paper.key, *origin, results) for origin in sources}
    drawings, files = [], {}
    for figure in paper.figures:
        for origin in sources:
            drawing, own = _draw(figure, paper.key, data[origin], origin, tables, cells)
            if drawing.markup or origin[0] == "run":
                drawings.append(drawing)
                files.update(own)
    return drawings, files


def _draw(
    figure: Figure, paper: str, data: PaperData, origin: tuple[str, str], tables: Tables, cells: list[Cell]
) -> tuple[Drawing, dict[str, bytes]]:
    source, scale = origin
    stem = f"{paper}-{figure.name}" + ("" if source == "run" else f"-reference-{scale}")
    stem = re.sub(r"[^\w.-]+", "-", stem)
    kind, markup, error, files = "", "", "", {}
    try:
        with theme():
            canvas = figure.draw(data)
            if canvas is not None:
                canvas.draw_without_rendering()  # lays the figure out once, for all its files
                canvas.set_layout_engine("none")
                prefix = "f" + hashlib.sha256(stem.encode()).hexdigest()[:8]
                kind, markup = svg.inline(canvas, prefix, f"{figure.title}. {figure.caption}")
                files = {
                    f"{stem}.svg": svg.as_svg(canvas, stem, "path"),
                    f"{stem}.png": svg.as_png(canvas, 200),
                }
    except (
        Exception
    ) as fault:  # one figure's fault must not take the page with it; it is said there and in the log
        log.warning("figure %s of %s cannot be drawn", figure.name, paper, exc_info=True)
        error = f"{type(fault).__name__}: {fault}"
    return Drawing(
        figure=figure,
        source=source,
        scale=scale,
        kind=kind,
        markup=markup,
        files=sorted(files),
        cells=[
            c for c in cells if (c.source, c.scale, c.paper) == (*origin, paper) and figure.uses(c.experiment)
        ],
        missing=_missing(figure, paper, tables, scale) if source == "run" else [],
        error=error,
    ), files


def _missing(figure: Figure, paper: str, tables: Tables, scale: str) -> list[str]:
    """The planned cells of the figure's experiments that have seeds missing or failed."""
    planned = tables.coverage[(tables.coverage["paper"] == paper) & (tables.coverage["scale"] == scale)]
    return [
        f"{row['experiment']} / {row['estimator']}"
        for row in records(planned)
        if figure.uses(row["experiment"]) and (row["missing"] or row["failed"])
    ]
