"""The rows of the scoreboard: each claim with the paper's numbers, ours, the verdict and what stands behind it."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

from reparam.report import words
from reparam.report.paper import Paper
from reparam.report.tables import COLUMNS, Tables, as_json, is_known

NUMBER = ("what", "value", "unit", "tag", "tolerance", "tolerance_means")  # a paper's number in claims.yaml


@dataclass(frozen=True)
class Claim:
    """One claim as the page shows it. `row` is its row of the claims table (empty when it was never judged),
    `comparisons` and `earlier` (the same claim on the project's reference results) are rows too; `used` are the paths
    of the cells behind it, from the root of the run's results."""

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

    @property
    def effect(self) -> Any:
        """The effect; None where the claim has none to show (a judged claim without a number keeps its NaN)."""
        value = self.row.get("effect")
        return None if self.verdict in {"unjudged", "not run"} and not is_known(value) else value

    @property
    def order(self) -> float | str:
        """What sorting by effect uses; empty sorts last."""
        return float(self.effect) if is_known(self.effect) else ""

    @property
    def query(self) -> str:
        """The pandas query that finds the claim's row."""
        return f"claims.query({f'claim == {self.claim!r}'!r})"

    @property
    def whisker(self) -> dict[str, float] | None:
        """Effect and interval on an axis from 0 to 100 with zero in view; None without a finite interval."""
        ends = [self.row.get(key) for key in ("low", "effect", "high")]
        if not all(is_known(end) and abs(float(end)) != float("inf") for end in ends):
            return None
        low, effect, high = (float(end) for end in ends if end is not None)
        left, right = min(low, 0.0), max(high, 0.0)
        span = (right - left) or 1.0

        def place(value: float) -> float:
            return round(6 + 88 * (value - left) / span, 2)

        return {"zero": place(0.0), "low": place(low), "effect": place(effect), "high": place(high)}


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in frame.to_dict("records")]


def scoreboard(tables: Tables, papers: list[Paper], scale: str) -> list[Claim]:
    """Every claim that the papers state or the table holds: the papers' order first, then what only the table knows."""
    found = {
        (row["paper"], row["claim"]): row
        for row in records(tables.claims[(tables.claims["source"] == "run") & (tables.claims["scale"] == scale)])
    }
    stated = {(paper.key, claim): entry for paper in papers for claim, entry in paper.claims.items()}
    keys = [*stated, *(key for key in found if key not in stated)]
    return [_claim(key, stated.get(key, {}), found.get(key, {}), tables, scale) for key in keys]


def _claim(
    key: tuple[str, str], entry: dict[str, Any], row: dict[str, Any], tables: Tables, scale: str
) -> Claim:
    paper, claim = key
    unjudged = entry.get("unjudged") if not row else row.get("unjudged")
    waiting = {"verdict": "unjudged" if unjudged else "not run", "unjudged": unjudged, "reason": entry.get("reason")}
    row = dict.fromkeys(COLUMNS["claims"].split()) | (row or waiting)
    numbers = as_json(row.get("paper_numbers")) or entry.get("numbers") or []
    return Claim(
        paper=paper,
        claim=claim,
        where=str(row.get("where") or entry.get("where", "")),
        statement=str(row.get("statement") or entry.get("statement", "")),
        verdict=str(row["verdict"]),
        rules=[words.rule(rule) for rule in entry.get("rules") or []],
        numbers=[dict.fromkeys(NUMBER) | number for number in numbers],
        row=row,
        comparisons=records(_of(tables.comparisons, key, "run", scale)),
        earlier=records(_of(tables.claims, key, "reference", None)),
        used=as_json(row.get("evidence")) or [],
    )


def _of(frame: pd.DataFrame, key: tuple[str, str], source: str, scale: str | None) -> pd.DataFrame:
    paper, claim = key
    chosen = frame[(frame["paper"] == paper) & (frame["claim"] == claim) & (frame["source"] == source)]
    return chosen if scale is None else chosen[chosen["scale"] == scale]


def tally(claims: list[Claim]) -> list[tuple[str, int]]:
    """How many claims have each verdict, in the vocabulary's order; verdicts nobody has are left out."""
    counts = pd.Series([claim.verdict for claim in claims], dtype=object).value_counts()
    order = [*words.VERDICTS, *(verdict for verdict in counts.index if verdict not in words.VERDICTS)]
    return [(verdict, int(counts[verdict])) for verdict in order if verdict in counts]


def unjudged_reasons(claims: list[Claim]) -> list[tuple[str, int]]:
    """How many claims are unjudged for each of the allowed reasons (all four are listed)."""
    reasons = [str(claim.row.get("unjudged")) for claim in claims if claim.verdict == "unjudged"]
    names = [*words.REASONS, *sorted(set(reasons) - set(words.REASONS))]
    return [(words.REASONS.get(name, name), reasons.count(name)) for name in names]
