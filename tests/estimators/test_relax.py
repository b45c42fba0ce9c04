"""RELAX and LAX: exact in the mean at any weights of their networks, which learn to lower the variance."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from sampled import (
    assert_descends_on_the_squared_norm,
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
from reparam.distributions import Bernoulli, Normal
from reparam.engine.gradient import estimate_gradient, prepare
from reparam.errors import ReparamError
from reparam.estimators.rebar import Rebar
from reparam.estimators.relax import ACTIVATIONS, Lax, Relax, _surrogate
from reparam.estimators.score_function import ScoreFunction
from reparam.measure.problems import PROBLEMS
from reparam.noise import draw_block
from reparam.program import Site


def some_tunables(estimator: Any, key: str) -> dict[str, torch.Tensor]:
    """Weights, coefficients and temperatures that none of them starts with."""
    first, _, _ = start(estimator, PROBLEMS[key].program, doubles(key))
    return shifted({name: value + ("scale" in name) for name, value in first.items()})


@pytest.mark.parametrize("coupled", [True, False])
@pytest.mark.parametrize("key", ["bits_two_layers", "one_hot_two_layers", "bits_shared", "bits_above_normal"])
def test_before_it_has_learned_it_is_rebar_draw_by_draw(key: str, coupled: bool) -> None:
    options: dict[str, Any] = {"temperature": 0.4, "eta": 0.7, "coupled": coupled, "relaxation": "muprop"}
    relax, rebar = (estimates(kind(**options), key, 50) for kind in (Relax, Rebar))
    for name, entry in rebar.items():
        assert torch.equal(relax[name], entry)


@pytest.mark.parametrize(
    ("estimator", "key"),
    [
        (Relax(surrogate="network"), "bits_two_layers"),
        (Relax(surrogate="network", coupled=False), "one_hot_two_layers"),
        (Lax(), "normal_two_layers"),
    ],
)
def test_a_network_that_says_nothing_leaves_the_score_function(estimator: Any, key: str) -> None:
    plain = estimates(ScoreFunction(), key, 50)
    for name, entry in estimates(estimator, key, 50).items():
        torch.testing.assert_close(entry, plain[name])


@pytest.mark.parametrize("key", ["bits_two_layers", "bits_in_context", "bits_shared", "one_hot_two_layers"])
@pytest.mark.parametrize("surrogate", ["relaxation+network", "network"])
@pytest.mark.parametrize("coupled", [True, False])
def test_relax_is_exact_in_the_mean_at_any_weights(coupled: bool, surrogate: Any, key: str) -> None:
    estimator = Relax(surrogate=surrogate, coupled=coupled, hidden=(6,))
    tunables = some_tunables(estimator, key)
    assert largest_z(estimates(estimator, key, tunables=tunables), key) < bound(key)


@pytest.mark.parametrize("key", ["normal_one_layer", "normal_two_layers", "normal_shared"])
def test_lax_is_exact_in_the_mean_at_any_weights(key: str) -> None:
    estimator = Lax(hidden=(6, 5))
    assert largest_z(estimates(estimator, key, tunables=some_tunables(estimator, key)), key) < bound(key)


@pytest.mark.parametrize(
    ("estimator", "key"),
    [
        (Relax(hidden=(3,)), "bits_in_context"),
        (Relax(hidden=(2,), tuned="tensor", surrogate="network"), "one_hot_two_layers"),
        (Relax(hidden=(2, 2), tuned="none", coupled=False), "bits_shared"),
        (Lax(hidden=(3,)), "normal_two_layers"),
    ],
)
def test_the_networks_descend_on_the_squared_norm(estimator: Any, key: str) -> None:
    assert_descends_on_the_squared_norm(estimator, key)


# ---- one variable, by the paper's formula ---------------------------------------------------------------------------


def network(tunables: dict[str, torch.Tensor], inputs: torch.Tensor) -> torch.Tensor:
    """scale · (w₂ tanh(w₁ x + b₁) + b₂) on [N, inputs]."""
    hidden = torch.tanh(inputs @ tunables["surrogate.z.0.weight"].T + tunables["surrogate.z.0.bias"])
    output = hidden @ tunables["surrogate.z.1.weight"].T + tunables["surrogate.z.1.bias"]
    return tunables["surrogate_scale.z"] * output.squeeze(-1)


@pytest.mark.parametrize("surrogate", ["relaxation+network", "network"])
def test_relax_is_the_formula_of_the_paper(surrogate: Any) -> None:
    """One bit with an input x: [f(b) − η c(z)] (b − p) + η c'(z) (1 − dz̃/dθ) z'(g), c on 2z − 1 and x."""
    x = torch.tensor([0.7], dtype=torch.float64)

    def program(params, sample):
        return (sample("z", Bernoulli(logits=params["logit"]), context=x) - 0.3).square().sum(-1)

    params = {"logit": torch.tensor([0.4], dtype=torch.float64)}
    estimator = Relax(surrogate=surrogate, hidden=(5,))
    first, memory, _ = start(estimator, program, params)
    tunables = shifted(first, by=0.5)
    u = ((torch.arange(101, dtype=torch.float64) + 0.5) / 101).unsqueeze(-1)
    found = torch.vmap(
        lambda u: estimate_gradient(
            estimator, program, params, {"z": {"uniform": u.unsqueeze(0)}}, tunables, memory
        ).gradient["logit"]
    )(u)

    g = params["logit"] + torch.logit(u)
    b, p = (g > 0).double(), params["logit"].sigmoid()
    temperature, eta = tunables["log_temperature.z"].exp(), tunables["eta.z"]
    z = torch.sigmoid(g / temperature).requires_grad_()
    c = network(tunables, torch.cat([2 * z - 1, x.expand(101, 1)], -1))
    if surrogate != "network":
        c = c + (z - 0.3).square().sum(-1)
    (slope,) = torch.autograd.grad(c.sum(), z)
    given = torch.where(b > 0, 1 - (1 - p) / u, 1 - p / (1 - u))
    path = slope * (z * (1 - z) / temperature) * (1 - given)
    score = ((b - 0.3).square() - eta * c.unsqueeze(-1)) * (b - p)
    torch.testing.assert_close(found, (score + eta * path).detach(), rtol=1e-9, atol=1e-12)


def test_lax_is_the_formula_of_the_paper() -> None:
    """One Normal code: [f(z) − r(z)] ∇ log q(z) + r'(z) (1, ε) for the mean and the log scale."""

    def program(params, sample):
        return sample("z", Normal(params["loc"], params["log_scale"].exp())).abs().sum(-1)

    params = {"loc": torch.tensor([0.5]).double(), "log_scale": torch.tensor([-0.3]).double()}
    first, memory, _ = start(Lax(hidden=(5,)), program, params)
    tunables = shifted(first, by=0.5)
    epsilon = torch.linspace(-2, 2, 31, dtype=torch.float64).unsqueeze(-1)
    found = torch.vmap(
        lambda e: (
            estimate_gradient(
                Lax(hidden=(5,)), program, params, {"z": {"normal": e.unsqueeze(0)}}, tunables, memory
            ).gradient
        )
    )(epsilon)

    scale = params["log_scale"].exp()
    z = (params["loc"] + scale * epsilon).requires_grad_()
    r = network(tunables, z)
    (slope,) = torch.autograd.grad(r.sum(), z)
    weight = (z.abs().squeeze(-1) - r).unsqueeze(-1)
    by_loc = weight * epsilon / scale + slope
    by_log_scale = weight * (epsilon.square() - 1) + slope * scale * epsilon
    torch.testing.assert_close(found["loc"], by_loc.detach(), rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(found["log_scale"], by_log_scale.detach(), rtol=1e-9, atol=1e-12)


# ---- what learning does ----------------------------------------------------------------------------------------------


def toy(params, sample):
    return (sample("z", Bernoulli(logits=params["logit"])) - 0.499).square().sum(-1)


@pytest.mark.parametrize("surrogate", ["relaxation+network", "network"])
def test_on_the_papers_toy_the_network_removes_most_of_the_variance(surrogate: Any) -> None:
    """(b − 0.499)², where no constant baseline and no REBAR helps much: below a twentieth of the score function's."""
    params = {"logit": torch.zeros(1, dtype=torch.float64)}
    estimator = Relax(surrogate=surrogate)
    tunables = trained(estimator, toy, params, steps=200, rate=1.0)
    found = estimates_of(estimator, toy, params, 10_000, tunables)["logit"]
    plain = estimates_of(ScoreFunction(), toy, params, 10_000)["logit"]
    assert found.var() < plain.var() / 20


def test_lax_learns_to_beat_the_score_function() -> None:
    key = "normal_one_layer"
    tunables = trained(Lax(), PROBLEMS[key].program, doubles(key), steps=100, rate=0.003)
    plain, found = estimates(ScoreFunction(), key), estimates(Lax(), key, tunables=tunables)
    assert total_variance(found) < 0.7 * total_variance(plain)


# ---- black boxes -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("estimator", [Relax(surrogate="network"), Lax()])
def test_a_free_network_needs_f_at_its_samples_only(estimator: Any) -> None:
    """f is a black box without derivative, and for bits one that knows 0 and 1 alone."""
    bits = isinstance(estimator, Relax)

    def program(params, sample):
        law = Bernoulli(logits=params["a"]) if bits else Normal(params["a"], torch.ones_like(params["a"]))
        z = sample("z", law).detach()
        allowed = (z == 0) | (z == 1) if bits else torch.ones_like(z, dtype=torch.bool)
        return torch.where(allowed, (z > 0.5).to(z.dtype), torch.nan).sum(-1)

    params = {"a": torch.tensor([[0.3, -0.2]], dtype=torch.float64)}
    assert not estimator.card.needs_derivative
    found = estimates_of(estimator, program, params, 20_000)["a"]
    p = params["a"].sigmoid()
    exact = p * (1 - p) if bits else torch.exp(-0.5 * (0.5 - params["a"]).square()) / (2 * torch.pi) ** 0.5
    assert ((found.mean(0) - exact).abs() < 5 * found.std(0) / 20_000**0.5).all()
    with pytest.raises(ReparamError, match="no differentiable path"):
        prepare(Relax() if bits else estimators.make("pathwise"), program, params)


def test_given_signals_take_the_place_of_f() -> None:
    params = {"a": torch.tensor([[0.3, -0.2], [1.0, 0.4]], dtype=torch.float64)}

    def program(params, sample):
        return 0 * sample("z", Bernoulli(logits=params["a"])).sum(-1)

    estimator = Relax(surrogate="network", eta=0.0)
    tunables, memory, _ = start(estimator, program, params)
    u = torch.tensor([[0.2, 0.6], [0.9, 0.1]], dtype=torch.float64)
    given = torch.tensor([2.0, -1.0], dtype=torch.float64)
    found = estimate_gradient(
        estimator, program, params, {"z": {"uniform": u.unsqueeze(0)}}, tunables, memory, signals={"z": given}
    ).gradient["a"]
    b = (params["a"] + torch.logit(u) > 0).double()
    torch.testing.assert_close(found, given.unsqueeze(-1) * (b - params["a"].sigmoid()))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("relax", {"surrogate": "networks"}, "relax: unknown surrogate 'networks'; did you mean 'network'"),
        ("relax", {"hidden": 10}, "relax: hidden must be a list of layer sizes, got 10"),
        ("lax", {"hidden": [10, 0]}, "lax: every size in hidden must be an integer ≥ 1, got 0"),
        ("relax", {"temperature": -1.0}, "relax: temperature must be positive and finite, got -1.0"),
    ],
)
def test_options_that_make_no_sense_are_refused(name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ReparamError, match=message):
        estimators.make(name, options)


def test_a_list_of_sizes_from_a_file_is_as_good_as_a_tuple() -> None:
    assert estimators.make("lax", {"hidden": [4, 3]}) == Lax(hidden=(4, 3))


def test_a_free_network_follows_no_path_of_f() -> None:
    """A Normal code would need ∂f, so this option takes relaxable laws alone."""
    problem = PROBLEMS["bits_above_normal"]
    with pytest.raises(
        ReparamError, match="relax needs a relaxation, and sample site 'low' has a Normal law"
    ):
        prepare(Relax(surrogate="network"), problem.program, problem.params)


def test_weights_decay_beside_the_mean_squared_entry_for_the_plate_s_mean() -> None:
    """∂/∂w of P B² (λ/2 ‖w‖²) is added for the network alone, with P entries of parameters and B of the plate."""
    key, decay = "bits_two_layers", 1e-3
    program, params = PROBLEMS[key].program, doubles(key)
    plain, decayed = Relax(hidden=(3,)), Relax(hidden=(3,), weight_decay=decay)
    tunables = some_tunables(plain, key)
    specs = start(plain, program, params)[2]
    noise = {
        site: {role: value[0] for role, value in roles.items()}
        for site, roles in draw_block(specs, ("decay",), 1, dtype=torch.float64).items()
    }
    one, other = (estimate_gradient(e, program, params, noise, tunables) for e in (plain, decayed))
    scale = sum(p.numel() for p in params.values()) * one.value.numel() ** 2
    for name, slope in one.tunable_gradient.items():
        extra = decay * scale * tunables[name] if name.startswith("surrogate.") else 0.0
        torch.testing.assert_close(other.tunable_gradient[name], slope + extra)
    for name, entry in one.gradient.items():
        assert torch.equal(other.gradient[name], entry)


def test_its_units_may_be_rectified() -> None:
    """With weights of one sign relu units pass what they get: a network that is linear."""
    linear = {"surrogate.z.0.weight": torch.ones(2, 3), "surrogate.z.0.bias": torch.full((2,), 9.0)}
    linear |= {"surrogate.z.1.weight": torch.ones(1, 2), "surrogate.z.1.bias": torch.zeros(1)}
    site = Site(Bernoulli(logits=torch.zeros(4, 3)), torch.zeros(4, 3), None, False)
    own = torch.rand(4, 3)
    found = _surrogate("z", site, linear | {"surrogate_scale.z": torch.tensor(0.5)}, ACTIVATIONS["relu"])(own)
    torch.testing.assert_close(found, own.sum(-1) + 9)


@pytest.mark.parametrize("decay", [-1e-3, float("inf")])
def test_a_weight_decay_is_positive_and_finite(decay: float) -> None:
    with pytest.raises(ReparamError, match="weight_decay must be 0 or positive"):
        Relax(weight_decay=decay)
