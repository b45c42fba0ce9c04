"""The report: one self-contained page per scale, and its figures as files."""

import os
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from reparam.errors import OutputError
from reparam.estimators.summary import summaries
from reparam.measure.contract import moments
from reparam.report import words
from reparam.report.advice import judged
from reparam.report.choices import choices
from reparam.report.coverage import coverage_rows, totals, troubled
from reparam.report.gallery import gallery
from reparam.report.markdown import with_code
from reparam.report.oracles import oracles
from reparam.report.paper import read_paper
from reparam.report.provenance import cells, newest_result, versions
from reparam.report.scoreboard import records, scoreboard, tally, unjudged_reasons
from reparam.report.tables import is_known, read_tables


def build(
    scale: str, results: Path, reports: Path, papers: list[tuple[str, Path]], processes: int = 1
) -> Path:
    """Write `reports/<scale>/index.html` and `reports/<scale>/figures/*.{svg,png}`; return the page's path.

    `results` is the folder with `<scale>/tables/`, `papers` are (key, folder) pairs in the order of the page, which are
    drawn so many at a time as there are `processes`. Whatever is missing is said on the page. The same tables give the
    same bytes. Raises ReparamError for a table that cannot be read and OutputError for a folder that cannot be written.
    """
    tables = read_tables(results, scale)
    read = [read_paper(key, folder) for key, folder in papers]
    claims = scoreboard(tables, read, scale)
    all_cells = cells(tables, results, scale)
    coverage = coverage_rows(tables.coverage, scale)
    drawings, files = gallery(read, tables, all_cells, results, scale, processes)
    known = summaries()
    page = render(
        scale=scale,
        date=newest_result(results, scale),
        versions=versions(tables.cells),
        missing_tables=tables.missing,
        papers=read,
        overview=[(paper, tally([c for c in claims if c.paper == paper.key])) for paper in read],
        charts=[judged(paper.advice, claims) for paper in read if paper.advice],
        claims=claims,
        tally=tally(claims),
        reasons=unjudged_reasons(claims),
        choices={paper.key: choices(tables.choices, paper.key) for paper in read},
        cells=all_cells,
        anchors={cell.path: cell for cell in all_cells if cell.source == "run"},
        coverage=coverage,
        totals=totals(coverage),
        leftover=records(tables.leftover),
        troubled=troubled(tables.cells),
        drawings=drawings,
        estimators=known,
        known_estimators={entry.name for entry in known},
        oracles=oracles(tables.oracles, scale),
        bound=moments.BOUND,
        level=moments.LEVEL,
        family=moments.FAMILY,
        shrink=moments.SHRINK,
    )
    return _write(reports / scale, page, files)


def render(**context: Any) -> str:
    """The page's HTML. Everything that comes from tables or folders is escaped."""
    environment = Environment(
        loader=PackageLoader("reparam.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        {name: getattr(words, name) for name in ("number", "count", "percent", "interval", "chip")}
    )
    environment.filters["with_code"] = with_code
    environment.tests["known"] = is_known
    environment.globals.update(words=words, raw=Markup)
    return environment.get_template("page.html").render(**context)


def _write(folder: Path, page: str, files: dict[str, bytes]) -> Path:
    """Figures first, the page last, each moved into place when it is whole; figures of an earlier page go."""
    try:
        (folder / "figures").mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            _replace(folder / "figures" / name, content)
        for path in (folder / "figures").iterdir():
            if path.suffix in {".svg", ".png"} and path.name not in files:
                path.unlink()
        _replace(folder / "index.html", page.encode())
    except OSError as error:
        raise OutputError(f"{folder}: the report cannot be written ({error.strerror})") from error
    return folder / "index.html"


def _replace(path: Path, content: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
