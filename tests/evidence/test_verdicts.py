"""Verdicts on simulated comparisons with known truth and on synthetic results, every kind both ways."""

import dataclasses
import math

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests
from synthetic import Cell, claim, ordering, paper, quantity, write_seed, write_values

from reparam.errors import ReparamError
from reparam.evidence import statistics as st
from reparam.evidence import verdicts
from reparam.evidence.build import build
from reparam.evidence.claims import Claim, Quantity, Rule
from reparam.evidence.comparisons import Comparison
from reparam.evidence.verdicts import holm, judge

GOOD = [1.0, 1.1, 0.9, 1.05, 0.95]


@pytest.fixture
def no_plans(monkeypatch):
    """How many seeds a test would need is worked out for every undecided claim, and is nothing to thousands of them."""
    monkeypatch.setattr(verdicts, "_seeds_needed", lambda *arguments: None)


def verdicts_of(draws):
    """draws: [papers, claims, comparisons, seeds], every mean to be above 0 → verdicts [papers][claims]."""
    papers, claims, comparisons, n = draws.shape
    names = [Claim("p", str(i), "", "", (), ("paper",), (), None, None, "") for i in range(claims)]
    rule = Rule("value", Quantity("e", "a", "m"), at_least=0.0)
    finding = st.at_least(draws, 0.0)
    fields = {f.name: getattr(finding, f.name) for f in dataclasses.fields(finding)}

    def compared(*index):
        at = {name: value if name == "n" else value[index] for name, value in fields.items()}
        return Comparison(rule, "e", tuple(range(n)), n, True, st.Finding(**at), None, (), ())

    return [
        [
            verdict.verdict
            for verdict in judge(
                names,
                [[[compared(p, i, j) for j in range(comparisons)]] for i in range(claims)],
                "paper",
                [["paper"]] * claims,
            )
        ]
        for p in range(papers)
    ]


@pytest.mark.parametrize("claims, comparisons", [(1, 1), (1, 3), (5, 1), (4, 2)])
def test_false_alarms_at_the_boundary_stay_below_alpha_per_paper(no_plans, claims, comparisons):
    """All claims at the boundary: the share of papers with any false verdict is at most 0.05 + 3 standard
    errors of a binomial rate from `papers` papers (one claim: 2000 simulated claims)."""
    papers = 2000 if claims == comparisons == 1 else 500
    draws = np.random.default_rng(7).normal(size=(papers, claims, comparisons, 5))
    found = verdicts_of(draws)
    bound = 0.05 + 3 * math.sqrt(0.05 * 0.95 / papers)
    for alarm in ("replicated", "contradicted"):
        assert np.mean([alarm in verdicts for verdicts in found]) <= bound
    if claims == comparisons == 1:
        both = np.mean([v[0] != "undecided" for v in found])
        assert abs(both - 0.10) <= 3 * math.sqrt(0.1 * 0.9 / papers)


def test_one_false_part_is_enough_for_no_replication(no_plans):
    """Two comparisons, one overwhelmingly true, one at its boundary: still at most alpha."""
    draws = np.random.default_rng(8).normal(size=(1000, 1, 2, 5)) + np.array([50.0, 0.0])[:, None]
    rate = np.mean([verdicts == ["replicated"] for verdicts in verdicts_of(draws)])
    assert rate <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / 1000)


def test_power_of_the_verdict_is_the_noncentral_t_power(no_plans):
    draws = np.random.default_rng(9).normal(1.2, 1.0, size=(2000, 1, 1, 5))
    predicted = st.power(5, 1.2, 1.0)
    for sign, verdict in ((1, "replicated"), (-1, "contradicted")):
        rate = np.mean([verdicts == [verdict] for verdicts in verdicts_of(sign * draws)])
        assert abs(rate - predicted) <= 3 * math.sqrt(predicted * (1 - predicted) / 2000)


def test_holm_counts_only_claims_that_were_tested():
    p = [0.01, math.nan, 0.03, 0.0, 0.04]
    adjusted = holm(p, [True, True, True, False, True])
    expected = multipletests([0.01, 0.03, 0.04], method="holm")[1]
    assert [adjusted[0], adjusted[2], adjusted[4]] == pytest.approx(list(expected))
    assert math.isnan(adjusted[1]) and adjusted[3] == 0.0


def row(tmp_path, rules, values, scale="quick", setting=("paper",), tasks=None):
    """The claims row for rules on cells {(experiment, estimator): per-seed values}."""
    cells = [Cell(scale, "p", e, x, task=(tasks or {}).get(e, {})) for e, x in values]
    for cell, numbers in zip(cells, values.values(), strict=True):
        write_values(tmp_path, cell, numbers)
    plan = paper(tmp_path, [claim(*rules, setting=setting)], cells)
    return build(scale, tmp_path, [plan]).claims.iloc[0]


@pytest.mark.parametrize(
    "rule, verdict",
    [
        (ordering(), "holds (reduced)"),
        (ordering(margin=0.99), "undecided"),
        (ordering(margin=2.0), "fails (reduced)"),
        ({"kind": "value", "left": quantity(), "target": 2.0, "margin": 0.5}, "holds (reduced)"),
        ({"kind": "value", "left": quantity(), "target": 4.0, "margin": 0.5}, "fails (reduced)"),
        ({"kind": "value", "left": quantity(), "target": 2.0, "margin": 0.05}, "undecided"),
        ({"kind": "value", "left": quantity(), "at_least": 1.0}, "holds (reduced)"),
        ({"kind": "value", "left": quantity(), "at_most": 1.0}, "fails (reduced)"),
        (
            {"kind": "ratio", "left": quantity(), "right": {"estimator": "b"}, "at_least": 1.5},
            "holds (reduced)",
        ),
        (
            {"kind": "ratio", "left": quantity(), "right": {"estimator": "b"}, "at_most": 1.5},
            "fails (reduced)",
        ),
        (
            {"kind": "ratio", "left": quantity(), "right": {"estimator": "b"}, "target": 2.0, "margin": 1.3},
            "holds (reduced)",
        ),
        (
            {"kind": "ratio", "left": quantity(), "right": {"estimator": "b"}, "target": 3.0, "margin": 1.3},
            "fails (reduced)",
        ),
        (
            {"kind": "ratio", "left": quantity(), "right": {"estimator": "b"}, "target": 9.0, "margin": 1.3},
            "fails (reduced)",
        ),
        ({"kind": "identity", "left": quantity(), "target": 2.0, "tolerance": 0.2}, "holds (reduced)"),
        ({"kind": "identity", "left": quantity(), "target": 2.0, "tolerance": 0.01}, "fails (reduced)"),
        ({"kind": "identity", "left": quantity(), "at_least": 1.85}, "holds (reduced)"),
        ({"kind": "identity", "left": quantity(), "at_least": 1.95}, "fails (reduced)"),
        ({"kind": "identity", "left": quantity(), "at_most": 2.15}, "holds (reduced)"),
        ({"kind": "identity", "left": quantity(), "at_most": 2.05}, "fails (reduced)"),
    ],
)
def test_every_kind_both_ways(tmp_path, rule, verdict):
    left, right = [2.0, 2.1, 1.9, 2.05, 1.95], [1.02, 1.08, 0.93, 1.0, 0.97]
    found = row(tmp_path, [rule], {("e", "a"): left, ("e", "b"): right})
    assert found["verdict"] == verdict
    assert (found["effect"] > 0) == (verdict != "fails (reduced)") or verdict == "undecided"
    assert found["seeds"] == 5
    assert found["setting"] == "reduced"


@pytest.mark.parametrize(
    "bound, verdict",
    [
        ({"at_least": 1.5}, "holds (reduced)"),
        ({"at_most": 1.5}, "fails (reduced)"),
        ({"target": 2.0, "margin": 0.3}, "holds (reduced)"),
    ],
)
@pytest.mark.parametrize("log", [None, "xy"])
def test_slope_against_a_task_option(tmp_path, bound, verdict, log):
    """Truth: y = x² on log axes, y = 2 x on plain ones; slope 2 both times, up to a small factor per seed."""
    values, tasks = {}, {}
    for x in (1, 2, 4):
        y = float(x**2 if log else 2 * x)
        values[f"e-{x}", "a"] = [y * (1 + 0.01 * k * x) for k in (-2, -1, 0, 1, 2)]
        tasks[f"e-{x}"] = {"latent": x}
    rule = {"kind": "slope", "left": quantity("a", "e-*"), "x": "task.latent", **bound}
    found = row(tmp_path, [rule | ({"log": log} if log else {})], values, tasks=tasks)
    assert found["verdict"] == verdict
    assert found["estimate"] == pytest.approx(2.0, abs=0.1)


def test_slope_against_a_metric(tmp_path):
    cells = [Cell("quick", "p", f"e-{x}", "a") for x in (1, 2, 3)]
    for x, cell in enumerate(cells, 1):
        for seed in range(4):
            write_seed(
                tmp_path,
                cell,
                seed,
                [(9, "cost", x + seed), (9, "gain", -3.0 * (x + seed) + 0.01 * seed * x)],
            )
    rule = {"kind": "slope", "left": quantity("a", "e-*", "gain"), "x": {"metric": "cost"}, "at_most": -2.5}
    found = build("quick", tmp_path, [paper(tmp_path, [claim(rule)], cells)]).claims.iloc[0]
    assert found["verdict"] == "holds (reduced)"


def test_setting_paper_says_replicated_and_contradicted(tmp_path):
    values = {("e", "a"): [v + 1 for v in GOOD], ("e", "b"): [1.02, 1.08, 0.93, 1.0, 0.97]}
    assert row(tmp_path, [ordering()], values, scale="paper")["verdict"] == "replicated"
    assert row(tmp_path, [ordering()], values, setting=["quick"])["verdict"] == "replicated"
    swapped = ordering(left=quantity("b"), right={"estimator": "a"})
    assert row(tmp_path, [swapped], values, scale="paper")["verdict"] == "contradicted"


def test_all_matches_and_all_rules_must_hold(tmp_path):
    better, tied = [v + 1 for v in GOOD], [1.02, 1.08, 0.93, 1.0, 0.97]
    values = {("e-1", "a"): better, ("e-1", "b"): GOOD, ("e-2", "a"): tied, ("e-2", "b"): GOOD}
    found = row(tmp_path, [ordering(left=quantity("a", "e-*"))], values)
    assert found["verdict"] == "undecided"
    assert "2 comparisons: 1 holds, 1 undecided" in found["detail"] and "shown: e-2" in found["detail"]
    holding = {"kind": "value", "left": quantity("a", "e-1"), "at_least": 1.5}
    failing = {"kind": "value", "left": quantity("a", "e-2"), "at_least": 1.5}
    assert row(tmp_path, [holding], values)["verdict"] == "holds (reduced)"
    assert row(tmp_path, [holding, failing], values)["verdict"] == "fails (reduced)"


def test_a_tie_is_undecided_and_equal_differences_are_exact(tmp_path):
    values = {("e", "a"): GOOD, ("e", "b"): GOOD}
    assert row(tmp_path, [ordering()], values)["verdict"] == "undecided"
    values = {("e", "a"): [v + 0.5 for v in GOOD], ("e", "b"): GOOD}
    assert row(tmp_path, [ordering()], values)["verdict"] == "holds (reduced)"


def test_undecided_says_how_many_seeds_would_do(tmp_path):
    noisy = [1.5, 0.8, 1.3, 0.9, 1.4]
    found = row(tmp_path, [ordering()], {("e", "a"): noisy, ("e", "b"): GOOD})
    assert found["verdict"] == "undecided"
    difference = np.subtract(noisy, GOOD)
    n = found["seeds_needed"]
    assert st.power(n, difference.mean(), difference.std(ddof=1)) >= 0.8
    assert st.power(n - 1, difference.mean(), difference.std(ddof=1)) < 0.8
    assert found["low"] < 0 < found["effect"] < found["high"]


def test_one_seed_decides_nothing(tmp_path):
    found = row(tmp_path, [ordering()], {("e", "a"): [9.0], ("e", "b"): [1.0]})
    assert (found["verdict"], found["effect"], found["seeds"]) == ("undecided", 8.0, 1)
    assert "one seed" in found["detail"] and "4 of 5 seeds missing" in found["detail"]


def test_nan_is_undecided_and_an_identity_fails_on_it(tmp_path):
    values = {("e", "a"): [9.0, 9.1, math.nan, 9.2, 9.0], ("e", "b"): GOOD}
    found = row(tmp_path, [ordering()], values)
    assert found["verdict"] == "undecided" and math.isnan(found["effect"])
    assert "1 of 5 seeds are NaN" in found["detail"]
    rule = {"kind": "identity", "left": quantity(), "target": 9.0, "tolerance": 1.0}
    assert row(tmp_path, [rule], values)["verdict"] == "fails (reduced)"


@pytest.mark.parametrize("diverging", ["a", "b"])
def test_a_diverged_seed_leaves_the_claim_undecided_and_visible(tmp_path, diverging):
    values = {("e", "a"): [v + 5 for v in GOOD], ("e", "b"): [1.02, 1.08, 0.93, 1.0, 0.97]}
    assert row(tmp_path, [ordering()], values)["verdict"] == "holds (reduced)"
    cells = [Cell("quick", "p", "e", x) for x in "ab"]
    cell = next(c for c in cells if c.estimator == diverging)
    for seed in (1, 3):
        write_seed(
            tmp_path, cell, seed, [(0, "elbo/test", math.nan)], status="diverged", reason="loss is NaN"
        )
    evidence = build("quick", tmp_path, [paper(tmp_path, [claim(ordering())], cells)])
    found = evidence.claims.iloc[0]
    assert found["verdict"] == "undecided" and math.isnan(found["p_value"])
    assert "2 of 5 seeds diverged" in found["detail"]
    assert found["effect"] > 4 and found["seeds"] == 3
    assert (evidence.cells["status"] == "diverged").sum() == 2
    assert evidence.coverage.set_index("estimator").loc[diverging, "diverged"] == 2
    assert evidence.metrics["value"].isna().sum() == 2


def test_one_comparison_without_a_test_leaves_the_claim_undecided(tmp_path):
    """The first of two comparisons is clear; the second has a diverged seed, wherever it stands."""
    values = {
        (e, x): [v + 5 * (x == "a") + 0.01 * k for k, v in enumerate(GOOD)]
        for e in ("e-1", "e-2")
        for x in "ab"
    }
    rule = ordering(left=quantity("a", "e-*"))
    values["e-1", "b"], values["e-2", "b"] = [1.02, 1.08, 0.93, 1.0, 0.97], [1.0, 1.1, 0.9, 1.1, 0.92]
    assert row(tmp_path, [rule], values)["verdict"] == "holds (reduced)"
    cells = [Cell("quick", "p", e, x) for e, x in values]
    for diverging in ("e-2", "e-1"):
        cell = Cell("quick", "p", diverging, "a")
        write_seed(tmp_path, cell, 0, [(0, "elbo/test", math.nan)], status="diverged")
        plan = paper(tmp_path, [claim(rule)], cells)
        assert build("quick", tmp_path, [plan]).claims.iloc[0]["verdict"] == "undecided"
        write_values(tmp_path, cell, values[diverging, "a"])


def test_seeds_are_paired_by_their_number(tmp_path):
    """Differences of exactly 0.1 beside a spread of 10 over seeds: certain in pairs, hopeless without."""
    right = [0.0, 20.0, 5.0, -10.0, 12.0]
    found = row(tmp_path, [ordering()], {("e", "a"): [v + 0.1 for v in right], ("e", "b"): right})
    assert found["verdict"] == "holds (reduced)" and found["estimate"] == pytest.approx(0.1)


def test_cells_planned_with_different_seeds_are_compared_on_those_they_share(tmp_path):
    cells = [Cell("quick", "p", "e", "a"), Cell("quick", "p", "e", "b", seeds=(0, 1, 2))]
    write_values(tmp_path, cells[0], [v + 1 for v in GOOD])
    write_values(tmp_path, cells[1], GOOD[:3])
    found = build("quick", tmp_path, [paper(tmp_path, [claim(ordering())], cells)]).comparisons.iloc[0]
    assert (found["seeds"], found["planned"], found["problems"]) == (3, 3, "")


def test_reach_counts_samples_and_not_steps(tmp_path):
    """Both reach the level at step 1; a after 10 samples, b after 1000."""
    cells = [Cell("quick", "p", "e", x) for x in "ab"]
    for cell, samples in zip(cells, (10.0, 1000.0), strict=True):
        for seed in range(5):
            rows = [(s, "elbo/test", v + 0.01 * seed) for s, v in enumerate([0, 2, 3])]
            write_seed(tmp_path, cell, seed, rows + [(s, "samples_seen", samples * s) for s in range(3)])
    level = {"estimator": "a", "at": {"step": 1}}
    rule = {
        "kind": "ratio",
        "left": quantity("b", reach=level),
        "right": {"estimator": "a"},
        "at_least": 50.0,
    }
    found = build("quick", tmp_path, [paper(tmp_path, [claim(rule)], cells)]).claims.iloc[0]
    assert (found["verdict"], found["estimate"]) == ("holds (reduced)", pytest.approx(100.0))


def test_reach_never_is_infinite_and_judged_by_its_sign(tmp_path):
    """b climbs past a's last level after 300 samples; c never does."""
    cells = [Cell("quick", "p", "e", x) for x in "abc"]
    for cell, levels in zip(cells, ([1, 2, 3], [2, 4, 5], [0, 1, 2]), strict=True):
        for seed in range(5):
            rows = [(s, "elbo/test", v + 0.01 * seed) for s, v in enumerate(levels)]
            write_seed(tmp_path, cell, seed, rows + [(s, "samples_seen", 100.0 * (s + 1)) for s in range(3)])
    sooner = {
        "kind": "ordering",
        "left": quantity("a", metric="samples_seen"),
        "right": {"estimator": "b", "metric": "elbo/test", "reach": {"estimator": "a"}},
    }
    later = {**sooner, "right": {**sooner["right"], "estimator": "c"}}

    def found(rule):
        return build("quick", tmp_path, [paper(tmp_path, [claim(rule)], cells)]).claims.iloc[0]

    assert (found(sooner)["verdict"], found(sooner)["estimate"]) == ("holds (reduced)", 100.0)
    never = found(later)
    assert (never["verdict"], never["estimate"]) == ("fails (reduced)", -math.inf)
    assert never["p_value"] == pytest.approx(1 / 32)


def test_at_picks_rows_and_minus_subtracts(tmp_path):
    cell = Cell("quick", "p", "e", "a", seeds=(0,))
    rows = [(s, m, v) for s, gap in enumerate([1.0, 5.0, 4.0]) for m, v in (("train", gap), ("test", 0.5))]
    write_seed(tmp_path, cell, 0, rows + [(s, "samples_seen", 100.0 * s) for s in range(3)])

    def value(at):
        left = quantity(metric="train", minus="test", at=at)
        plan = paper(tmp_path, [claim({"kind": "value", "left": left, "at_least": 0.0})], [cell])
        return build("quick", tmp_path, [plan]).claims.iloc[0]

    def refused(at):
        with pytest.raises(ReparamError) as error:
            value(at)
        return str(error.value)

    picks = ["first", "last", {"samples_seen": 150}, {"samples_seen": 200}, {"step": 0}]
    assert [value(at)["estimate"] for at in picks] == [0.5, 3.5, 4.5, 3.5, 0.5]
    best = {"largest": "train"}, {"smallest": "train"}, {"largest": "samples_seen"}
    assert [value(at)["estimate"] for at in best] == [4.5, 0.5, 3.5]
    assert "measured no metric 'trian'" in refused({"largest": "trian"})
    nothing = value({"samples_seen": -1})
    assert nothing["verdict"] == "undecided" and "no row at or before samples_seen -1" in nothing["detail"]
