"""The tutorials' procedures at small sizes, against answers from elsewhere, and a wrong formula in each."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import integrate, stats

from reparam import data, oracles
from reparam.cells import procedures
from reparam.distributions import Normal, PlanarFlow
from reparam.papers.tutorials import laws, objectives, paths, problems, rejection, uses

Rows = dict[tuple[int, str], float]


def found(name: str, evaluation: dict[str, Any], method: str = "pathwise", **options: Any) -> Rows:
    spec = {"paper": "tutorials", "experiment": "test", "evaluation": evaluation}
    spec["method"] = {"name": method, "options": options}
    rows = procedures.get("tutorials", name)(spec, 0, torch.device("cpu")).rows
    assert len({(step, metric) for step, metric, _ in rows}) == len(rows)
    return {(step, metric): value for step, metric, value in rows}


def test_gaussian_problem_is_its_closed_form() -> None:
    """f = z² + 3 at μ = σ = 1: gradients 2μ and 2σ, variances by hand."""
    problem = problems.gaussian(lambda z: z.square() + 3.0)
    assert problem.exact["mu"].item() == pytest.approx(2) and problem.exact["sigma"].item() == pytest.approx(
        2
    )
    assert problem.variances["pathwise"]["mu"].item() == pytest.approx(4)
    # E[(z² + c)² ε²] − 4 with z = 1 + ε: E z⁴ε² = 34, E z²ε² = 4
    assert problem.variances["score_function"]["mu"].item() == pytest.approx(34 + 2 * 3 * 4 + 9 - 4)


def test_step_problem_is_the_derivative_of_its_probability() -> None:
    def mean(mu: float, sigma: float) -> float:
        return float(stats.norm.cdf((mu - 0.3) / sigma)) - 0.5

    exact = problems.step(0.3).exact
    assert exact["mu"].item() == pytest.approx((mean(1 + 1e-6, 1) - mean(1 - 1e-6, 1)) / 2e-6, rel=1e-6)
    assert exact["sigma"].item() == pytest.approx((mean(1, 1 + 1e-6) - mean(1, 1 - 1e-6)) / 2e-6, rel=1e-6)


def test_moments_measure_any_estimator_and_show_a_bias() -> None:
    rows = found("moments", {"problem": "categories", "values": [0.4], "draws": 4000}, "straight_through")
    assert rows[0, "worst_bias_z"] > 5.5 and rows[0, "relative_bias"] > 0.2
    rows = found(
        "moments",
        {"problem": "constant", "values": [0, 10], "draws": 4000},
        "score_function",
        baseline="leave_one_out",
        samples=2,
    )
    assert rows[1, "worst_bias_z"] < 5.5 and rows[0, "evaluations"] == 2
    assert rows[0, "variance"] == pytest.approx(rows[1, "variance"])  # common noise, and the constant cancels


def test_option_is_varied_and_the_slope_is_that_of_the_variance() -> None:
    evaluation = {
        "problem": "constant",
        "values": [0],
        "draws": 8000,
        "option": "samples",
        "settings": [1, 4, 16],
    }
    rows = found("moments", {**evaluation, "slope": 3})
    assert [rows[i, "x"] for i in range(3)] == [1, 4, 16]
    assert rows[2, "slope/mu"] == pytest.approx(-1, abs=0.1)
    # relative standard error of 5 %: (4 + 12) / (0.05² · 8) estimates of one sample
    assert rows[0, "samples"] == pytest.approx(800, rel=0.1)
    # that of the score function: (30 + 136) / (0.05² · 8)
    assert rows[0, "samples_exact/pathwise"] == pytest.approx(800)
    assert rows[0, "samples_exact/score_function"] == pytest.approx(8300)


def test_baselines_find_both_optima() -> None:
    rows = found("baselines", {"values": [0, 3, 6, 9], "draws": 20_000}, "score_function")
    assert rows[3, "optimal/mu"] == pytest.approx(4) and rows[3, "optimal/sigma"] == pytest.approx(6)
    assert rows[3, "best/mu"] == pytest.approx(4, abs=0.3) and rows[3, "best/sigma"] == pytest.approx(
        6, abs=0.7
    )


@pytest.mark.parametrize("name", laws.LAWS)
def test_densities_that_laws_are_held_against_are_those_of_scipy(name: str) -> None:
    known = laws.LAWS[name]
    others = {
        "normal": stats.norm(0.4, 1.3),
        "laplace": stats.laplace(0.4, 1.3),
        "logistic": stats.logistic(0.4, 1.3),
        "exponential": stats.expon(scale=1 / 0.8),
        "weibull": stats.weibull_min(1.7, scale=1.3),
        "cauchy": stats.cauchy(0.4, 1.3),
        "gumbel": stats.gumbel_r(0.4, 1.3),
    }
    z = np.array([0.05, 0.3, 0.7, 0.95])
    if name in others:
        assert known.density(z, *known.parameters) == pytest.approx(others[name].pdf(z))
        assert known.cdf(z, *known.parameters) == pytest.approx(others[name].cdf(z))
    else:
        mass, _ = integrate.quad(lambda t: known.density(t, *known.parameters), 0, 0.7)
        assert known.cdf(0.7, *known.parameters) == pytest.approx(mass)


def test_laws_fit_and_a_wrong_scale_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = laws.LAWS["laplace"]._replace(law=lambda m, s: Normal(m, s))
    monkeypatch.setattr(laws, "LAWS", {"laplace": laws.LAWS["laplace"], "wrong": wrong})
    rows = found("laws", {"draws": 3000})
    assert rows[0, "fit/laplace"] < 2.6 < rows[0, "fit/wrong"]
    assert rows[0, "gradient_z/laplace"] < 5.5 < rows[0, "gradient_z/wrong"]


def test_normal_draws_are_held_against_their_mean_and_variance() -> None:
    spec = {"paper": "tutorials", "experiment": "test", "evaluation": {"draws": 400}}
    spec["method"] = {"name": "pathwise", "options": {}}
    findings = procedures.get("tutorials", "laws")(spec, 0, torch.device("cpu"))
    rows, z = {metric: value for _, metric, value in findings.rows}, findings.arrays["z"]
    assert rows["mean_z"] == pytest.approx(abs(np.mean(z) - 0.4) / (1.3 / 20))
    assert rows["variance_z"] == pytest.approx(abs(np.var(z, ddof=1) / 1.69 - 1) / math.sqrt(2 / 399))


def test_distance_is_that_of_kolmogorov_and_smirnov() -> None:
    values = np.random.default_rng(0).normal(size=500)
    assert laws.distance(values, stats.norm.cdf) == pytest.approx(
        500**0.5 * stats.kstest(values, "norm").statistic
    )


def test_gumbel_max_and_its_limits() -> None:
    rows = found("gumbel", {"draws": 4000, "temperatures": [0.001, 1000]}, "law")
    assert all(rows[0, f"counts_z/{name}"] < 5.5 for name in laws.PROBABILITIES)
    assert rows[0, "gumbel_fit"] < 2.6 and rows[0, "binary_fit"] < 2.6
    assert rows[0, "softmax_error"] < 1e-12 and rows[0, "sigmoid_error"] < 1e-12
    assert rows[0, "distance_from_one_hot"] < 0.01 < rows[1, "distance_from_one_hot"]


def test_gamma_maps_have_the_moments_of_exact_fractions() -> None:
    rows = found("gamma_maps", {"draws": 2000, "alphas": [4 / 3, 2]}, "implicit")
    assert rows[1, "tutorial/mean"] == pytest.approx(134 / 27) and rows[1, "proposal/mean"] == pytest.approx(
        2
    )
    assert rows[1, "proposal/variance"] == pytest.approx(172 / 81)
    assert rows[0, "tutorial/mean"] == pytest.approx(4 / 3)  # where both maps coincide
    assert rows[1, "proposal/slope"] == pytest.approx(5 - 5 / (243 * (5 / 3) ** 2), rel=1e-6)
    assert rows[1, "tutorial/fit"] > 2.6 > rows[1, "accepted/fit"] and rows[1, "gradient_z"] < 5.5


def test_rejection_needs_its_correction() -> None:
    rows = found("rejection", {"draws": 4000, "kappas": [5], "alphas": [1]}, "rsvi", boost=0)
    assert rows[0, "gamma/worst_bias_z"] < 5.5 < rows[0, "gamma/worst_dropped_bias_z"]
    assert rows[0, "sphere/worst_bias_z"] < 5.5 < rows[0, "sphere/worst_dropped_bias_z"]
    assert rows[0, "gamma/exact"] == pytest.approx(math.pi**2 / 6)
    assert abs(rows[0, "gamma/relative_bias"]) < 0.1 < rows[0, "gamma/dropped_relative_bias"]
    step = 1e-5
    assert rows[0, "sphere/exact"] == pytest.approx(
        (rejection.ratio(5 + step) - rejection.ratio(5 - step)) / (2 * step), rel=1e-6
    )
    mean, _ = integrate.quad(lambda w: 1 - rejection._cosine_cdf(w, 5.0), -1, 1)
    assert mean - 1 == pytest.approx(rejection.ratio(5))


def test_a_wrong_mean_of_rejection_samples_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    evaluation = {"draws": 1000, "kappas": [5], "alphas": [1]}
    right = rejection._known
    shifts = {}
    for shift in (0, 0.5):
        monkeypatch.setattr(
            rejection, "_known", lambda *law, by=shift: (right(*law)[0], right(*law)[1] + by, right(*law)[2])
        )
        shifts[shift] = found("rejection", evaluation, "rsvi", boost=0)
    for law in ("gamma", "sphere"):
        assert shifts[0][0, f"{law}/worst_mean_z"] < 5.5 < shifts[0.5][0, f"{law}/worst_mean_z"]


def test_jacobians_hold_and_a_doubled_noise_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert max(found("jacobians", {}).values()) < 1e-12
    monkeypatch.setattr(Normal, "path", lambda self, noise: self.loc + 2 * self.scale * noise["normal"])
    assert found("jacobians", {})[0, "scale_error"] > 0.1


def test_implicit_maps_are_exact_and_the_opposite_reading_is_not() -> None:
    rows = found("implicit_maps", {"draws": 50})
    assert rows[0, "derivative_error/one"] < 1e-9 and rows[0, "derivative_error/triangular"] < 1e-9
    assert rows[0, "wrong_map_error"] > 0.1


def test_flows_hold_and_a_wrong_determinant_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert max(found("flows", {"draws": 20}).values()) < 1e-6
    forward = PlanarFlow.forward
    monkeypatch.setattr(PlanarFlow, "forward", lambda self, x: (forward(self, x)[0], 2 * forward(self, x)[1]))
    assert found("flows", {"draws": 20})[0, "determinant_error/planar"] > 0.01


def test_bernoulli_has_no_path() -> None:
    rows = found("no_path", {})
    assert rows[0, "threshold_slope"] == 0 and rows[0, "refused"] == 1
    assert rows[0, "exact_slope"] == pytest.approx(0.55**2 - 0.45**2)


def test_public_functions_have_the_tutorial_s_shapes() -> None:
    rows = found("functions", {"samples": 3})
    for name in ("reparameterize", "reparameterize_k_samples"):
        assert rows[0, f"{name}/shape_error"] == 0 and rows[0, f"{name}/derivative_error"] < 1e-9
        assert rows[0, f"{name}/fit"] < 2.6


def test_small_scales_explode_unless_bounded() -> None:
    rows = found("small_scales", {"points": 5})
    assert rows[4, "raw"] == -200 and rows[4, "score/plain"] == math.inf == rows[4, "score/softplus"]
    assert rows[4, "score/clamp"] == pytest.approx(math.exp(10)) and rows[
        4, "score/constant"
    ] == pytest.approx(1e6)
    assert all(rows[4, f"score/own_{name}"] < 1e7 for name in paths.OWN)


def test_bound_s_two_forms_agree_and_a_wrong_kl_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert max(found("bound_forms", {"data": 5}).values()) < 1e-9
    monkeypatch.setattr(objectives, "closed_form", lambda x, params: 0 * x)
    assert found("bound_forms", {"data": 5})[0, "forms_error"] > 0.1


def test_split_gradient_sums_to_that_of_the_bound() -> None:
    rows = found("split_gradient", {"draws": 4000}, "score_function")
    assert rows[0, "split_z"] < 5.5 and rows[0, "second_z"] < 5.5 and rows[0, "first_relative_error"] < 0.3


def test_weighted_bound_rises_to_the_likelihood() -> None:
    rows = found("weighted_bound", {"data": 5, "repeats": 200, "samples": [1, 2, 20], "draws": 3000})
    assert rows[0, "bound"] < rows[1, "bound"] < rows[2, "bound"] < rows[2, "likelihood"]
    assert max(rows[step, "weights_error"] for step in range(3)) < 1e-9 and rows[1, "gradient_z"] < 5.5
    x, params = objectives._setting({"paper": "tutorials", "experiment": "test"}, 0, 5)
    elbo = oracles.objectives.expectation(objectives.bound(x), params).mean()
    assert rows[0, "bound"] == pytest.approx(elbo.item(), abs=0.5)


def test_two_noises_add_up() -> None:
    rows = found("two_noises", {"draws": 2000, "data": 20, "batch": 5, "samples": [1, 8]})
    for step in (0, 1):
        assert rows[step, "total"] == pytest.approx(rows[step, "exact_total"], rel=0.2)
    assert rows[1, "exact_data"] == rows[0, "exact_data"]
    assert rows[1, "exact_noise"] == pytest.approx(rows[0, "exact_noise"] / 8)


@pytest.mark.parametrize("use", ["bayesian_network", "normalizing_flow"])
def test_training_climbs(use: str) -> None:
    rows = found("use", {"use": use, "steps": 20, "rate": 0.1, "points": 2})
    assert rows[20, "objective"] > rows[0, "objective"] == rows[20, "objective_held"]


def test_a_law_that_is_held_learns_less_and_a_dead_gradient_nothing_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    evaluation = {"use": "variational_autoencoder", "steps": 30, "rate": 0.1, "points": 1}
    rows = found("use", evaluation)
    assert rows[30, "objective"] > rows[30, "objective_held"] > rows[0, "objective"]
    alive = uses.estimate_gradient

    def dead(*inputs: Any, **options: Any) -> Any:
        estimate = alive(*inputs, **options)
        kept = {n: g * (not n.startswith("encoder")) for n, g in estimate.gradient.items()}
        return estimate._replace(gradient=kept)

    monkeypatch.setattr(uses, "estimate_gradient", dead)
    rows = found("use", evaluation)
    assert rows[30, "objective"] == rows[30, "objective_held"]


def test_bound_of_the_categorical_vae_is_that_of_its_64_codes() -> None:
    """Σ_z q(z|x) (log p(x|z) + log p(z) − log q(z|x)), by numpy."""
    model = uses.categorical_vae(torch.Generator().manual_seed(0))
    params = {
        name: entry + 0.3 * torch.sin(torch.arange(entry.numel())).view(entry.shape)
        for name, entry in model.params.items()
    }
    weight, bias, out, level = (
        params[n].double().numpy()
        for n in ("encoder.weight", "encoder.bias", "decoder.weight", "decoder.bias")
    )
    x = data.prepare(data.load("digits"), "threshold").train[:100].double().numpy()
    logits = ((x - x.mean(0).clip(0.02, 0.98)) @ weight.T + bias).reshape(-1, 2, 8)
    log_q = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    total = 0.0
    for first in range(8):
        for second in range(8):
            pixels = level + out[:, first] + out[:, 8 + second]
            likelihood = (x * pixels - np.log1p(np.exp(pixels))).sum(-1)
            log_code = log_q[:, 0, first] + log_q[:, 1, second]
            total += (np.exp(log_code) * (likelihood - 2 * math.log(8) - log_code)).mean()
    assert float(model.objective(params)) == pytest.approx(total, rel=1e-5)


def test_tuning_lowers_the_variance_and_leaves_the_mean() -> None:
    evaluation = {"problem": "categories", "values": [0.4], "draws": 4000}
    tuning = {"steps": 60, "draws": 8, "rate": 0.1}
    start, end = (
        found("moments", e, "rebar", tuned="tensor") for e in (evaluation, {**evaluation, "tuning": tuning})
    )
    assert end[0, "variance"] < start[0, "variance"] and end[0, "bias_z"] < 5.5
