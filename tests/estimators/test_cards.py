"""The lines of a card that the contract cannot judge: what is cited, and what the words claim."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reparam import estimators

BIBLIOGRAPHY = {
    "1308.3432": "Bengio et al. 2013",
    "1310.8499": "Gregor et al. 2014",
    "1312.6114": "Kingma & Welling 2014",
    "1401.4082": "Rezende et al. 2014",
    "1402.0030": "Mnih & Gregor 2014",
    "1406.2751": "Bornschein & Bengio 2015",
    "1506.05254": "Schulman et al. 2015",
    "1509.00519": "Burda et al. 2016",
    "1511.05176": "Gu et al. 2016",
    "1602.06725": "Mnih & Rezende 2016",
    "1609.01704": "Chung et al. 2017",
    "1610.02287": "Ruiz et al. 2016",
    "1610.05683": "Naesseth et al. 2017",
    "1611.00712": "Maddison et al. 2017",
    "1611.01144": "Jang et al. 2017",
    "1703.07370": "Tucker et al. 2017",
    "1703.09194": "Roeder et al. 2017",
    "1711.00123": "Grathwohl et al. 2018",
    "1802.04537": "Rainforth et al. 2018",
    "1804.00891": "Davidson et al. 2018",
    "1805.08498": "Figurnov et al. 2018",
    "1807.11143": "Yin & Zhou 2019",
    "1810.04152": "Tucker et al. 2019",
    "1906.10652": "Mohamed et al. 2020",
    "2006.10680": "Dong et al. 2020",
    "2010.04838": "Paulus et al. 2021",
    "2010.10436": "Richter et al. 2020",
    "2105.14141": "Dimitriev & Zhou 2021",
    "2111.05300": "Titsias & Shi 2022",
    "2202.09497": "Shi et al. 2022",
    "2304.08612": "Liu et al. 2023",
}
ELSEWHERE = {"Williams 1992", "LeCun et al. 1998", "Kool et al. 2019", "Nowozin 2018"}
"""Without a number at arXiv, or cited without it."""
NAME = r"[A-Z]\w+(?: et al\.| & [A-Z]\w+)?"
OWN = [name for name in estimators.names() if estimators.get(name).__module__.startswith("reparam.")]


@pytest.mark.parametrize("name", OWN)
def test_every_paper_is_cited_as_it_is(name: str) -> None:
    kind = estimators.get(name)
    for citation in kind.card.paper.split("; "):
        found = re.match(rf"({NAME} \d{{4}})(?: \(arXiv:([\d.]+)\))?(?=$|,| )", citation)
        assert found, citation
        assert found[1] in ELSEWHERE if found[2] is None else found[1] == BIBLIOGRAPHY[found[2]], citation
    known = {*BIBLIOGRAPHY.values(), *ELSEWHERE}
    text = " ".join(f"{kind.__doc__} {kind.card.what} {kind.card.when}".split())
    assert set(re.findall(rf"{NAME} \(?(?:19|20)\d\d", text.replace("(", ""))) <= known
    assert set(re.findall(r"arXiv:(\d+\.\d+)", text)) <= set(BIBLIOGRAPHY)


KEPT = ("contract", "it_keeps_every_promise_under_every_setting")
CLAIMS = [
    (
        "annealed_straight_through",
        "a steeper and steeper sigmoid",
        "straight_through",
        "the_slope_grows_with_the_estimates_made",
    ),
    (
        "annealed_straight_through",
        "With a ≠ 1 it is biased for linear f, too",
        "straight_through",
        "the_slope_is_that_of_the_steeper_mean",
    ),
    (
        "arm",
        "disarm with two samples costs the same",
        "advice",
        "disarm_with_two_samples_costs_what_arm_does",
    ),
    ("arm", "its variance is never larger", "arm", "disarm_is_arm_with_the_uniforms_averaged_out"),
    (
        "ciwae",
        "The ELBO's gradient of q does not weaken as K grows",
        "importance_weighted",
        "a_share_of_the_elbo_keeps_the_signal",
    ),
    (
        "concrete",
        "It is the estimator of gumbel_softmax without annealing",
        "formulas",
        "the_estimate_is_the_formula",
    ),
    (
        "concrete",
        "is here the discrete one",
        "gumbel",
        "a_mass_in_f_is_the_discrete_one_at_the_relaxed_sample",
    ),
    ("concrete", "use pathwise", "gumbel", "relaxing_the_samples_is_pathwise_through_relaxed_laws"),
    ("disarm", "K runs of f with one site and K − 1 more with every further one", *KEPT),
    (
        "disarm",
        "A bit that is nearly certain, beside even ones, can vary more than under leave-one-out",
        "arm",
        "a_noisy_neighbour_costs_a_nearly_certain_bit_more_than_leave_one_out",
    ),
    (
        "double_control_variates",
        "one number to train",
        "double_control_variates",
        "training_the_coefficient_brings_the_variance_below_leave_one_out",
    ),
    ("double_control_variates", "one number to train per site", *KEPT),
    (
        "dreg",
        "Its signal-to-noise ratio grows with K",
        "importance_weighted",
        "the_signal_to_noise_ratio_of_the_total_derivative_falls_and_of_dreg_grows",
    ),
    ("dreg", "Two evaluations of f per sample", *KEPT),
    (
        "exact",
        "The cost doubles with every further bit",
        "advice",
        "the_cost_of_enumeration_doubles_with_a_bit",
    ),
    (
        "grep",
        "A constant added to f changes its variance",
        "grep",
        "a_constant_added_to_f_changes_the_variance",
    ),
    (
        "gumbel_rao",
        "most of all at low temperatures",
        "gumbel",
        "gumbel_rao_keeps_the_mean_of_st_gumbel_softmax_and_lowers_its_variance",
    ),
    (
        "gumbel_rao",
        "the same mean, no larger variance",
        "gumbel",
        "gumbel_rao_keeps_the_mean_of_st_gumbel_softmax_and_lowers_its_variance",
    ),
    ("gumbel_rao", "no further evaluation of f", *KEPT),
    (
        "gumbel_softmax",
        "The temperature is fixed or annealed",
        "gumbel",
        "the_temperature_falls_with_the_estimates_made",
    ),
    (
        "gumbel_softmax",
        "is the discrete one, extended to the relaxed sample",
        "gumbel",
        "a_mass_in_f_is_the_discrete_one_at_the_relaxed_sample",
    ),
    (
        "half",
        "it is exact where f is quadratic in each bit",
        "straight_through",
        "half_is_exact_for_quadratics_in_bits",
    ),
    (
        "half",
        "with one layer, or for the last of several",
        "advice",
        "the_last_layer_is_exact_and_those_above_are_not",
    ),
    (
        "half",
        "For one-hot vectors of three and more categories it is biased for quadratics, too",
        "straight_through",
        "half_is_biased_for_quadratics_in_choices_unless_they_are_isotropic",
    ),
    ("half", "equals it for bits", "straight_through", "half_is_reinmax_for_bits_draw_by_draw"),
    (
        "implicit",
        "Where pathwise applies it gives the same estimate",
        "implicit",
        "draw_by_draw_it_is_the_pathwise_estimate",
    ),
    ("implicit", "whose sampler has no derivative", "implicit", "a_sampler_needs_no_derivative"),
    (
        "iwae",
        "The signal-to-noise ratio of q's gradient falls as K grows; with dreg it grows",
        "importance_weighted",
        "the_signal_to_noise_ratio_of_the_total_derivative_falls_and_of_dreg_grows",
    ),
    (
        "jvi",
        "off by O(1/K²) in place of O(1/K)",
        "jackknife",
        "the_bias_of_the_bound_falls_as_the_square_of_the_samples",
    ),
    (
        "jvi",
        "Near the posterior jvi_dreg varies far less",
        "jackknife",
        "near_the_posterior_the_second_path_varies_far_less",
    ),
    ("jvi_dreg", "Two evaluations of f per sample", *KEPT),
    (
        "lax",
        "The network is trained while estimating to make the variance small",
        "relax",
        "lax_learns_to_beat_the_score_function",
    ),
    ("lax", "when f is not differentiable or unknown", "relax", "a_free_network_needs_f_at_its_samples_only"),
    ("local_disarm", "2K runs of f with one site and K more with every further one", *KEPT),
    (
        "local_disarm",
        "less variance for the same bound",
        "local_disarm",
        "the_variance_is_below_vimco_s_for_the_same_bound",
    ),
    ("measure_valued", "three runs of f per dimension", "measure_valued", "three_runs_per_dimension_and_one"),
    (
        "measure_valued",
        "an f that cannot be differentiated",
        "measure_valued",
        "a_jump_is_differentiated_from_values_alone",
    ),
    (
        "mixed",
        "each of them seeing the sites after its own as part of f",
        "mixed",
        "every_nesting_is_unbiased_per_coordinate",
    ),
    ("muprop", "it has no variance for a linear f of one layer", "muprop", "a_linear_f_has_no_variance"),
    ("muprop", "One more evaluation of f for any number of layers", *KEPT),
    (
        "nvil",
        "the running standard deviation where that exceeds 1",
        "nvil",
        "a_signal_narrower_than_one_is_not_widened",
    ),
    (
        "nvil",
        "Normalising shrinks the gradient of q",
        "nvil",
        "normalising_divides_the_gradient_of_q_and_nothing_else",
    ),
    ("nvil", "with normalise=False the estimate is unbiased", *KEPT),
    (
        "pathwise",
        "It loses to the score function where f changes quickly",
        "advice",
        "pathwise_loses_to_the_score_function_where_f_changes_quickly",
    ),
    ("pathwise", "is wrong where f has jumps", "advice", "pathwise_does_not_see_a_jump"),
    (
        "piwae",
        "whose gradient has more signal",
        "importance_weighted",
        "many_bounds_of_few_samples_tell_q_more",
    ),
    ("piwae", "Two evaluations of f per sample", *KEPT),
    (
        "rebar",
        "it can vary more than the score function",
        "rebar",
        "on_the_toy_an_untuned_concrete_relaxation_is_worse_than_the_score_function",
    ),
    ("rebar", "one more evaluation per layer than the score function, and two with coupled=False", *KEPT),
    (
        "rebar",
        "can be tuned while training to make the variance small",
        "rebar",
        "tuning_lowers_the_variance",
    ),
    (
        "reinmax",
        "it is exact for f that are quadratic in each variable",
        "reinmax",
        "reinmax_is_exact_for_every_quadratic",
    ),
    (
        "reinmax",
        "with one layer, or for the last of several",
        "advice",
        "the_last_layer_is_exact_and_those_above_are_not",
    ),
    ("reinmax", "higher terms of f", "reinmax", "reinmax_is_biased_for_cubes"),
    (
        "reinmax",
        "For bits at τ = 1 it is the ½ estimator",
        "straight_through",
        "half_is_reinmax_for_bits_draw_by_draw",
    ),
    (
        "relax",
        "trained while estimating to make the variance small",
        "relax",
        "on_the_papers_toy_the_network_removes_most_of_the_variance",
    ),
    (
        "relax",
        "With surrogate=network f is a black box",
        "relax",
        "a_free_network_needs_f_at_its_samples_only",
    ),
    (
        "reweighted_wake_sleep",
        "q's gradient does not weaken as K grows",
        "advice",
        "the_gradient_of_q_weakens_with_vimco_and_not_with_wake",
    ),
    (
        "reweighted_wake_sleep",
        "the model climbs the K-sample bound",
        "advice",
        "wake_climbs_the_bound_in_the_model",
    ),
    ("rodeo", "two learned control variates", "rodeo", "training_brings_the_variance_below_leave_one_out"),
    ("rodeo", "mean zero whatever the learned network says", "rodeo", "the_mean_is_exact_at_any_surrogate"),
    (
        "rsvi",
        "A constant added to f changes its variance",
        "rsvi",
        "a_constant_added_to_f_changes_the_variance",
    ),
    (
        "rsvi",
        "Without the boost shapes near 1 have a large variance",
        "rsvi",
        "without_the_boost_shapes_near_one_vary_more",
    ),
    (
        "rws_dreg",
        "less variance once q is near the posterior",
        "reweighted_wake_sleep",
        "near_the_posterior_the_paths_vary_less_than_the_scores",
    ),
    ("rws_dreg", "Two evaluations of f per sample", *KEPT),
    (
        "score_function",
        "mean can be worse than none",
        "score_function",
        "the_mean_as_a_baseline_can_raise_the_variance",
    ),
    (
        "score_function",
        "optimal shows the best that a constant can do",
        "score_function",
        "the_optimal_baseline_approaches_the_optimum_like_one_over_its_fresh_samples",
    ),
    (
        "st_gumbel_softmax",
        "gumbel_rao has the same mean and no more variance",
        "gumbel",
        "gumbel_rao_keeps_the_mean_of_st_gumbel_softmax_and_lowers_its_variance",
    ),
    (
        "st_gumbel_softmax",
        "f and later sites see discrete values only",
        "gumbel",
        "straight_through_gumbel_softmax_has_a_hard_value_and_a_soft_derivative",
    ),
    (
        "st_gumbel_softmax",
        "reinmax is exact for quadratics, with one layer",
        "reinmax",
        "reinmax_is_exact_for_every_quadratic",
    ),
    (
        "stl",
        "leaves no variance where q is the posterior",
        "importance_weighted",
        "nothing_varies_where_q_is_the_posterior",
    ),
    (
        "stl",
        "on the K-sample bound it is biased",
        "importance_weighted",
        "the_path_derivative_of_a_bound_of_two_samples_is_biased",
    ),
    (
        "straight_through",
        "with one layer, or for the last of several",
        "advice",
        "the_last_layer_is_exact_and_those_above_are_not",
    ),
    (
        "straight_through",
        "exact for f that are linear in each variable",
        "advice",
        "straight_through_is_exact_for_products_of_variables",
    ),
    ("straight_through", "else biased", "straight_through", "straight_through_is_biased_for_quadratics"),
    (
        "straight_through",
        "reinmax costs the same and is exact for quadratics",
        "reinmax",
        "reinmax_is_exact_for_every_quadratic",
    ),
    ("vargrad", "the same estimate", "vargrad", "it_equals_leave_one_out_to_rounding"),
    (
        "vimco",
        "the score of each sample weighed by what that sample adds to the bound",
        "vimco",
        "signals_per_sample_have_less_variance_than_the_bound_as_one_signal",
    ),
    (
        "vimco",
        "The signal of q weakens as K grows",
        "advice",
        "the_gradient_of_q_weakens_with_vimco_and_not_with_wake",
    ),
]
"""What a card's words claim in numbers or comparisons, and the file and test that would find it false."""


@pytest.mark.parametrize(("name", "claim", "file", "test"), CLAIMS)
def test_what_a_card_claims_has_a_test(name: str, claim: str, file: str, test: str) -> None:
    card = estimators.get(name).card
    assert claim in f"{card.what} {card.when}"
    assert f"def test_{test}(" in (Path(__file__).parent / f"test_{file}.py").read_text(encoding="utf-8")


def test_every_card_claims_something() -> None:
    assert sorted({name for name, *_ in CLAIMS}) == OWN
