"""The statistics against known truth.

Simulations use fixed seeds; a rate p estimated from N draws is allowed 3 binomial standard errors, so each
bound would fail a correct implementation with probability about 0.1 % for a fresh seed.
"""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as hs
from scipy import stats
from statsmodels.stats.power import TTestPower

from reparam.evidence import statistics as st

N = 20_000


def draws(mean, sd=1.0, n=5, seed=0):
    return np.random.default_rng(seed).normal(mean, sd, size=(N, n))


def upper(rate):
    return rate + 3 * math.sqrt(rate * (1 - rate) / N)


def lower(rate):
    return rate - 3 * math.sqrt(rate * (1 - rate) / N)


@pytest.mark.parametrize("n", [2, 5, 10])
@pytest.mark.parametrize("test", [st.at_least, st.at_most])
def test_false_alarm_rate_at_the_bound_is_alpha_both_ways(test, n):
    finding = test(draws(2.0, n=n), 2.0)
    for p in (finding.p_for, finding.p_against):
        assert lower(0.05) <= np.mean(p <= 0.05) <= upper(0.05)


@pytest.mark.parametrize("edge", [-0.5, 0.5])
@pytest.mark.parametrize("sd", [0.05, 0.5, 5.0])
def test_equivalence_at_its_edges_keeps_alpha_both_ways(edge, sd):
    finding = st.within(draws(3.0 + edge, sd), 3.0, 0.5)
    assert np.mean(finding.p_for <= 0.05) <= upper(0.05)
    assert np.mean(finding.p_against <= 0.05) <= upper(0.05)


def test_equivalence_contradicts_nothing_inside_and_finds_what_lies_inside_or_outside():
    assert np.mean(st.within(draws(3.0, 0.5), 3.0, 0.5).p_against <= 0.05) <= upper(0.05)
    assert np.mean(st.within(draws(3.0, 0.1), 3.0, 0.5).p_for <= 0.05) > 0.99
    assert np.mean(st.within(draws(4.0, 0.1), 3.0, 0.5).p_against <= 0.05) > 0.99


@pytest.mark.parametrize("n, effect", [(5, 0.5), (5, 1.5), (10, 0.8), (30, 0.3)])
def test_power_matches_simulation_and_statsmodels(n, effect):
    predicted = st.power(n, effect, 1.0)
    assert predicted == pytest.approx(TTestPower().power(effect, n, 0.05, alternative="larger"), abs=1e-6)
    hits = np.mean(st.at_least(draws(effect, n=n), 0.0).p_for <= 0.05)
    assert lower(predicted) <= hits <= upper(predicted)


@pytest.mark.parametrize("effect", [0.2, -0.5, 2.0])
def test_seeds_needed_is_the_smallest_with_eighty_percent_power(effect):
    finding = scalar(effect=effect, sd=1.0)
    n = st.seeds_needed(finding)
    assert st.power(n, abs(effect), 1.0) >= 0.8 > st.power(n - 1, abs(effect), 1.0)


def test_a_corrected_level_needs_more_seeds_and_keeps_its_promise():
    finding = scalar(effect=0.5, sd=0.6)
    n = st.seeds_needed(finding, alpha=st.ALPHA / 9)
    assert n > st.seeds_needed(finding)
    assert st.power(n, 0.5, 0.6, st.ALPHA / 9) >= 0.8 > st.power(n - 1, 0.5, 0.6, st.ALPHA / 9)


def test_seeds_needed_for_equivalence_gives_the_power_it_promises():
    n = st.seeds_needed(scalar(effect=0.5, sd=0.6), margin=0.5)
    hits = np.mean(st.within(draws(3.0, 0.6, n), 3.0, 0.5).p_for <= 0.05)
    assert hits >= lower(0.8)
    fewer = np.mean(st.within(draws(3.0, 0.6, n - 2), 3.0, 0.5).p_for <= 0.05)
    assert fewer < 0.8


@pytest.mark.parametrize(
    "effect, sd", [(1e-3, 1.0), (0.0, 1.0), (math.nan, 1.0), (1.0, math.nan), (math.inf, 1.0)]
)
def test_seeds_needed_is_unknown_rather_than_invented(effect, sd):
    assert st.seeds_needed(scalar(effect, sd)) is None


def test_agrees_with_scipy():
    y = draws(0.3)[0]
    expected = stats.ttest_1samp(y, 0.1, alternative="greater")
    interval = stats.ttest_1samp(y, 0.0).confidence_interval(0.95)
    finding = st.at_least(y, 0.1)
    assert finding.p_for == pytest.approx(expected.pvalue)
    assert finding.p_against == pytest.approx(1 - expected.pvalue)
    assert (finding.estimate_low, finding.estimate_high) == pytest.approx((interval.low, interval.high))
    assert finding.effect == pytest.approx(y.mean() - 0.1)


def test_equal_numbers_are_decided_exactly():
    assert (st.at_least([1.0] * 5, 0.5).p_for, st.at_least([1.0] * 5, 0.5).p_against) == (0.0, 1.0)
    assert (st.at_least([0.1] * 5, 0.5).p_for, st.at_least([0.1] * 5, 0.5).p_against) == (1.0, 0.0)


def test_a_tie_decides_nothing_even_when_rounding_breaks_it():
    for numbers, bound in (([0.5] * 5, 0.5), ([0.3 - 0.1] * 5, 0.2)):
        finding = st.at_least(numbers, bound)
        assert (finding.p_for, finding.p_against, finding.effect) == (1.0, 1.0, 0.0)


def test_one_seed_has_no_test():
    finding = st.at_least([3.0], 0.0)
    assert finding.effect == 3.0
    assert all(math.isnan(v) for v in (finding.p_for, finding.p_against, finding.sd, finding.low))


@pytest.mark.parametrize(
    "test", [lambda y: st.at_least(y, 0), lambda y: st.at_most(y, 0), lambda y: st.within(y, 0, 1)]
)
def test_nan_is_never_tested_and_never_vanishes(test):
    finding = test([1.0, math.nan, 1.0])
    assert all(math.isnan(v) for v in (finding.p_for, finding.p_against, finding.effect, finding.estimate))


def test_nan_beside_infinite_numbers_is_no_sign_either():
    assert math.isnan(float(st.at_least([math.inf, math.inf, math.inf, math.inf, math.nan], 0.0).p_for))


def test_infinite_numbers_use_the_sign_test():
    finding = st.at_least([math.inf, 1.0, 2.0, 3.0, 4.0], 0.0)
    assert finding.p_for == pytest.approx(0.5**5)
    assert finding.estimate == 3.0
    assert math.isnan(finding.low)
    assert st.at_least([math.inf, -1.0, 2.0, 3.0, 4.0], 0.0).p_for == pytest.approx(6 / 32)


def test_identity_has_no_test_only_a_tolerance():
    assert st.identity([1.0, 1.0 + 1e-9], 1.0, 1e-8).p_for == 0.0
    failed = st.identity([1.0, 1.1], 1.0, 1e-8)
    assert (failed.p_for, failed.p_against, failed.estimate) == (1.0, 0.0, 1.1)
    assert st.identity([1.0, math.nan], 1.0, 1e-8).p_against == 0.0


@pytest.mark.parametrize("test, bound", [(st.exactly_at_least, 1.0), (st.exactly_at_most, -1.0)])
def test_exact_bounds_are_decided_by_the_worst_number(test, bound):
    assert test([bound, 3 * bound], bound).p_for == 0.0
    failed = test([2 * bound, 0.5 * bound, 3 * bound], bound)
    assert (failed.p_for, failed.p_against) == (1.0, 0.0)
    assert (failed.estimate, failed.effect) == (0.5 * bound, -0.5)
    assert test([2 * bound, math.nan], bound).p_against == 0.0


def test_slopes_are_least_squares():
    x, y = np.array([[1.0, 2.0, 4.0], [0.0, 1.0, 5.0]]), np.random.default_rng(3).normal(size=(2, 3))
    expected = [stats.linregress(x[i], y[i]).slope for i in range(2)]
    assert st.slopes(x, y) == pytest.approx(expected)


numbers = hs.lists(hs.floats(-1e6, 1e6), min_size=2, max_size=8)


@given(numbers, hs.floats(-1e6, 1e6))
def test_at_most_mirrors_at_least(y, bound):
    more, less = st.at_least(y, bound), st.at_most(y, bound)
    assert (more.p_for, more.p_against) == (less.p_against, less.p_for)
    assert more.effect == -less.effect
    assert (more.estimate_low, more.estimate_high) == pytest.approx((less.estimate_low, less.estimate_high))


@given(numbers, hs.floats(-1e6, 1e6), hs.floats(1e-3, 1e6))
def test_a_comparison_never_holds_and_fails_at_once(y, target, margin):
    for finding in (st.at_least(y, target), st.at_most(y, target), st.within(y, target, margin)):
        assert not (finding.p_for <= 0.05 and finding.p_against <= 0.05)
        assert finding.low <= finding.effect + 1e-6 * max(1, abs(finding.effect)) or math.isnan(finding.low)


@given(numbers, hs.randoms())
def test_the_order_of_seeds_does_not_matter(y, random):
    shuffled = list(y)
    random.shuffle(shuffled)
    assert st.at_least(shuffled, 0.0).p_for == pytest.approx(st.at_least(y, 0.0).p_for, abs=1e-9)


def scalar(effect, sd):
    nan = math.nan
    return st.Finding(nan, nan, nan, effect, nan, nan, sd, 5, nan, nan)
