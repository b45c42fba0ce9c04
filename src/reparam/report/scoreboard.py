"""The rows of the scoreboard: each claim with the paper's numbers, ours, the verdict and what stands behind
it."""

import json
import re
from dataclasses import dataclass
from math import isfinite
from typing import Any

import pandas as pd

from reparam.evidence import claims
from reparam.evidence.tables import COLUMNS
from reparam.report import words
from reparam.report.paper import Paper
from reparam.report.tables import Tables, as_json, is_known

NUMBER = ("what", "value", "unit", "tag", "tolerance", "tolerance_means")  # a paper's number in claims.yaml


@dataclass(frozen=True)
class Claim:
    """One claim as the page shows it. `row` is its row of the claims table (empty when it was never
    judged), `comparisons` and `earlier` (the same claim on the project's reference results) are rows too;
    `used` are the paths of the cells behind it, from the root of the run's results."""

    paper: str
    claim: str
    where: str
    statement: str
    verdict: str
    rules: list[str]
    numbers: list[dict[str, Any]]
    row: dict[str, Any]
    comparisons: list[dict[str, Any]]
    earlier: list[dict[str, Any]]
    used: list[str]
    stale: bool
    """Whether the verdict was reached by another rule than the one claims.yaml states now."""

    @property
    def anchor(self) -> str:
        """The claim's id in the page."""
        return re.sub(r"[^\w.-]+", "-", f"claim-{self.paper}-{self.claim}")

    @property
    def effect(self) -> Any:
        """The effect; None where the claim has none to show (a judged claim without a number keeps its
        NaN)."""
        value: Any = self.row["effect"]
        return None if self.verdict in {"unjudged", "not run"} and not is_known(value) else value

    @property
    def order(self) -> float | str:
        """What sorting by effect uses; empty sorts last."""
        value: Any = self.effect
        return float(value) if is_known(value) else ""

    @property
    def query(self) -> str:
        """The pandas query that finds the claim's row."""
        return f"claims.query({f'claim == {self.claim!r}'!r})"

    @property
    def whisker(self) -> dict[str, float] | None:
        """Effect and interval on an axis from 0 to 100 with zero in view; None without a finite interval."""
        ends: list[Any] = [self.row[key] for key in ("low", "effect", "high")]
        if not all(is_known(end) and isfinite(end) for end in ends):
            return None
        low, effect, high = map(float, ends)
        left, right = min(low, 0.0), max(high, 0.0)
        span = (right - left) or 1.0

        def place(value: float) -> float:
            return round(6 + 88 * (value - left) / span, 2)

        return {"zero": place(0.0), "low": place(low), "effect": place(effect), "high": place(high)}


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def scoreboard(tables: Tables, papers: list[Paper], scale: str) -> list[Claim]:
    """Every claim that the papers state or the table holds: the papers' order first, then what only the
    table knows."""
    found = {
        (row["paper"], row["claim"]): row
        for row in records(
            tables.claims[(tables.claims["source"] == "run") & (tables.claims["scale"] == scale)]
        )
    }
    stated = {(paper.key, claim.id): claim for paper in papers for claim in paper.claims}
    keys = [*stated, *(key for key in found if key not in stated)]
    return [_entry(key, stated.get(key), found.get(key, {}), tables, scale) for key in keys]


def _entry(
    key: tuple[str, str], stated: claims.Claim | None, row: dict[str, Any], tables: Tables, scale: str
) -> Claim:
    if not row and stated:
        row = {"where": stated.where, "statement": stated.statement, "reason": stated.reason}
        row |= {"unjudged": stated.unjudged, "verdict": "unjudged" if stated.unjudged else "not run"}
        row["paper_numbers"] = json.dumps(stated.numbers)
    row = dict.fromkeys(COLUMNS["claims"]) | row
    return Claim(
        paper=key[0],
        claim=key[1],
        where=str(row["where"]),
        statement=str(row["statement"]),
        verdict=str(row["verdict"]),
        rules=[words.rule(rule) for rule in stated.rules] if stated else [],
        numbers=[dict.fromkeys(NUMBER) | number for number in as_json(row["paper_numbers"]) or []],
        row=row,
        comparisons=records(_of(tables.comparisons, key, "run", scale)),
        earlier=records(_of(tables.claims, key, "reference", None)),
        used=as_json(row["evidence"]) or [],
        stale=bool(stated and is_known(row["rule_digest"]) and row["rule_digest"] != stated.digest),
    )


def _of(frame: pd.DataFrame, key: tuple[str, str], source: str, scale: str | None) -> pd.DataFrame:
    paper, claim = key
    chosen = frame[(frame["paper"] == paper) & (frame["claim"] == claim) & (frame["source"] == source)]
    return chosen if scale is None else chosen[chosen["scale"] == scale]


def tally(board: list[Claim]) -> list[tuple[str, int]]:
    """How many claims have each verdict, in the vocabulary's order; verdicts nobody has are left out."""
    counts = pd.Series([claim.verdict for claim in board], dtype=object).value_counts()
    order = [*words.VERDICTS, *(verdict for verdict in counts.index if verdict not in words.VERDICTS)]
    return [(verdict, int(counts[verdict])) for verdict in order if verdict in counts]


def unjudged_reasons(board: list[Claim]) -> list[tuple[str, int]]:
    """How many claims are unjudged for each of the allowed reasons (all are listed)."""
    reasons = [str(claim.row.get("unjudged")) for claim in board if claim.verdict == "unjudged"]
    names = [*words.REASONS, *sorted(set(reasons) - set(words.REASONS))]
    return [(words.REASONS.get(name, name), reasons.count(name)) for name in names]
