"""The scoreboard of claims as plain text, for a terminal."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import Protocol

import pandas as pd
from tabulate import tabulate


class Judged(Protocol):
    """The tables that it is made of: just judged, or read back."""

    @property
    def claims(self) -> pd.DataFrame: ...
    @property
    def coverage(self) -> pd.DataFrame: ...
    @property
    def leftover(self) -> pd.DataFrame: ...


WIDTHS = {"claim": 10, "statement": 38, "verdict": 12, "ours": 24, "n": 3, "detail": 40}


def scoreboard(evidence: Judged, scale: str, papers: Collection[str] | None = None) -> str:
    """A table of claims per source and scale, of these papers or of all, then the counts: verdicts, reasons for no
    verdict, coverage (of all papers)."""
    parts, table_of_all = [], evidence.claims
    chosen = table_of_all if papers is None else table_of_all[table_of_all["paper"].isin(papers)]
    for (source, judged_at), claims in chosen.groupby(["source", "scale"], sort=False):
        title = f"Claims at scale {judged_at}" + (
            " (kept reference results)" if source == "reference" else ""
        )
        rows = [_row(claim) for _, claim in claims.iterrows()]
        table = tabulate(
            rows, headers=list(WIDTHS), maxcolwidths=list(WIDTHS.values()), disable_numparse=True
        )
        parts += [title, table, summary(claims), ""]
    total = evidence.coverage[["planned", "done", "diverged", "failed", "missing"]].sum()
    parts.append(f"Seeds at scale {scale}: " + ", ".join(f"{n} {name}" for name, n in total.items()))
    if len(evidence.leftover):
        parts.append(f"{len(evidence.leftover)} cells of other specs are on disk and not counted")
    return "\n".join(parts)


def summary(claims: pd.DataFrame) -> str:
    """`10 claims: 4 holds (reduced), 2 undecided, 1 unjudged (unjudged: 1 visual)`"""
    counts = [f"{n} {verdict}" for verdict, n in claims["verdict"].value_counts(sort=False).items()]
    reasons = [f"{n} {reason}" for reason, n in claims["unjudged"].value_counts(sort=False).items()]
    text = f"{len(claims)} claims: {', '.join(counts)}"
    return f"{text} (unjudged: {', '.join(reasons)})" if reasons else text


def _row(claim: pd.Series) -> list[str]:
    marks = [claim["detail"]] if claim["detail"] else []
    if claim["rule_changed"]:
        marks.append("rule changed after its first result")
    if not pd.isna(claim["seeds_needed"]):
        marks.append(f"{claim['seeds_needed']} seeds for 80 % power")
    n = "" if pd.isna(claim["seeds"]) else str(claim["seeds"])
    return [claim["claim"], claim["statement"], claim["verdict"], _ours(claim), n, "; ".join(marks)]


def _ours(claim: pd.Series) -> str:
    if pd.isna(claim["seeds"]):
        return ""
    text = f"{claim['estimate']:.4g}"
    if not (math.isnan(claim["estimate_low"]) or claim["estimate_low"] == claim["estimate_high"]):
        text += f" [{claim['estimate_low']:.4g}, {claim['estimate_high']:.4g}]"
    return f"{text} {claim['unit'] or ''}".strip()
