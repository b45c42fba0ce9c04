"""A rule becomes comparisons: one per matched experiment (a slope: one over all of them).

Which seeds enter: those with a number on every side. A missing or failed seed lowers n and is named. A
diverged seed is a result, and no rule knows whether a large or a small metric is the better one, so a
comparison with a diverged seed on any side is undecided: its p values are NaN, and the effect of the
surviving seeds is shown as what it is. So an estimator whose seeds diverge cannot win, and nobody wins
because a rival diverged. NaN likewise decides nothing, except an identity, which it fails.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from reparam.evidence import statistics as st
from reparam.evidence.claims import Claim, Rule
from reparam.evidence.quantities import Lost, Results, number, option, require_metrics


@dataclass(frozen=True)
class Comparison:
    """One comparison of a claim.

    finding: None when no seed has a number; problems: what is wrong, in words; ran: some seed gave a
    result, be it that it diverged; cells: paths of the cells it reads.
    """

    rule: Rule
    experiment: str
    seeds: tuple[int, ...]
    planned: int
    ran: bool
    finding: st.Finding | None
    seeds_needed: int | None
    problems: tuple[str, ...]
    cells: tuple[str, ...]

    @property
    def p_for(self) -> float:
        return math.nan if self.finding is None else float(self.finding.p_for)

    @property
    def p_against(self) -> float:
        return math.nan if self.finding is None else float(self.finding.p_against)

    @property
    def outcome(self) -> str:
        """holds, fails, undecided or not run; by this comparison's own p values, before any correction."""
        if not self.ran:
            return "not run"
        if self.p_for <= st.ALPHA:
            return "holds"
        return "fails" if self.p_against <= st.ALPHA else "undecided"


def compare(claim: Claim, rule: Rule, results: Results) -> list[Comparison]:
    """All comparisons of a rule at this scale; none when no match is planned with its estimators.

    Raises ReparamError when results are there but a metric the rule names was never measured.
    """
    matches = rule.matches(results.cells)
    for name in matches:
        for experiment, quantity in rule.reads(name):
            require_metrics(results, quantity, experiment, claim.id)
    if matches and rule.kind == "slope":
        return [_slope(rule, matches, results)]
    return [_one(rule, name, results) for name in matches]


def _one(rule: Rule, match: str, results: Results) -> Comparison:
    sides = rule.reads(match)[: 1 if rule.right is None else 2]

    def numbers(seed: int) -> list[float]:
        return [number(results, quantity, experiment, seed) for experiment, quantity in sides]

    return _gather(rule, match, [match], results, numbers, lambda rows: _test(rule, rows))


def _slope(rule: Rule, matches: list[str], results: Results) -> Comparison:
    def x_of(name: str, seed: int) -> float:
        if rule.x is not None:
            return option(results.cells[name, rule.left.estimator].cell.spec, rule.x)
        experiment, quantity = rule.reads(name)[1]
        return number(results, quantity, experiment, seed)

    def numbers(seed: int) -> list[float]:
        y = [number(results, rule.left, name, seed) for name in matches]
        return [*(x_of(name, seed) for name in matches), *y]

    def test(rows: st.Numbers) -> st.Finding | str:
        x, y = rows[:, : len(matches)], rows[:, len(matches) :]
        for axis, values in (("x", x), ("y", y)):
            if axis in rule.log and (values <= 0).any():
                return f"{axis} is not positive, so it has no logarithm"
        x, y = (np.log(x) if "x" in rule.log else x), (np.log(y) if "y" in rule.log else y)
        if (np.ptp(x, -1) == 0).any():
            return "a slope needs at least two different x"
        return _bounded(rule, st.slopes(x, y))

    return _gather(rule, rule.left.experiment, matches, results, numbers, test)


def _exact(rule: Rule, numbers: st.Numbers) -> st.Finding:
    if rule.at_least is not None:
        return st.exactly_at_least(numbers, rule.at_least)
    if rule.at_most is not None:
        return st.exactly_at_most(numbers, rule.at_most)
    assert rule.target is not None
    return st.identity(numbers, rule.target, rule.margin)


def _test(rule: Rule, rows: st.Numbers) -> st.Finding | str:
    """rows: [seeds, sides]."""
    left = rows[:, 0]
    if rule.kind == "value":
        return _bounded(rule, left)
    if rule.kind == "identity":
        return _exact(rule, left)
    right = rows[:, 1]
    if rule.kind == "ordering":
        with np.errstate(invalid="ignore"):
            return _bounded(rule, left - right, size=np.maximum(np.abs(left), np.abs(right)))
    if (rows <= 0).any():
        return "a ratio needs positive numbers"
    log = replace(
        rule,
        at_least=rule.at_least and math.log(rule.at_least),
        at_most=rule.at_most and math.log(rule.at_most),
        target=rule.target and math.log(rule.target),
        margin=math.log(rule.margin) if rule.target else 0.0,
    )
    with np.errstate(invalid="ignore"):
        finding = _bounded(log, np.log(left) - np.log(right))
    return replace(
        finding,
        estimate=np.exp(finding.estimate),
        estimate_low=np.exp(finding.estimate_low),
        estimate_high=np.exp(finding.estimate_high),
    )


def _bounded(rule: Rule, numbers: st.Numbers, size: st.Numbers | float = 0.0) -> st.Finding:
    if rule.at_least is not None:
        return st.at_least(numbers, rule.at_least, size)
    if rule.at_most is not None:
        return st.at_most(numbers, rule.at_most, size)
    assert rule.target is not None
    return st.within(numbers, rule.target, rule.margin, size)


def _gather(
    rule: Rule,
    label: str,
    matches: list[str],
    results: Results,
    numbers: Callable[[int], list[float]],
    test: Callable[[st.Numbers], st.Finding | str],
) -> Comparison:
    """Collect the seeds that have numbers, test them, and say what became of the others."""
    pairs = dict.fromkeys(pair for match in matches for pair in rule.cells(match))
    cells = [results.cells[pair] for pair in pairs]
    planned = sorted(set.intersection(*(set(cell.planned) for cell in cells)))
    rows: dict[int, list[float]] = {}
    lost: Counter[str] = Counter()
    for seed in planned:
        try:
            rows[seed] = numbers(seed)
        except Lost as reason:
            lost[str(reason)] += 1
    problems = [
        f"{count} of {len(planned)} seeds {'have ' if why.startswith('no ') else ''}{why}"
        for why, count in sorted(lost.items())
    ]
    finding: st.Finding | None = None
    if rows:
        array = np.array(list(rows.values()), dtype=np.float64)
        bad = int(np.isnan(array).any(-1).sum())
        if bad:
            problems.append(f"{bad} of {len(rows)} seeds are NaN")
        outcome = test(array)
        if isinstance(outcome, str):
            problems.append(outcome)
        else:
            finding = outcome
            if np.isnan(finding.p_for) and not bad:
                problems.append("one seed: no spread" if len(rows) == 1 else "infinite numbers: no test")
    if finding is not None and lost["diverged"]:
        finding = replace(finding, p_for=math.nan, p_against=math.nan)
    return Comparison(
        rule=rule,
        experiment=label,
        seeds=tuple(rows),
        planned=len(planned),
        ran=bool(rows or set(lost) - {"missing", "failed"}),
        finding=finding,
        seeds_needed=seeds_needed(rule, finding),
        problems=tuple(problems),
        cells=tuple(cell.path.as_posix() for cell in cells),
    )


def seeds_needed(rule: Rule, finding: st.Finding | None, alpha: float = st.ALPHA) -> int | None:
    """Seeds with which this comparison would have 80 % power at level `alpha`; None if unknown."""
    if finding is None or rule.kind == "identity":
        return None
    margin = rule.margin if rule.target is not None else None
    if margin is not None and rule.kind == "ratio":
        margin = math.log(margin)
    return st.seeds_needed(finding, margin, alpha)
