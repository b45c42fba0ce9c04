"""From a results tree to evidence: everything that is on disk, judged by every claim.

A selection on the command line limits what runs, never what is shown: every cell folder whose spec hash is
the one the plan gives counts, with all seeds in it. Folders of other specs are listed as leftover and do
not count.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from reparam.cells.files import write_json
from reparam.evidence import ledger, tables
from reparam.evidence.claims import Claim, load_checked
from reparam.evidence.comparisons import compare
from reparam.evidence.history import CellResults, PlannedCell, cell_folders, check_format, read_cell
from reparam.evidence.oracles import oracle_rows
from reparam.evidence.quantities import Results
from reparam.evidence.verdicts import Verdict, judge

LEDGER = Path("tables") / "rules.json"


@dataclass(frozen=True)
class PaperPlan:
    """What evidence is told of a paper: its claims.yaml, and its unrestricted plan at every scale."""

    key: str
    claims: Path
    cells: Mapping[str, Sequence[PlannedCell]]


@dataclass(frozen=True)
class Evidence:
    """The tables (columns: docs/architecture.md) and the ledger of rules to keep beside them."""

    scale: str
    cells: pd.DataFrame
    metrics: pd.DataFrame
    claims: pd.DataFrame
    comparisons: pd.DataFrame
    coverage: pd.DataFrame
    choices: pd.DataFrame
    leftover: pd.DataFrame
    oracles: pd.DataFrame
    rules: ledger.Ledger


@dataclass(frozen=True)
class _Judged:
    source: str
    scale: str
    cells: list[CellResults]
    verdicts: list[Verdict]
    rules: ledger.Ledger
    leftover: list[Path]
    oracles: list[dict[str, Any]]


def build(scale: str, results: Path, papers: Sequence[PaperPlan], reference: Path | None = None) -> Evidence:
    """Read and judge `<results>/<scale>/`, and beside it every scale kept under `reference`.

    Raises ReparamError: a claims.yaml that is wrong or names what does not exist, results of another
    format, a corrupt history.
    """
    claims = {paper.key: load_checked(paper.claims, paper.key, paper.cells) for paper in papers}
    judged = [_judge("run", results, scale, papers, claims)]
    if reference is not None and reference.is_dir():
        for kept in sorted(folder.name for folder in reference.iterdir() if folder.is_dir()):
            judged.append(_judge("reference", reference, kept, papers, claims))
    return Evidence(
        scale=scale,
        cells=tables.frame("cells", (row for j in judged for row in tables.cell_rows(j.source, j.cells))),
        metrics=pd.concat([tables.metric_table(j.source, j.cells) for j in judged], ignore_index=True),
        claims=tables.frame(
            "claims",
            (
                tables.claim_row(j.source, j.scale, verdict, ledger.changed(j.rules, verdict))
                for j in judged
                for verdict in j.verdicts
            ),
        ),
        comparisons=tables.frame(
            "comparisons",
            (row for j in judged for v in j.verdicts for row in tables.comparison_rows(j.source, j.scale, v)),
        ),
        coverage=tables.frame("coverage", tables.coverage_rows(judged[0].cells)),
        choices=tables.frame(
            "choices", (row for j in judged for row in tables.choice_rows(j.source, j.cells))
        ),
        leftover=tables.frame(
            "leftover", (_leftover_row(j.source, path) for j in judged for path in j.leftover)
        ),
        oracles=tables.frame("oracles", (row for j in judged for row in j.oracles)),
        rules=judged[0].rules,
    )


def write(evidence: Evidence, folder: Path) -> None:
    """Write every table as parquet and CSV into `<results>/<scale>/tables/`, and the ledger last."""
    for name in tables.COLUMNS:
        tables.write_table(getattr(evidence, name), folder, name)
    rules = {key: list(digests) for key, digests in evidence.rules.items()}
    write_json(folder / LEDGER.name, rules)


def _judge(
    source: str,
    root: Path,
    scale: str,
    papers: Sequence[PaperPlan],
    claims: Mapping[str, tuple[Claim, ...]],
) -> _Judged:
    cells: list[CellResults] = []
    verdicts: list[Verdict] = []
    for paper in papers:
        read = [read_cell(root, cell) for cell in paper.cells.get(scale, ())]
        cells += read
        results = Results.of(read)
        compared = [[compare(claim, rule, results) for rule in claim.rules] for claim in claims[paper.key]]
        elsewhere = [_scales(claim, paper, scale) for claim in claims[paper.key]]
        verdicts += judge(claims[paper.key], compared, scale, elsewhere)
    if source == "reference":
        verdicts = [verdict for verdict in verdicts if verdict.has_data]
    known = {cell.path for cell in cells}
    leftover = [path for path in cell_folders(root, scale) if path not in known]
    for path in leftover:
        check_format(root, path)
    rules = ledger.extend(ledger.read_ledger(root / scale / LEDGER), verdicts)
    oracles = list(oracle_rows(source, root, scale))
    return _Judged(source, scale, cells, verdicts, rules, leftover, oracles)


def _scales(claim: Claim, paper: PaperPlan, scale: str) -> list[str]:
    """The scales that plan every rule which `scale` does not."""
    pairs = {name: {(c.experiment, c.estimator) for c in cells} for name, cells in paper.cells.items()}
    lacking = [rule for rule in claim.rules if not rule.matches(pairs.get(scale, ()))]
    return [name for name in pairs if all(rule.matches(pairs[name]) for rule in lacking)]


def _leftover_row(source: str, path: Path) -> dict[str, str]:
    scale, paper, experiment, estimator, cell = path.parts
    return {
        "source": source,
        "scale": scale,
        "paper": paper,
        "experiment": experiment,
        "estimator": estimator,
        "cell": cell,
    }
