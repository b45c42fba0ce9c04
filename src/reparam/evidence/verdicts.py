"""From comparisons to a verdict per claim.

All comparisons of a claim must hold (intersection–union): p for the claim is the largest of theirs. One
comparison is enough to contradict it: p against is the smallest of theirs, times their number (Bonferroni).
Within a paper both families are corrected by Holm, so that at most 5 % of papers whose claims all lie at
the boundary get any false `replicated`, and at most 5 % any false `contradicted`. Claims without a test
(only identities, or no usable seeds) are no members of the families: an identity holds or it does not.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Sequence
from dataclasses import dataclass

from statsmodels.stats.multitest import multipletests

from reparam.evidence.claims import Claim
from reparam.evidence.comparisons import Comparison, seeds_needed
from reparam.evidence.statistics import ALPHA, MOST_SEEDS

REDUCED = {"replicated": "holds (reduced)", "contradicted": "fails (reduced)"}


@dataclass(frozen=True)
class Verdict:
    """The verdict of one claim at one scale. `weakest`: the comparison the claim's row shows."""

    claim: Claim
    setting: str
    verdict: str
    weakest: Comparison | None
    comparisons: tuple[Comparison, ...]
    p_value: float
    p_adjusted: float
    seeds_needed: int | None
    detail: str

    @property
    def has_data(self) -> bool:
        return any(comparison.ran for comparison in self.comparisons)


def judge(
    claims: Sequence[Claim],
    compared: Sequence[Sequence[Sequence[Comparison]]],
    scale: str,
    elsewhere: Sequence[Sequence[str]],
) -> list[Verdict]:
    """Judge the claims of one paper at one scale.

    compared: per claim, per rule, its comparisons (none when the rule's experiments are not planned at this
    scale)
    elsewhere: per claim, the scales that plan every rule which this scale does not
    """
    flat = [[c for rule in rules for c in rule] for rules in compared]
    complete = [all(rules) and all(c.ran for c in cs) for rules, cs in zip(compared, flat, strict=True)]
    p_for = [_p_for(cs) if ok else math.nan for cs, ok in zip(flat, complete, strict=True)]
    p_against = [_p_against(cs) for cs in flat]
    tested = [any(c.rule.kind != "identity" for c in cs) for cs in flat]
    adjusted_for, adjusted_against = holm(p_for, tested), holm(p_against, tested)
    verdicts = []
    for i, claim in enumerate(claims):
        verdict, against = "undecided", False
        if claim.unjudged is not None:
            verdict = "unjudged"
        elif not any(c.ran for c in flat[i]):
            verdict = "not run"
        elif adjusted_for[i] <= ALPHA:
            verdict = "replicated"
        elif adjusted_against[i] <= ALPHA:
            verdict, against = "contradicted", True
        setting = "paper" if scale in claim.paper_setting else "reduced"
        weakest = _weakest(flat[i], against)
        verdicts.append(
            Verdict(
                claim=claim,
                setting="" if claim.unjudged else setting,
                verdict=REDUCED.get(verdict, verdict) if setting == "reduced" else verdict,
                weakest=weakest,
                comparisons=tuple(flat[i]),
                p_value=p_against[i] if against else p_for[i],
                p_adjusted=adjusted_against[i] if against else adjusted_for[i],
                seeds_needed=_seeds_needed(flat[i], ALPHA / max(1, sum(tested)))
                if verdict == "undecided"
                else None,
                detail=_detail(claim, verdict, compared[i], flat[i], weakest, scale, elsewhere[i]),
            )
        )
    return verdicts


def holm(p: Sequence[float], tested: Sequence[bool]) -> list[float]:
    """Holm-adjusted p values; NaN and untested entries are passed through and do not count."""
    members = [i for i, value in enumerate(p) if tested[i] and not math.isnan(value)]
    adjusted = [float(value) for value in p]
    if members:
        gc.freeze()  # multipletests collects garbage at every call: longer than all else that is done here
        for i, value in zip(members, multipletests([p[i] for i in members], method="holm")[1], strict=True):
            adjusted[i] = float(value)
    return adjusted


def _p_for(comparisons: Sequence[Comparison]) -> float:
    """Intersection–union; NaN as soon as one comparison has no test."""
    ps = [c.p_for for c in comparisons]
    return math.nan if not ps or any(map(math.isnan, ps)) else max(ps)


def _p_against(comparisons: Sequence[Comparison]) -> float:
    ps = [c.p_against for c in comparisons if not math.isnan(c.p_against)]
    return min(1.0, len(ps) * min(ps)) if ps else math.nan


def _weakest(comparisons: Sequence[Comparison], against: bool) -> Comparison | None:
    """The comparison that contradicts most, or supports least (one without a test before all others)."""
    found = [c for c in comparisons if c.finding is not None]
    if not found:
        return None
    if against:
        return min(found, key=lambda c: math.inf if math.isnan(c.p_against) else c.p_against)
    return max(found, key=lambda c: math.inf if math.isnan(c.p_for) else c.p_for)


def _seeds_needed(comparisons: Sequence[Comparison], alpha: float) -> int | None:
    """The most that any comparison needs at this level; None when one is unknown or beyond what is searched.

    The level is what Holm leaves to the first of the paper's claims, so that with this many seeds the
    verdict itself, and not only its uncorrected test, would come out four times in five.
    """
    needs = [seeds_needed(c.rule, c.finding, alpha) for c in comparisons if c.rule.kind != "identity"]
    known = [n for n in needs if n is not None]
    return max(known) if known and len(known) == len(needs) else None


def _detail(
    claim: Claim,
    verdict: str,
    rules: Sequence[Sequence[Comparison]],
    comparisons: Sequence[Comparison],
    weakest: Comparison | None,
    scale: str,
    elsewhere: Sequence[str],
) -> str:
    """One line for the reader: what is missing or wrong, and how the comparisons fell."""
    if claim.unjudged is not None:
        return f"{claim.unjudged}: {claim.reason}"
    parts = []
    unplanned = sum(not rule for rule in rules)
    if verdict == "not run" and not unplanned:
        parts.append(f"planned at this scale ({scale}), no results yet")
    elif unplanned:
        share = "not" if unplanned == len(rules) else f"{unplanned} of {len(rules)} rules not"
        parts.append(f"{share} planned at {scale}; runs at {', '.join(elsewhere) or 'no other single scale'}")
    idle = [c.experiment for c in comparisons if not c.ran]
    if idle and verdict != "not run":
        parts.append(f"not run: {', '.join(idle)}")
    if len(comparisons) > 1 and verdict != "not run":
        outcomes = [c.outcome for c in comparisons]
        counts = [f"{outcomes.count(o)} {o}" for o in ("holds", "fails", "undecided") if o in outcomes]
        parts.append(f"{len(comparisons)} comparisons: {', '.join(counts)}")
        if weakest is not None:
            parts.append(f"shown: {weakest.experiment}")
    parts += [f"{c.experiment}: {problem}" for c in comparisons if c.ran for problem in c.problems]
    if verdict == "undecided" and weakest is not None and weakest.finding is not None:
        finding = weakest.finding
        if (
            weakest.seeds_needed is None
            and finding.n > 1
            and math.isfinite(finding.sd)
            and finding.effect != 0
        ):
            parts.append(f"more than {MOST_SEEDS} seeds for 80 % power")
    return "; ".join(parts)
