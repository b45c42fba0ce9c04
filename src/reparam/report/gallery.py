"""The papers' figures, drawn once from the reader's own run and once from each reference that is there."""

import hashlib
import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from reparam.report import svg
from reparam.report.figures import Figure, PaperData
from reparam.report.paper import Paper
from reparam.report.processes import each
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


class Picture(NamedTuple):
    """What became of drawing a figure: markup of some kind, its files by name, or the error."""

    kind: str
    markup: str
    files: dict[str, bytes]
    error: str


def gallery(
    papers: Sequence[Paper], tables: Tables, cells: list[Cell], results: Path, scale: str, processes: int
) -> tuple[dict[str, list[Drawing]], dict[str, bytes]]:
    """The drawings of each paper in its own order, and the files (name → content) of all for use elsewhere.

    So many papers are drawn at a time.
    """

    def origins(paper: Paper) -> list[tuple[str, str]]:
        references = sorted(
            {cell.scale for cell in cells if cell.source == "reference" and cell.paper == paper.key}
        )
        return [("run", scale), *(("reference", earlier) for earlier in references)]

    def pictures(paper: Paper) -> list[Picture]:
        data = {origin: paper_data(tables, paper.key, *origin, results) for origin in origins(paper)}
        return [_draw(figure, paper.key, data[o], o) for figure in paper.figures for o in data]

    drawings: dict[str, list[Drawing]] = {}
    files: dict[str, bytes] = {}
    for paper, drawn in zip(papers, each(pictures, papers, processes), strict=True):
        drawings[paper.key] = []
        wanted = [(figure, origin) for figure in paper.figures for origin in origins(paper)]
        for (figure, origin), picture in zip(wanted, drawn, strict=True):
            if picture.markup or picture.error or origin[0] == "run":
                drawings[paper.key].append(_drawing(figure, paper.key, picture, origin, tables, cells))
                files |= picture.files
    return drawings, files


def _draw(figure: Figure, paper: str, data: PaperData, origin: tuple[str, str]) -> Picture:
    source, scale = origin
    stem = f"{paper}-{figure.name}" + ("" if source == "run" else f"-reference-{scale}")
    stem = re.sub(r"[^\w.-]+", "-", stem)
    try:
        with theme():
            canvas = figure.draw(data)
            if canvas is None:
                return Picture("", "", {}, "")
            canvas.draw_without_rendering()  # lays the figure out once, for all its files
            canvas.set_layout_engine("none")
            prefix = "f" + hashlib.sha256(stem.encode()).hexdigest()[:8]
            kind, markup = svg.inline(canvas, prefix, f"{figure.title}. {figure.caption}")
            files = {
                f"{stem}.svg": svg.as_svg(canvas, stem, "path"),
                f"{stem}.png": svg.as_png(canvas, 200),
            }
            return Picture(kind, markup, files, "")
    except (
        Exception
    ) as fault:  # one figure's fault must not take the page with it; it is said there and in the log
        log.warning("figure %s of %s cannot be drawn", figure.name, paper, exc_info=True)
        return Picture("", "", {}, f"{type(fault).__name__}: {fault}")


def _drawing(
    figure: Figure,
    paper: str,
    picture: Picture,
    origin: tuple[str, str],
    tables: Tables,
    cells: list[Cell],
) -> Drawing:
    source, scale = origin
    return Drawing(
        figure=figure,
        source=source,
        scale=scale,
        kind=picture.kind,
        markup=picture.markup,
        files=sorted(picture.files),
        cells=[
            c for c in cells if (c.source, c.scale, c.paper) == (*origin, paper) and figure.uses(c.experiment)
        ],
        missing=_missing(figure, paper, tables, scale) if source == "run" else [],
        error=picture.error,
    )


def _missing(figure: Figure, paper: str, tables: Tables, scale: str) -> list[str]:
    """The planned cells of the figure's experiments that have seeds missing or failed."""
    planned = tables.coverage[(tables.coverage["paper"] == paper) & (tables.coverage["scale"] == scale)]
    return [
        f"{row['experiment']} / {row['estimator']}"
        for row in records(planned)
        if figure.uses(row["experiment"]) and (row["missing"] or row["failed"])
    ]
