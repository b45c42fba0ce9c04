"""REBAR: exact in the mean whatever its options, its derivatives those of the two-evaluation form."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from sampled import (
    assert_descends_on_the_squared_norm,
    bound,
    doubles,
    estimates,
    largest_z,
    shifted,
    total_variance,
    trained,
)

from reparam import estimators
from reparam.distributions import Bernoulli, Categorical
from reparam.engine.gradient import estimate_gradient, prepare
from reparam.errors import ReparamError
from reparam.estimators import Estimator
from reparam.estimators.mixed import Mixed
from reparam.estimators.rebar import Rebar
from reparam.estimators.score_function import ScoreFunction
from reparam.measure.problems import PROBLEMS
from reparam.noise import draw_block, generator
from reparam.program import follow, run

LAYERS = ("bits_two_layers", "bits_shared", "one_hot_two_layers", "bits_above_normal")


@pytest.mark.parametrize("key", LAYERS)
@pytest.mark.parametrize("temperature", [0.2, 2.0])
@pytest.mark.parametrize("relaxation", ["concrete", "muprop"])
@pytest.mark.parametrize("coupled", [True, False])
def test_every_coefficient_is_exact_in_the_mean(
    coupled: bool, relaxation: Any, temperature: float, key: str
) -> None:
    rebar = Rebar(temperature, eta=0.0, relaxation=relaxation, coupled=coupled)
    without, with_one = (estimates(replace(rebar, eta=eta), key) for eta in (0.0, 1.0))
    for eta in (0.0, 0.5, 1.0, 2.0):
        found = {name: (1 - eta) * without[name] + eta * with_one[name] for name in without}
        assert largest_z(found, key) < bound(key), eta


def test_the_estimate_is_linear_in_its_coefficient() -> None:
    none, one, two = (estimates(Rebar(eta=eta), "bits_above_normal", 100) for eta in (0.0, 1.0, 2.0))
    for name, entry in two.items():
        torch.testing.assert_close(entry, 2 * one[name] - none[name])


def test_without_its_control_variate_it_is_the_score_function() -> None:
    for key in ("bits_two_layers", "one_hot_one_layer"):
        plain = estimates(ScoreFunction(), key, draws=50)
        for name, entry in estimates(Rebar(eta=0.0), key, draws=50).items():
            torch.testing.assert_close(entry, plain[name])


@dataclass(frozen=True)
class LaterHard(Rebar):
    """The known fault: later sites keep their hard samples in the control variate."""

    def variate(self, name, run, trace, params, noise, tunables):
        before = super().variate
        hard = {other: site.z for other, site in trace.sites.items()}

        def run_hard(stopped, choose):
            own = list(trace.sites).index(name)
            later = set(list(trace.sites)[own + 1 :])
            return run(stopped, lambda other, law: hard[other] if other in later else choose(other, law))

        return before(name, run_hard, trace, params, noise, tunables)


@pytest.mark.parametrize("key", ["bits_two_layers", "one_hot_two_layers"])
def test_later_sites_left_hard_bias_the_earlier_ones(key: str) -> None:
    """They depend on the discrete sample, so the correction no longer has the mean that it is thought to have."""
    found = estimates(LaterHard(temperature=0.5), key)
    assert largest_z({**found, "top": found["top"]}, key) > 2 * bound(key)


@pytest.mark.parametrize("coupled", [True, False])
@pytest.mark.parametrize("key", ["bits_one_layer", "one_hot_two_layers", "bits_in_context"])
def test_the_models_parameters_are_stopped_in_the_control_variate(key: str, coupled: bool) -> None:
    """What acts on f alone gets the score function's gradient draw by draw: live replays would only add noise."""
    plain, ours = estimates(ScoreFunction(), key, 50), estimates(Rebar(coupled=coupled), key, 50)
    torch.testing.assert_close(ours["weights"], plain["weights"])
    assert not torch.allclose(next(iter(ours.values())), next(iter(plain.values())))


# ---- both forms against plain autograd on two evaluations -------------------------------------------------------


def perturbed_bits(
    logits: torch.Tensor, u: torch.Tensor, fresh: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """z and z̃ before softening: z̃ from the uniform v in u's interval, at a fixed fraction of it: u's own, or fresh."""
    edge = torch.sigmoid(-logits)
    upper = u > edge
    fraction = torch.where(upper, (u - edge) / (1 - edge), u / edge).detach() if fresh is None else fresh
    v = torch.where(upper, edge + (1 - edge) * fraction, edge * fraction)
    return logits + torch.logit(u), logits + torch.logit(v)


def perturbed_one_hot(
    logits: torch.Tensor, u: torch.Tensor, fresh: torch.Tensor | None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The maximum is a standard Gumbel variable, the others are truncated at it: e^(−g) = e^(−max) + E e^(−logit)."""
    g = logits - torch.log(-torch.log(u))
    top = g.amax(-1, keepdim=True)
    chosen = g == top
    if fresh is None:
        least = torch.exp(-top).detach()
        exponential = ((torch.exp(-g) - torch.exp(-top)) * logits.exp()).detach()
    else:
        exponential = -fresh.log()
        least = (exponential * chosen).sum(-1, keepdim=True)
    others = -torch.log(least + exponential * torch.exp(-logits))
    return g, torch.where(chosen, -least.log(), others)


def two_evaluations(
    key: str, relaxation: str, params: Any, noise: Any, log_temperature: torch.Tensor, eta: torch.Tensor
) -> dict[str, torch.Tensor]:
    """REBAR's gradient at one noise, as the paper writes it: f at z and at z̃, differentiated by autograd.

    The score, the pathwise and the direct term have leaves of their own, and the replays the plain parameters.
    """
    program = PROBLEMS[key].program
    score, path, model = ({n: p.clone().requires_grad_() for n, p in params.items()} for _ in range(3))
    temperature = log_temperature.exp()

    def perturbed(law: Any, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        pair = perturbed_bits if isinstance(law, Bernoulli) else perturbed_one_hot
        return pair(law.logits, noise[name]["uniform"], noise[name].get("conditional.uniform"))

    def soft(law: Any, g: torch.Tensor) -> torch.Tensor:
        x = g / temperature
        if relaxation == "muprop":
            x = x + law.logits * temperature / (temperature + 1)
        return torch.sigmoid(x) if isinstance(law, Bernoulli) else torch.softmax(x, -1)

    def hard_choice(name: str, law: Any) -> torch.Tensor:
        return law.path(noise[name])

    hard = run(program, model, hard_choice)
    scored, pathed = (run(program, p, hard_choice).sites for p in (score, path))
    names = list(hard.sites)
    scores, paths = [], []
    for i, name in enumerate(names):
        values = []
        for which in (0, 1):

            def choose(other: str, law: Any, i: int = i, which: int = which) -> torch.Tensor:
                if names.index(other) < i:
                    return hard.sites[other].z
                own = pathed[other].law if other == names[i] else law
                return soft(own, perturbed(own, other)[which if other == names[i] else 0])

            values.append(run(program, params, choose).value)
        free, given = values
        log_q = scored[name].law.log_prob(hard.sites[name].z)
        scores.append((hard.value.detach() - eta * given) * log_q)
        paths.append(eta * (free - given))
    gradient = {name: torch.zeros_like(p) for name, p in params.items()}
    for value, leaves in ((hard.value, model), (sum(scores), score), (sum(paths), path)):
        found = torch.autograd.grad(value.sum(), list(leaves.values()), create_graph=True, allow_unused=True)
        for name, part in zip(params, found, strict=True):
            gradient[name] = gradient[name] + (0 if part is None else part)
    return gradient


@pytest.mark.parametrize(
    "key", ["bits_one_layer", "bits_two_layers", "one_hot_one_layer", "one_hot_two_layers"]
)
@pytest.mark.parametrize("relaxation", ["concrete", "muprop"])
@pytest.mark.parametrize("coupled", [True, False])
def test_the_estimate_is_that_of_the_paper(coupled: bool, relaxation: Any, key: str) -> None:
    """Gradient, and derivative of its squared norm in λ and η: per coordinate to rounding, at four draws."""
    estimator = Rebar(temperature=0.4, eta=0.7, relaxation=relaxation, coupled=coupled, tuned="site")
    program, params = PROBLEMS[key].program, doubles(key)
    sites = prepare(estimator, program, params)
    block = draw_block(estimator.noise(sites), ("two", key), 4, dtype=torch.float64)
    tunables, memory = estimator.start(params, sites, generator("two", "init"))
    for draw in range(4):
        noise = {site: {role: n[draw] for role, n in roles.items()} for site, roles in block.items()}
        found = estimate_gradient(estimator, program, params, noise, tunables, memory)
        log_temperature = torch.tensor(0.4, dtype=torch.float64).log().requires_grad_()
        eta = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
        single = {site: {role: n[0] for role, n in roles.items()} for site, roles in noise.items()}
        expected = two_evaluations(key, relaxation, params, single, log_temperature, eta)
        for name, entry in expected.items():
            torch.testing.assert_close(found.gradient[name], entry.detach(), rtol=1e-9, atol=1e-11)
        norm_squared = sum(entry.square().sum() for entry in expected.values())
        by_temperature, by_eta = torch.autograd.grad(norm_squared, [log_temperature, eta])
        ours = found.tunable_gradient
        for kind, expected_slope in (("log_temperature", by_temperature), ("eta", by_eta)):
            slope = sum(value for name, value in ours.items() if name.startswith(kind))
            torch.testing.assert_close(slope, expected_slope, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(
    ("options", "key"),
    [
        ({"tuned": "site"}, "one_hot_two_layers"),
        ({"tuned": "site", "coupled": False, "relaxation": "muprop"}, "bits_above_normal"),
        ({"tuned": "tensor", "relaxation": "muprop"}, "bits_two_layers"),
        ({"tuned": "tensor", "coupled": False}, "bits_shared"),
        ({"tuned": "site", "baseline_units": 3}, "bits_in_context"),
        ({"baseline_units": 2}, "bits_in_context"),
    ],
)
def test_the_variance_objective_descends_on_the_squared_norm(options: dict[str, Any], key: str) -> None:
    assert_descends_on_the_squared_norm(Rebar(temperature=0.6, eta=0.8, **options), key)


def test_by_tensor_each_parameter_has_its_own_coefficient_and_all_sites_one_temperature() -> None:
    """η = 2σ(η̃): the gradient of one parameter moves with its own η̃ alone."""
    key = "bits_two_layers"
    params = doubles(key)
    sites = prepare(Rebar(), PROBLEMS[key].program, params)
    first, _ = Rebar(tuned="tensor", eta=0.5).start(params, sites, generator("x"))
    assert set(first) == {"log_temperature", *(f"eta.{name}" for name in params)}
    by_tensor = Rebar(tuned="tensor")
    for eta in (0.5, 1.6):
        tunables = {**Rebar(tuned="tensor", eta=eta).start(params, sites, generator("x"))[0]}
        for name, entry in estimates(Rebar(eta=eta), key, 20).items():
            torch.testing.assert_close(estimates(by_tensor, key, 20, tunables)[name], entry)
    mixed = {**first, "eta.low": torch.tensor(0.3).double()}
    one, other = (estimates(by_tensor, key, 20, tunables) for tunables in (first, mixed))
    assert {name for name in params if not torch.equal(one[name], other[name])} == {"low"}


def test_a_baseline_is_subtracted_from_the_signal_and_learns_from_the_context() -> None:
    key, program = "bits_in_context", PROBLEMS["bits_in_context"].program
    estimator = Rebar(eta=0.0, baseline_units=5)
    plain, untrained = estimates(ScoreFunction(), key), estimates(estimator, key)
    for name, entry in plain.items():
        torch.testing.assert_close(untrained[name], entry)
    found = estimates(estimator, key, tunables=trained(estimator, program, doubles(key), steps=50, rate=0.05))
    assert largest_z(found, key) < bound(key)
    assert total_variance(found) < 0.9 * total_variance(plain)


def test_draw_by_draw_the_baseline_is_taken_from_the_signal() -> None:
    """The difference that it makes to an estimate is −Σ b(x) ∇ log q, by autograd on a network written out."""
    key, program = "bits_in_context", PROBLEMS["bits_in_context"].program
    params, estimator = doubles(key), Rebar(eta=0.0, baseline_units=3)
    sites = prepare(estimator, program, params)
    own = shifted(estimator.start(params, sites, generator("baseline"))[0], 0.7)
    own = {name: entry.double() for name, entry in own.items()}
    noise = draw_block(estimator.noise(sites), ("baseline", key), 1, dtype=torch.float64)
    noise = {site: {role: n[0] for role, n in roles.items()} for site, roles in noise.items()}
    single = {site: {role: n[0] for role, n in roles.items()} for site, roles in noise.items()}

    def expected(params: Any) -> torch.Tensor:
        total = torch.zeros((), dtype=torch.float64)
        for name, site in run(program, params, follow(single)).sites.items():
            (w0, b0), (w1, b1) = (
                [own[f"baseline.{name}.{layer}.{part}"] for part in ("weight", "bias")] for layer in (0, 1)
            )
            baseline = torch.tanh(site.context.double() @ w0.T + b0) @ w1.T + b1
            total = total - (baseline.squeeze(-1) * site.law.log_prob(site.z.detach())).sum()
        return total

    with_it = estimate_gradient(estimator, program, params, noise, own).gradient
    without = estimate_gradient(Rebar(eta=0.0), program, params, noise).gradient
    for name, entry in torch.func.grad(expected)(params).items():
        torch.testing.assert_close(with_it[name] - without[name], entry)


@pytest.mark.parametrize("tuned", ["site", "tensor"])
def test_tuning_lowers_the_variance(tuned: Any) -> None:
    """From η = 1.5 and λ = 0.2; one standard error of each variance is about 2 %."""
    key, program = "bits_two_layers", PROBLEMS["bits_two_layers"].program
    estimator = Rebar(temperature=0.2, eta=1.5, tuned=tuned, relaxation="muprop")
    before = total_variance(estimates(estimator, key))
    after = total_variance(
        estimates(estimator, key, tunables=trained(estimator, program, doubles(key), steps=50, rate=0.1))
    )
    assert after < 0.4 * before
    assert after < 0.5 * total_variance(estimates(ScoreFunction(), key))


# ---- one bit, f = (b − t)²: every moment by a grid over the only uniform ------------------------------------------

GRID = ((torch.arange(20_000, dtype=torch.float64) + 0.5) / 20_000).reshape(-1, 1)


def one_bit(estimator: Estimator, target: float, logit: float) -> tuple[float, float]:
    """Mean and variance of the estimate of d/dθ E(b − t)², over the midpoints of the uniform's deciles."""

    def program(params, sample):
        return (sample("z", Bernoulli(logits=params["logit"])) - target).square().sum(-1)

    params = {"logit": torch.tensor([logit], dtype=torch.float64)}
    prepare(estimator, program, params)
    found = torch.vmap(
        lambda u: estimate_gradient(estimator, program, params, {"z": {"uniform": u}}).gradient["logit"]
    )(GRID.unsqueeze(-1))
    return found.mean().item(), found.var().item()


@pytest.mark.parametrize("target", [0.45, 0.499])
def test_on_the_toy_it_beats_the_score_function_where_its_relaxation_fits(target: float) -> None:
    """The `muprop` relaxation away from θ = 0. (At θ = 0, t = 0.499, η = 1 and λ = 0.5 it does not: see below.)"""
    p = torch.sigmoid(torch.tensor(-2.0)).item()
    exact = p * (1 - p) * (1 - 2 * target)
    mean, variance = one_bit(Rebar(temperature=3.0, relaxation="muprop"), target, -2.0)
    plain_mean, plain_variance = one_bit(ScoreFunction(), target, -2.0)
    assert mean == pytest.approx(exact, abs=1e-5) and plain_mean == pytest.approx(exact, abs=1e-5)
    assert variance < 0.6 * plain_variance


def test_on_the_toy_an_untuned_concrete_relaxation_is_worse_than_the_score_function() -> None:
    """log variance at θ = 0, t = 0.499: −4.159 (ln 1/64 in closed form), and −3.751 by a formula of its own for z̃."""
    assert torch.tensor(one_bit(ScoreFunction(), 0.499, 0.0)[1]).log().item() == pytest.approx(
        -4.1589, abs=1e-3
    )
    u = GRID.flatten()
    z, b, p = torch.logit(u), (u > 0.5).double(), 0.5
    soft = torch.sigmoid(z / 0.5)
    slope = 2 * (soft - 0.499) * soft * (1 - soft) / 0.5
    given = torch.where(b > 0, 1 - (1 - p) / u, 1 - p / (1 - u))  # dz̃/dθ at a fixed fraction of the interval
    estimate = ((b - 0.499).square() - (soft - 0.499).square()) * (b - p) + slope * (1 - given)
    mean, variance = one_bit(Rebar(temperature=0.5), 0.499, 0.0)
    assert mean == pytest.approx(estimate.mean().item(), abs=1e-12)
    assert variance == pytest.approx(estimate.var().item(), rel=1e-9)
    assert torch.tensor(variance).log().item() == pytest.approx(-3.7507, abs=1e-3)


# ---- beside other estimators, and what is refused ----------------------------------------------


@pytest.mark.parametrize(
    ("sites", "key"),
    [
        ({"top": {"name": "pathwise"}, "low": {"name": "rebar"}}, "normal_above_bits"),
        ({"top": {"name": "rebar"}, "low": {"name": "rebar", "temperature": 1.0}}, "bits_two_layers"),
        (
            {"top": {"name": "rebar", "tuned": "tensor"}, "low": {"name": "score_function"}},
            "one_hot_two_layers",
        ),
        ({"top": {"name": "rebar"}, "low": {"name": "pathwise"}}, "bits_above_normal"),
    ],
)
def test_nested_with_other_estimators_it_stays_exact(sites: dict[str, Any], key: str) -> None:
    """Outer sites stay live in the runs of an inner control variate, which must not change its mean."""
    assert largest_z(estimates(Mixed(sites=sites), key), key) < bound(key)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"relaxation": "concret"}, "rebar: unknown relaxation 'concret'; did you mean 'concrete'"),
        ({"tuned": "tensors"}, "rebar: unknown tuned 'tensors'; did you mean 'tensor'"),
        ({"temperature": 0.0}, "rebar: temperature must be positive and finite, got 0.0"),
        ({"baseline_units": 1.5}, "rebar: baseline_units must be an integer, got 1.5"),
        ({"tuned": "tensor", "eta": 2.0}, r"rebar: eta tuned by tensor starts in \(0, 2\), got 2.0"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ReparamError, match=message):
        estimators.make("rebar", options)


def test_a_later_site_without_relaxation_or_path_is_refused() -> None:
    def program(params, sample):
        top = sample("top", Bernoulli(logits=params["top"]))
        low = sample("low", Categorical(logits=top.sum(-1, keepdim=True) + params["low"]))
        return top.sum(-1) + low

    params = {"top": torch.zeros(2, 1), "low": torch.zeros(2, 3)}
    with pytest.raises(
        ReparamError,
        match="rebar needs a relaxation or a differentiable path, and sample site 'low' has a Categorical law",
    ):
        prepare(Rebar(), program, params)


@pytest.mark.parametrize("tuned", ["site", "tensor"])
def test_the_temperature_may_stay_while_eta_is_tuned(tuned: Any) -> None:
    """At equal tunables it is the adaptive estimator; what it tunes is η alone."""
    fixed, adaptive = (Rebar(0.3, tuned=tuned, adaptive=adaptive) for adaptive in (False, True))
    assert fixed.card.tunables == {"eta"} and adaptive.card.tunables == {"eta", "log_temperature"}
    mine, theirs = estimates(fixed, "bits_two_layers", 50), estimates(adaptive, "bits_two_layers", 50)
    for name, entry in theirs.items():
        torch.testing.assert_close(mine[name], entry)
    assert_descends_on_the_squared_norm(fixed, "bits_two_layers")
