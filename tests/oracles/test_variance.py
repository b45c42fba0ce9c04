"""Exact variances against closed forms and against the hand calculation of every state."""

from __future__ import annotations

from itertools import product

import pytest
import torch

from reparam.distributions import Bernoulli, Normal
from reparam.errors import ReparamError
from reparam.measure.problems import PROBLEMS
from reparam.oracles import one_bit, variance


def problem(title: str) -> tuple:
    found = PROBLEMS[title]
    return found.program, {name: p.double() for name, p in found.params.items()}


def bit(params, sample):
    return (sample("z", Bernoulli(logits=params["logits"])) - params["target"]).square().sum(-1)


@pytest.mark.parametrize("target", [0.1, 0.45, 0.8])
def test_enumeration_on_one_bit_is_the_closed_form(target: float) -> None:
    """Three data, whose variances are separate entries."""
    t = torch.tensor(target, dtype=torch.float64)
    params = {"logits": torch.tensor([[-2.0], [0.3], [1.5]], dtype=torch.float64), "target": t}
    p = params["logits"].sigmoid()
    for found, closed in (
        (variance.score_function(bit, params), one_bit.reinforce(p, t)),
        (variance.score_function(bit, params, baseline=0.3), one_bit.reinforce(p, t, 0.3)),
        (variance.score_function(bit, params, samples=4), one_bit.reinforce(p, t) / 4),
        (variance.leave_one_out(bit, params), one_bit.leave_one_out(p, t)),
    ):
        torch.testing.assert_close(found.mean["logits"], one_bit.mean(p, t))
        torch.testing.assert_close(found.variance["logits"], closed)


def test_pathwise_is_the_closed_form() -> None:
    """∂(μ + σ ε)²: 2 z with variance 4 σ² for μ, 2 z ε with variance 4 μ² + 8 σ² for σ."""
    params = {
        name: torch.tensor([[value]], dtype=torch.float64) for name, value in (("loc", 0.7), ("scale", 0.4))
    }

    def program(params, sample):
        return sample("z", Normal(params["loc"], params["scale"])).square().sum(-1)

    found = variance.pathwise(program, params)
    loc, scale = params["loc"], params["scale"]
    torch.testing.assert_close(found.mean, {"loc": 2 * loc, "scale": 2 * scale})
    torch.testing.assert_close(found.variance, {"loc": 4 * scale**2, "scale": 4 * loc**2 + 8 * scale**2})


ESTIMATES = {
    "score_function": variance.score_function,
    "score_function with a baseline": lambda *given: variance.score_function(*given, baseline=0.7),
    "leave_one_out": variance.leave_one_out,
    "pathwise": variance.pathwise,
}


DENSITIES = ("normal", "logistic", "gamma", "beta", "angles", "sphere")


@pytest.mark.parametrize(
    ("kind", "title"),
    [
        (kind, title)
        for kind, title in product(ESTIMATES, PROBLEMS)
        if "shared" not in title
        and title
        not in ("gamma_two_layers", "simplex_one_layer")  # whose states are too many to differentiate
        and not (kind == "leave_one_out" and any(law in title for law in DENSITIES))
        and not (
            kind == "pathwise" and not title.startswith(("normal_one", "normal_two", "normal_log", "logis"))
        )
    ],
)
def test_every_mean_is_the_exact_gradient(kind: str, title: str) -> None:
    found = ESTIMATES[kind](*problem(title))
    torch.testing.assert_close(found.mean, PROBLEMS[title].exact())
    assert all((entry >= 0).all() for entry in found.variance.values())


def test_two_layers_and_two_data_are_the_sums_written_out() -> None:
    """bits_two_layers state by state with plain autograd, for one sample and for pairs of samples."""
    program, params = problem("bits_two_layers")
    live = {name: p.clone().requires_grad_() for name, p in params.items()}
    states = [torch.tensor(bits, dtype=torch.float64) for bits in product((0.0, 1.0), repeat=4)]

    def at(state: torch.Tensor, b: int) -> tuple:
        """Mass, f, ∇ f and ∇ log q of datum b."""
        laws = {}

        def sample(name, law):
            laws[name] = law
            return (state[:2] if name == "top" else state[2:]).expand(2, 2)

        f = program(live, sample)[b]
        log_q = sum(
            (z * law.logits[b] - torch.nn.functional.softplus(law.logits[b])).sum()
            for z, law in ((state[:2], laws["top"]), (state[2:], laws["low"]))
        )
        slopes = [
            torch.autograd.grad(part, list(live.values()), retain_graph=True, allow_unused=True)
            for part in (f, log_q)
        ]
        flat = [
            torch.cat(
                [
                    (torch.zeros_like(p) if g is None else g).flatten()
                    for g, p in zip(gs, live.values(), strict=True)
                ]
            )
            for gs in slopes
        ]
        return log_q.exp().detach(), f.detach(), *flat

    one = two = 0.0
    for b in (0, 1):
        rows = [at(state, b) for state in states]
        single = [(mass, f * score + direct) for mass, f, direct, score in rows]
        pairs = [
            (m1 * m2, (f1 - f2) * (s1 - s2) / 2 + (d1 + d2) / 2)
            for (m1, f1, d1, s1), (m2, f2, d2, s2) in product(rows, rows)
        ]
        for estimates, add in ((single, "one"), (pairs, "two")):
            mean = sum(mass * g for mass, g in estimates)
            spread = sum(mass * (g - mean) ** 2 for mass, g in estimates)
            one, two = (one + spread, two) if add == "one" else (one, two + spread)
    for found, expected in (
        (variance.score_function(program, params), one),
        (variance.leave_one_out(program, params), two),
    ):
        torch.testing.assert_close(torch.cat([found.variance[name].flatten() for name in params]), expected)


def test_what_is_not_independent_or_not_continuous_is_refused() -> None:
    with pytest.raises(ReparamError, match="'shared' is shared by the plate"):
        variance.score_function(*problem("bits_shared"))
    with pytest.raises(ReparamError, match="'z' is discrete"):
        variance.pathwise(*problem("bits_one_layer"))
