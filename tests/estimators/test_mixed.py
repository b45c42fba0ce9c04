"""Mixed: groups of sites nest, each with an estimator of its own."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import norm

from reparam import estimators
from reparam.distributions import Bernoulli, Normal
from reparam.engine.gradient import estimate_gradient, prepare
from reparam.errors import ReparamError
from reparam.estimators.mixed import Mixed
from reparam.noise import draw_block, generator

PARAMS = {
    "logits": torch.tensor([[0.4, -0.8], [1.1, 0.2]]),
    "mean": torch.tensor([[0.3], [-0.5]]),
    "link": torch.tensor([0.7, -0.4]),
    "low": torch.tensor([[0.6], [-0.2]]),
}
DRAWS = 40_000
FALSE_ALARM = 1e-6
"""Of one test of all coordinates, for a right estimator."""


def program(params, sample):
    """Two data: two bits, a Normal code below them, one bit below both."""
    bits = sample("bits", Bernoulli(logits=params["logits"]))
    mean = params["mean"] + (bits * params["link"]).sum(-1, keepdim=True)
    code = sample("code", Normal(mean, torch.full((2, 1), 0.8)))
    low = sample("low", Bernoulli(logits=params["low"] + 0.5 * code))
    return (code.sum(-1) - 0.4 + low.sum(-1)).square() + (bits.sum(-1) * code.sum(-1)) * params["mean"].sum(
        -1
    )


def exact() -> dict[str, torch.Tensor]:
    """Every bit by its mass, the code by Gauss–Hermite nodes."""
    nodes, weights = (torch.tensor(part) for part in np.polynomial.hermite_e.hermegauss(40))
    params = {name: p.double().requires_grad_() for name, p in PARAMS.items()}
    total = torch.zeros((), dtype=torch.float64)
    for first in (0.0, 1.0):
        for second in (0.0, 1.0):
            bits = torch.tensor([first, second], dtype=torch.float64)
            p = params["logits"].sigmoid()
            mass = torch.where(bits > 0, p, 1 - p).prod(-1)
            mean = params["mean"] + (bits * params["link"]).sum()
            for node, weight in zip(nodes, weights / weights.sum(), strict=True):
                code = mean + 0.8 * node
                for low in (0.0, 1.0):
                    q = (params["low"] + 0.5 * code).sigmoid()
                    q = (q if low else 1 - q).squeeze(-1)
                    f = (code.squeeze(-1) - 0.4 + low).square()
                    f = f + bits.sum() * code.squeeze(-1) * params["mean"].squeeze(-1)
                    total = total + (mass * weight * q * f).sum()
    gradients = torch.autograd.grad(total, list(params.values()))
    return dict(zip(params, gradients, strict=True))


def estimates(sites: dict[str, Any]) -> dict[str, torch.Tensor]:
    estimator = Mixed(sites=sites)
    found = prepare(estimator, program, PARAMS)
    noise = draw_block(estimator.noise(found), ("mixed", *sites), DRAWS)
    tunables, memory = estimator.start(PARAMS, found, generator("mixed", "init"))

    def one(draws):
        return estimate_gradient(estimator, program, PARAMS, draws, tunables, memory).gradient

    return torch.vmap(one)(noise)


MIXES = {
    "score, path, exact": ({"name": "score_function"}, {"name": "pathwise"}, {"name": "exact"}),
    "exact, path, score": ({"name": "exact"}, {"name": "pathwise"}, {"name": "score_function"}),
    "exact, score, exact": ({"name": "exact"}, {"name": "score_function"}, {"name": "exact"}),
    "loo of 3, path, loo of 2": (
        {"name": "score_function", "baseline": "leave_one_out", "samples": 3},
        {"name": "pathwise"},
        {"name": "score_function", "baseline": "leave_one_out", "samples": 2},
    ),
    "score with memory, path of 2, score": (
        {"name": "score_function", "baseline": "moving_average"},
        {"name": "pathwise", "samples": 2},
        {"name": "score_function"},
    ),
}


@pytest.mark.parametrize("mix", MIXES)
def test_every_nesting_is_unbiased_per_coordinate(mix: str) -> None:
    found = estimates(dict(zip(("bits", "code", "low"), MIXES[mix], strict=True)))
    truth = exact()
    bound = norm.isf(FALSE_ALARM / 2 / sum(entry.numel() for entry in truth.values()))
    for name, entry in truth.items():
        sample = found[name].double()
        z = (sample.mean(0) - entry).abs() / (sample.std(0) / DRAWS**0.5 + 1e-9)
        assert (z <= bound).all(), (name, z)


def test_evaluations_multiply() -> None:
    estimator = Mixed(
        sites={
            "bits": {"name": "exact"},
            "code": {"name": "pathwise", "samples": 3},
            "low": {"name": "score_function", "samples": 2},
        }
    )
    sites = prepare(estimator, program, PARAMS)
    assert estimator.card.evaluations(estimator, sites) == 4 * 3 * 2
    noise = {
        s: {r: n[0] for r, n in x.items()} for s, x in draw_block(estimator.noise(sites), ("m",), 1).items()
    }
    assert estimate_gradient(estimator, program, PARAMS, noise).evaluations == 24


def test_an_inner_moving_average_learns_at_a_sample_of_the_outer_sites() -> None:
    inner = {"name": "score_function", "baseline": "moving_average", "decay": 0.0}
    estimator = Mixed(sites={"bits": {"name": "score_function"}, "code": {"name": "pathwise"}, "low": inner})
    sites = prepare(estimator, program, PARAMS)
    block = draw_block(estimator.noise(sites), ("memory",), 1)
    noise = {s: {r: n[0] for r, n in x.items()} for s, x in block.items()}
    tunables, memory = estimator.start(PARAMS, sites, generator("mixed", "init"))
    found = estimate_gradient(estimator, program, PARAMS, noise, tunables, memory)
    assert found.evaluations == estimator.card.evaluations(estimator, sites) == 2
    torch.testing.assert_close(found.memory["low"]["total"]["low"], found.value.mean())


@pytest.mark.parametrize(
    "beside", [{"name": "nvil"}, {"name": "muprop", "baseline_units": 3, "scaled": True}]
)
def test_a_neighbour_s_variance_objective_leaves_a_baseline_alone(beside: dict[str, Any]) -> None:
    """A baseline regresses on the signal; REBAR below it descends on the norm of the whole estimate."""
    inputs = torch.tensor([[1.0, -0.5], [0.2, 2.0]])

    def in_context(params, sample):
        top = sample("top", Bernoulli(logits=params["logits"]), context=inputs)
        low = sample("low", Bernoulli(logits=params["logits"] + top))
        return (top + low).sum(-1).square()

    params, slopes = {"logits": PARAMS["logits"]}, []
    for tuned in ("none", "site"):
        estimator = Mixed(sites={"top": beside, "low": {"name": "rebar", "tuned": tuned}})
        sites = prepare(estimator, in_context, params)
        block = draw_block(estimator.noise(sites), ("variance objective",), 1)
        noise = {s: {r: n[0] for r, n in x.items()} for s, x in block.items()}
        tunables, memory = estimator.start(params, sites, generator("mixed", "init"))
        found = estimate_gradient(estimator, in_context, params, noise, tunables, memory).tunable_gradient
        slopes.append({name: slope for name, slope in found.items() if name.endswith("@top")})
    assert slopes[0] and any(slope.any() for slope in slopes[0].values())
    for name, slope in slopes[0].items():
        torch.testing.assert_close(slopes[1][name], slope)


@pytest.mark.parametrize(
    ("sites", "message"),
    [
        ({"bits": {"name": "exact"}}, "sample site 'code' has no estimator"),
        (
            {n: {"name": "score_function"} for n in ("bits", "code", "low", "lo")},
            "no sample site 'lo'; did you mean 'low'",
        ),
        ({"bits": "exac"}, "unknown estimator 'exac'; did you mean 'exact'"),
        ({"bits": 3}, r"sites.bits must be an estimator, its name, or \{name: …, option: …\}, got 3"),
        ({"bits": {"name": 3}}, r"sites.bits must be an estimator, its name, or \{name"),
        (["exact"], r"mixed: sites must map each site to its estimator, got \['exact'\]"),
        ({"bits": {"name": "pathwize"}}, "did you mean 'pathwise'"),
        (
            {"bits": {"name": "pathwise"}, "code": {"name": "pathwise"}, "low": {"name": "exact"}},
            "pathwise needs a differentiable path, and sample site 'bits' has a Bernoulli law",
        ),
        (
            {
                "bits": {"name": "exact"},
                "code": {"name": "pathwise"},
                "low": {"name": "score_function", "baseline": "moving_average"},
            },
            "must be sampled, not enumerated",
        ),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(sites: dict[str, Any], message: str) -> None:
    with pytest.raises(ReparamError, match=message) as caught:
        estimator = estimators.make("mixed", {"sites": sites})
        estimator.start(PARAMS, prepare(estimator, program, PARAMS), generator("mixed", "init"))
    assert "\n" not in str(caught.value)


def test_a_name_is_an_estimator_with_its_default_options() -> None:
    assert Mixed(sites={"bits": "exact"}) == Mixed(sites={"bits": {"name": "exact"}})


def test_promises_are_those_of_the_members() -> None:
    card = Mixed(sites={"bits": {"name": "straight_through"}, "code": {"name": "pathwise"}}).card
    assert not card.unbiased and card.needs_derivative
    tuned = {"name": "rebar", "tuned": "site"}
    assert Mixed(sites={"bits": tuned, "code": {"name": "pathwise"}}).card.tunables >= {
        "eta",
        "log_temperature",
    }


def test_a_member_that_differentiates_needs_a_path_of_its_own_sites() -> None:
    """The code reaches f only through the law of the bit after it: enough for pathwise there, not for the bits."""

    def hidden(params, sample):
        code = sample("code", Normal(params["mean"], torch.ones(2, 1)))
        return sample("low", Bernoulli(logits=params["low"] + code)).detach().sum(-1)

    def cut(params, sample):
        code = sample("code", Normal(params["mean"], torch.ones(2, 1))).detach()
        return sample("low", Bernoulli(logits=params["low"] + code)).sum(-1)

    estimator = Mixed(sites={"code": {"name": "pathwise"}, "low": {"name": "score_function"}})
    prepare(estimator, hidden, PARAMS)
    with pytest.raises(ReparamError, match=r"through its pathwise.*from any site \(code\)"):
        prepare(estimator, cut, PARAMS)
