"""MuProp: exact for linear f, exact in the mean for any f and any number of layers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from sampled import (
    DRAWS,
    bound,
    doubles,
    estimates,
    estimates_of,
    largest_z,
    shifted,
    start,
    total_variance,
    trained,
)

from reparam import estimators
from reparam.distributions import Bernoulli, OneHotCategorical
from reparam.engine.gradient import estimate_gradient, prepare
from reparam.errors import ReparamError
from reparam.estimators.mixed import Mixed
from reparam.estimators.muprop import MuProp
from reparam.estimators.score_function import ScoreFunction
from reparam.measure.problems import PROBLEMS
from reparam.noise import draw_block
from reparam.program import follow, run


@pytest.mark.parametrize("law", [Bernoulli, OneHotCategorical])
def test_a_linear_f_has_no_variance(law: Any) -> None:
    """Every draw is the exact gradient ∇ (w · E[x])."""
    weights = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)

    def program(params, sample):
        return sample("x", law(logits=params["logits"])) @ weights + params["logits"].sum(-1)

    params = {"logits": torch.tensor([[0.3, -1.0, 0.8], [2.0, 0.1, 0.0]], dtype=torch.float64)}
    leaf = params["logits"].clone().requires_grad_()
    exact_mean = leaf.sigmoid() if law is Bernoulli else leaf.softmax(-1)
    (exact,) = torch.autograd.grad((exact_mean @ weights + leaf.sum(-1)).sum(), leaf)
    found = estimates_of(MuProp(), program, params, 20)["logits"]
    torch.testing.assert_close(found, exact.expand(20, 2, 3), rtol=1e-9, atol=1e-12)


def mean_of(law: Any) -> torch.Tensor:
    return torch.sigmoid(law.logits) if isinstance(law, Bernoulli) else law.logits.softmax(-1)


def mean_field(key: str) -> tuple[Any, dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """f at the mean field, the means by site, and the derivative of f in each, through the later ones."""
    shifts: dict[str, torch.Tensor] = {}

    def choose(name: str, law: Any) -> torch.Tensor:
        shifts[name] = torch.zeros(law.shape, dtype=torch.float64, requires_grad=True)
        return mean_of(law) + shifts[name]

    trace = run(PROBLEMS[key].program, doubles(key), choose)
    slopes = torch.autograd.grad(trace.value.sum(), list(shifts.values()))
    means = {name: site.z.detach() for name, site in trace.sites.items()}
    return trace.value.detach(), means, dict(zip(shifts, slopes, strict=True))


def by_hand(key: str, draws: int) -> dict[str, torch.Tensor]:
    """MuProp's estimates from its formula, one at a time."""
    program, params = PROBLEMS[key].program, doubles(key)
    specs = start(MuProp(), program, params)[2]
    block = draw_block(specs, ("sampled",), draws, dtype=torch.float64)
    value, means, slopes = mean_field(key)
    found = []
    for draw in range(draws):
        noise = {name: {"uniform": roles["uniform"][draw, 0]} for name, roles in block.items()}
        leaves = {name: p.clone().requires_grad_() for name, p in params.items()}
        trace = run(program, leaves, follow(noise))
        total = trace.value.sum()
        for name, slope in slopes.items():
            site = trace.sites[name]
            event = tuple(range(-site.law.event_dims, 0))
            signal = trace.value.detach() - value - (slope * (site.z - means[name])).sum(event)
            total = total + (signal * site.law.log_prob(site.z)).sum() + (slope * mean_of(site.law)).sum()
        gradients = torch.autograd.grad(total, list(leaves.values()))
        found.append(dict(zip(leaves, gradients, strict=True)))
    return {name: torch.stack([entry[name] for entry in found]) for name in params}


@pytest.mark.parametrize(
    "key", ["bits_one_layer", "bits_two_layers", "one_hot_one_layer", "one_hot_two_layers"]
)
def test_it_is_the_formula_of_the_paper(key: str) -> None:
    ours = estimates(MuProp(), key, 10)
    for name, entry in by_hand(key, 10).items():
        torch.testing.assert_close(ours[name], entry, rtol=1e-9, atol=1e-12)


def test_the_correction_at_the_mean_field_would_bias_two_layers() -> None:
    """μ of the lower layer at the means of the upper one is not the mean of what is subtracted."""
    key = "bits_two_layers"
    program, params = PROBLEMS[key].program, doubles(key)
    _, means, slopes = mean_field(key)

    def difference(params: Any, noise: Any) -> torch.Tensor:
        at_samples = run(program, params, follow(noise)).sites["low"].law.mean
        at_means = run(program, params, lambda name, law: means[name]).sites["low"].law.mean
        return (slopes["low"] * (at_means - at_samples)).sum()

    block = draw_block(start(MuProp(), program, params)[2], ("sampled",), DRAWS, dtype=torch.float64)
    single = {name: {"uniform": roles["uniform"][:, 0]} for name, roles in block.items()}
    change = torch.vmap(lambda noise: torch.func.grad(difference)(params, noise))(single)
    right = estimates(MuProp(), key)
    assert largest_z(right, key) < bound(key)
    assert largest_z({name: right[name] + change[name] for name in right}, key) > 2 * bound(key)


@pytest.mark.parametrize("key", ["bits_one_layer", "one_hot_two_layers"])
@pytest.mark.parametrize("options", [{}, {"simple": True}])
def test_the_models_parameters_get_the_score_functions_gradient(key: str, options: dict[str, Any]) -> None:
    """The mean-field pass has stopped parameters: what acts on f alone is not in the control variate."""
    plain, ours = estimates(ScoreFunction(), key, 50), estimates(MuProp(**options), key, 50)
    torch.testing.assert_close(ours["weights"], plain["weights"])
    assert not torch.allclose(next(iter(ours.values())), next(iter(plain.values())))


@pytest.mark.parametrize("key", ["bits_two_layers", "bits_in_context", "bits_shared", "one_hot_two_layers"])
@pytest.mark.parametrize("simple", [False, True])
def test_it_is_exact_in_the_mean_at_any_coefficients(simple: bool, key: str) -> None:
    estimator = MuProp(scaled=True, baseline_units=3, simple=simple)
    tunables = shifted(start(estimator, PROBLEMS[key].program, doubles(key))[0], by=1.0)
    assert largest_z(estimates(estimator, key, tunables=tunables), key) < bound(key)


@pytest.mark.parametrize(
    ("sites", "key"),
    [
        ({"top": {"name": "pathwise"}, "low": {"name": "muprop"}}, "normal_above_bits"),
        ({"top": {"name": "rebar"}, "low": {"name": "muprop"}}, "bits_two_layers"),
        ({"top": {"name": "muprop"}, "low": {"name": "rebar"}}, "one_hot_two_layers"),
    ],
)
def test_nested_with_other_estimators_it_stays_exact(sites: dict[str, Any], key: str) -> None:
    assert largest_z(estimates(Mixed(sites=sites), key), key) < bound(key)


def test_coefficients_begin_at_one() -> None:
    key = "bits_in_context"
    for options in ({}, {"simple": True}):
        plain = estimates(MuProp(**options), key, 20)
        for name, entry in estimates(MuProp(scaled=True, baseline_units=3, **options), key, 20).items():
            torch.testing.assert_close(entry, plain[name])


def test_simple_subtracts_f_at_the_mean_field_and_needs_no_derivative() -> None:
    """[f(x) − f(x̄)] (x − p) for f a step, whose values alone are wanted."""

    def program(params, sample):
        return (sample("x", Bernoulli(logits=params["logits"])) >= 0.6).double().sum(-1) + 5

    params = {"logits": torch.tensor([[1.0, -1.0]], dtype=torch.float64)}
    u = torch.tensor([[[0.9, 0.9]]], dtype=torch.float64)
    found = estimate_gradient(MuProp(simple=True), program, params, {"x": {"uniform": u}}).gradient["logits"]
    p = params["logits"].sigmoid()
    torch.testing.assert_close(found, (2 - 1) * (1 - p))
    prepare(MuProp(simple=True), program, params)
    with pytest.raises(ReparamError, match="muprop differentiates f"):
        prepare(MuProp(), program, params)


def test_coefficients_and_baseline_descend_on_the_squared_signal() -> None:
    """By finite differences of ½ Σ signal², the signal written out by hand; the estimate does not depend on it."""
    x = torch.tensor([[0.5, -1.0], [2.0, 0.3]], dtype=torch.float64)

    def program(params, sample):
        z = sample("x", Bernoulli(logits=params["logits"]), context=x)
        return (z.sum(-1) - 0.3).square()

    params = {"logits": torch.tensor([[0.4, -0.2], [1.0, 0.1]], dtype=torch.float64)}
    estimator = MuProp(scaled=True, baseline_units=2)
    tunables = shifted(start(estimator, program, params)[0], by=0.7)
    u = torch.tensor([[[0.3, 0.6], [0.2, 0.95]]], dtype=torch.float64)
    found = estimate_gradient(estimator, program, params, {"x": {"uniform": u}}, tunables)

    leaves = {name: value.clone().requires_grad_() for name, value in tunables.items()}
    p = params["logits"].sigmoid()
    b = (params["logits"] + torch.logit(u[0]) > 0).double()
    slope = 2 * (p.sum(-1, keepdim=True) - 0.3)
    by_value, by_slope = (2 * leaves[f"eta.x.{term}"].sigmoid() for term in ("value", "slope"))
    hidden = torch.tanh(x @ leaves["baseline.x.0.weight"].T + leaves["baseline.x.0.bias"])
    baseline = (hidden @ leaves["baseline.x.1.weight"].T + leaves["baseline.x.1.bias"]).squeeze(-1)
    signal = (b.sum(-1) - 0.3).square() - by_value * (p.sum(-1) - 0.3).square()
    signal = signal - by_slope * (slope * (b - p)).sum(-1) - baseline
    expected = torch.autograd.grad(0.5 * signal.square().sum(), list(leaves.values()))
    for name, entry in zip(leaves, expected, strict=True):
        torch.testing.assert_close(found.tunable_gradient[name], entry)
    ours = signal.unsqueeze(-1) * (b - p) + by_slope * slope * p * (1 - p)
    torch.testing.assert_close(found.gradient["logits"], ours.detach())


def test_a_running_mean_is_that_of_earlier_signals() -> None:
    """f = c + x: after one estimate with decay 0 the constant is gone, and the first estimate has none to subtract."""

    def program(params, sample):
        return 10 + sample("x", Bernoulli(logits=params["logits"])).sum(-1).square()

    params = {"logits": torch.tensor([[0.4, -0.3], [0.1, 2.0]], dtype=torch.float64)}
    estimator = MuProp(simple=True, centre=True, decay=0.6)
    tunables, memory, specs = start(estimator, program, params)
    block = draw_block(specs, ("centre",), 3, dtype=torch.float64)
    p = params["logits"].sigmoid()
    seen: list[torch.Tensor] = []
    for step in range(3):
        u = block["x"]["uniform"][step]
        found = estimate_gradient(estimator, program, params, {"x": {"uniform": u}}, tunables, memory)
        b = (params["logits"] + torch.logit(u[0]) > 0).double()
        left = b.sum(-1).square() - p.sum(-1).square()
        weights = torch.tensor([0.6 ** (step - 1 - i) for i in range(step)], dtype=torch.float64)
        mean = (weights * torch.stack(seen)).sum() / weights.sum() if seen else torch.zeros(())
        torch.testing.assert_close(found.gradient["logits"], (left - mean).unsqueeze(-1) * (b - p))
        memory = found.memory
        seen.append(left.mean())


def test_coefficients_and_baseline_learn_to_lower_the_variance() -> None:
    key = "bits_in_context"
    estimator = MuProp(scaled=True, baseline_units=5)
    tunables = trained(estimator, PROBLEMS[key].program, doubles(key), steps=50, rate=0.03)
    plain = total_variance(estimates(ScoreFunction(), key))
    untrained = total_variance(estimates(estimator, key))
    learned = total_variance(estimates(estimator, key, tunables=tunables))
    assert learned < 0.95 * untrained < 0.8 * plain


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"decay": 1.0}, r"muprop: decay must lie in \[0, 1\), got 1.0"),
        ({"samples": 0}, "muprop: samples must be an integer ≥ 1, got 0"),
        ({"baseline_units": -1}, "muprop: baseline_units must be an integer ≥ 0, got -1"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ReparamError, match=message):
        estimators.make("muprop", options)


@pytest.mark.parametrize("simple", [False, True])
def test_normalising_divides_the_score_term_alone(simple: bool) -> None:
    """After signals of mean 3 and standard deviation 4, beside those of deviation ½: the score's part by four, no more.

    With `simple` nothing else reaches the bits' logits; else the correction of the slopes stays whole.
    """
    key = "bits_two_layers"
    program, params = PROBLEMS[key].program, doubles(key)
    estimator = MuProp(simple=simple, centre=True, normalise=True)
    tunables, memory, specs = start(estimator, program, params)
    noise = {
        name: {role: draw[0] for role, draw in roles.items()}
        for name, roles in draw_block(specs, ("sampled",), 1, dtype=torch.float64).items()
    }
    found = {}
    for deviation in (0.5, 4.0, 8.0):
        told = {
            "mean": {name: torch.tensor(3.0).double() for name in memory["mean"]},
            "variance": {name: torch.tensor(deviation**2).double() for name in memory["variance"]},
            "weight": torch.tensor(2.0).double(),
        }
        found[deviation] = estimate_gradient(estimator, program, params, noise, tunables, told).gradient
    plain = MuProp(simple=simple, centre=True)
    own = {"mean": told["mean"], "variance": told["variance"], "weight": told["weight"]}
    whole = estimate_gradient(plain, program, params, noise, tunables, own).gradient
    moved = False
    for name in params:
        score = (found[0.5][name] - found[4.0][name]) / 0.75
        moved = moved or bool(score.abs().max() > 1e-3)
        torch.testing.assert_close(found[0.5][name], whole[name])
        torch.testing.assert_close(found[8.0][name], found[0.5][name] - 0.875 * score)
    assert moved
