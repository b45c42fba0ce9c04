"""The score function's baselines: their exact variances, and what each may look at."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from scipy import special, stats
from scipy.stats import norm
from torch import Tensor

from reparam import estimators, gradient_moments
from reparam.distributions import Bernoulli, Normal, Uniform, VonMises
from reparam.engine.gradient import estimate_gradient
from reparam.errors import ReparamError
from reparam.estimators.score_function import ScoreFunction, _slope
from reparam.noise import draw_block, generator
from reparam.program import Params, Sample, describe

# One Normal variable: every moment of an estimate is an integral over its one standard normal.
NODES = torch.linspace(-10, 10, 401, dtype=torch.float64)
WEIGHTS = torch.exp(-0.5 * NODES**2)
WEIGHTS = WEIGHTS / WEIGHTS.sum()
QUANTILES = torch.from_numpy(norm.ppf((torch.arange(20_000).double() + 0.5) / 20_000))
"""Fresh samples without chance: their averages are expectations to 1e-3 and better."""


def normal_program(cost: Callable[[Tensor], Tensor]) -> Any:
    def program(params: Params, sample: Any) -> Tensor:
        return cost(sample("z", Normal(params["mu"], params["sigma"], event_dims=0)))

    return program


def moments(
    baseline: str,
    cost: Callable[[Tensor], Tensor],
    mu: float = 1.0,
    sigma: float = 1.0,
    fresh: Tensor = QUANTILES,
) -> tuple[dict[str, float], dict[str, float]]:
    """Mean and variance of ∂/∂mu and ∂/∂sigma of one estimate, given the fresh samples, by quadrature."""
    estimator = ScoreFunction(baseline=baseline, fresh=max(5, len(fresh)))
    params = {"mu": torch.tensor(mu, dtype=torch.float64), "sigma": torch.tensor(sigma, dtype=torch.float64)}

    def one(node: Tensor) -> dict[str, Tensor]:
        roles = {"normal": node.unsqueeze(0)}
        if estimator.needs_fresh:
            roles["fresh.normal"] = fresh
        return estimate_gradient(estimator, normal_program(cost), params, {"z": roles}).gradient

    found = torch.vmap(one)(NODES)
    mean = {name: (WEIGHTS * g).sum() for name, g in found.items()}
    variance = {name: (WEIGHTS * (g - mean[name]) ** 2).sum().item() for name, g in found.items()}
    return {name: entry.item() for name, entry in mean.items()}, variance


VARIANCES = {
    "none": lambda d, s: (d**4 / s**2 + 14 * d**2 + 15 * s**2, 2 * d**4 / s**2 + 60 * d**2 + 74 * s**2),
    "mean": lambda d, s: (8 * d**2 + 10 * s**2, 40 * d**2 + 56 * s**2),
    "optimal": lambda d, s: (8 * d**2 + 6 * s**2, 40 * d**2 + 24 * s**2),
}
"""Var ∂/∂mu and ∂/∂sigma for the cost (z − k)², with d = mu − k: closed forms."""


@pytest.mark.parametrize("baseline", VARIANCES)
@pytest.mark.parametrize(("k", "sigma"), [(0.0, 1.0), (-1.0, 1.0), (2.5, 0.6)])
def test_variances_on_the_quadratic_are_the_closed_forms(baseline: str, k: float, sigma: float) -> None:
    mean, variance = moments(baseline, lambda z: (z - k) ** 2, 1.0, sigma)
    assert mean == pytest.approx({"mu": 2 * (1 - k), "sigma": 2 * sigma}, rel=1e-9)
    exact = VARIANCES[baseline](1.0 - k, sigma)
    assert (variance["mu"], variance["sigma"]) == pytest.approx(exact, rel=1e-3)


def test_the_optimal_baseline_approaches_the_optimum_like_one_over_its_fresh_samples() -> None:
    """What the noise of the fresh samples adds to 14 and 64 (d = 1), in the mean of 20 sets of them."""

    def added(count: int) -> list[float]:
        sets = torch.randn(20, count, generator=generator("fresh", count), dtype=torch.float64)
        found = [moments("optimal", torch.square, fresh=row)[1] for row in sets]
        return [sum(row[name] for row in found) / 20 - best for name, best in (("mu", 14.0), ("sigma", 64.0))]

    few, many = added(200), added(5000)
    for large, small in zip(few, many, strict=True):
        assert 0 < small < 0.1 * large


@pytest.mark.parametrize(
    ("cost", "parameter"),
    [(lambda z: torch.exp(-10 * z**2), "sigma"), (torch.cos, "mu")],
    ids=["exp(-10 z^2), sigma", "cos z, mu"],
)
def test_the_mean_as_a_baseline_can_raise_the_variance(cost: Any, parameter: str) -> None:
    none, mean, optimal = (moments(b, cost)[1][parameter] for b in ("none", "mean", "optimal"))
    assert optimal < none * (1 + 1e-6)
    assert none < 0.95 * mean


def two_sites(params: Params, sample: Any) -> Tensor:
    """Two bits, one above the other; the parameter `a` is in both laws and in f."""
    top = sample("top", Bernoulli(logits=params["a"]))
    low = sample("low", Bernoulli(logits=params["a"] + params["b"] * (top - 0.3)))
    return ((2 * top - low + 0.7 + params["a"]) ** 2 * (1 + low)).sum(-1)


def test_with_two_sites_the_optimal_slopes_are_the_best_for_the_whole_estimate() -> None:
    """All four states are enumerated, with states forced by extreme noise and masses from the probabilities."""
    params = {"a": torch.tensor([0.4], dtype=torch.float64), "b": torch.tensor([-0.8], dtype=torch.float64)}
    estimator = ScoreFunction(baseline="optimal", fresh=20_000)
    uniform = draw_block(estimator.noise(describe(two_sites, params)), ("two",), 1, dtype=torch.float64)
    wholes, scores, masses, estimates = [], [], [], []
    for top, low in product((0.0, 1.0), repeat=2):
        leaf = {name: p.clone().requires_grad_() for name, p in params.items()}
        q_top = leaf["a"].sigmoid()
        q_low = (leaf["a"] + leaf["b"] * (top - 0.3)).sigmoid()
        logs = [(q if z else 1 - q).log().sum() for q, z in ((q_top, top), (q_low, low))]
        f = ((2 * top - low + 0.7 + leaf["a"]) ** 2 * (1 + low)).sum()
        entries = list(leaf.values())
        direct = torch.autograd.grad(f, entries, retain_graph=True, allow_unused=True, materialize_grads=True)
        each = [
            torch.autograd.grad(log, entries, retain_graph=True, allow_unused=True, materialize_grads=True)
            for log in logs
        ]
        score = torch.stack([torch.cat(g) for g in each])
        scores.append(score.detach())
        wholes.append(torch.cat(direct) + f.detach() * score.sum(0))
        masses.append((logs[0] + logs[1]).exp().detach())
        noise = {
            site: {"uniform": torch.full((1, 1), abs(z - 1e-6), dtype=torch.float64)}
            | {"fresh.uniform": uniform[site]["fresh.uniform"][0]}
            for site, z in (("top", top), ("low", low))
        }
        found = estimate_gradient(estimator, two_sites, params, noise).gradient
        estimates.append(torch.cat([found[name] for name in params]))
    mass = torch.stack(masses)

    def expect(entries: Tensor) -> Tensor:
        return (mass.reshape(-1, *(1,) * (entries.ndim - 1)) * entries).sum(0)

    whole, score, estimate = torch.stack(wholes), torch.stack(scores), torch.stack(estimates)
    plain = expect(whole**2) - expect(whole) ** 2
    slope = expect(whole.unsqueeze(1) * score) / expect(score**2).clamp(min=1e-12)
    best = plain - (slope**2 * expect(score**2)).sum(0)
    found = expect(estimate**2) - expect(estimate) ** 2
    torch.testing.assert_close(expect(estimate), expect(whole))
    torch.testing.assert_close(found, best, rtol=2e-3, atol=1e-9)
    assert (best < 0.9 * plain).all()


def bits(params: Params, sample: Any) -> Tensor:
    z = sample("z", Bernoulli(logits=params["logits"]))
    return ((z - 0.3) ** 2 * params["weights"]).sum(-1)


BITS = {"logits": torch.tensor([[0.2, -0.5], [0.9, 0.0]]), "weights": torch.tensor([3.0, 1.0])}


def estimate_of(estimator: Any, noise: Any, memory: Any = None) -> Any:
    return estimate_gradient(estimator, bits, BITS, noise, memory=memory)


def bit_noise(estimator: Any, index: int) -> Mapping[str, Any]:
    block = draw_block(estimator.noise(describe(bits, BITS)), ("bits", index), 1)
    return {site: {role: n[0] for role, n in roles.items()} for site, roles in block.items()}


def test_the_moving_average_is_of_earlier_signals_only() -> None:
    """The first estimate has no baseline; later ones subtract the weighted mean of the signals before."""
    plain, averaged = ScoreFunction(), ScoreFunction(baseline="moving_average", decay=0.7)
    _, memory = averaged.init(describe(bits, BITS), generator("init"))
    earlier: list[Tensor] = []
    for step in range(4):
        noise = bit_noise(plain, step)
        without, found = estimate_of(plain, noise), estimate_of(averaged, noise, memory)
        baseline = torch.zeros(())
        if earlier:
            weights = torch.tensor([0.7**age for age in reversed(range(len(earlier)))])
            baseline = (weights * torch.stack(earlier)).sum() / weights.sum()
        z = (BITS["logits"] + torch.logit(noise["z"]["uniform"][0]) > 0).float()
        expected = without.gradient["logits"] - baseline * (z - BITS["logits"].sigmoid())
        torch.testing.assert_close(found.gradient["logits"], expected)
        torch.testing.assert_close(found.gradient["weights"], without.gradient["weights"])
        earlier.append(found.value.mean())
        memory = found.memory


def test_a_slope_is_that_of_least_squares() -> None:
    """Of points on a line, its own, wherever they lie; of a column that does not vary, 0."""
    x = torch.tensor([[1.0, 2.0], [3.0, 2.0], [8.0, 2.0]], dtype=torch.float64)
    y = 5 - 3 * x
    torch.testing.assert_close(_slope(y, x), torch.tensor([-3.0, 0.0], dtype=torch.float64))
    noisy = torch.tensor([2.0, 7.0, 1.0], dtype=torch.float64)
    expected = np.polyfit(x[:, 0].numpy(), noisy.numpy(), 1)[0]
    torch.testing.assert_close(_slope(noisy, x[:, 0]).item(), expected)


def test_leave_one_out_subtracts_the_mean_of_the_others() -> None:
    estimator = ScoreFunction(baseline="leave_one_out", samples=3)
    noise = bit_noise(estimator, 0)
    z = (BITS["logits"] + torch.logit(noise["z"]["uniform"]) > 0).float()
    f = ((z - 0.3) ** 2 * BITS["weights"]).sum(-1)
    advantage = torch.stack([f[0] - (f[1] + f[2]) / 2, f[1] - (f[0] + f[2]) / 2, f[2] - (f[0] + f[1]) / 2])
    expected = (advantage.unsqueeze(-1) * (z - BITS["logits"].sigmoid())).mean(0)
    torch.testing.assert_close(estimate_of(estimator, noise).gradient["logits"], expected)


def test_the_mean_is_that_of_the_fresh_samples_of_the_same_datum() -> None:
    estimator = ScoreFunction(baseline="mean", fresh=4)
    noise = bit_noise(estimator, 0)
    fresh = (BITS["logits"] + torch.logit(noise["z"]["fresh.uniform"]) > 0).float()
    baseline = ((fresh - 0.3) ** 2 * BITS["weights"]).sum(-1).mean(0)
    z = (BITS["logits"] + torch.logit(noise["z"]["uniform"][0]) > 0).float()
    f = ((z - 0.3) ** 2 * BITS["weights"]).sum(-1)
    expected = (f - baseline).unsqueeze(-1) * (z - BITS["logits"].sigmoid())
    found = estimate_of(estimator, noise)
    torch.testing.assert_close(found.gradient["logits"], expected)
    assert found.evaluations == 5
    assert not torch.equal(noise["z"]["fresh.uniform"][0], noise["z"]["uniform"][0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"baseline": "optimum"}, "unknown baseline 'optimum'; did you mean 'optimal'"),
        (
            {"baseline": "leave_one_out"},
            "baseline leave_one_out needs the others of samples ≥ 2, got samples=1",
        ),
        ({"samples": 0}, "samples must be an integer ≥ 1, got 0"),
        ({"baseline": "moving_average", "decay": 1.0}, r"decay must lie in \[0, 1\), got 1.0"),
        ({"baseline": "optimal", "fresh": 4}, "fresh must be an integer ≥ 5 with baseline optimal, got 4"),
        ({"baseline": "mean", "fresh": True}, "fresh must be an integer, got True"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ReparamError, match=message) as caught:
        estimators.make("score_function", options)
    assert "\n" not in str(caught.value)


SCORES = (
    "score_function",
    "nvil",
    "vargrad",
    "vimco",
    "reweighted_wake_sleep",
    "lax",
    "muprop",
    "stl",
    "dreg",
)


@pytest.mark.parametrize("name", SCORES)
def test_a_support_that_moves_is_refused(name: str) -> None:
    """d/dh E z² = 2h/3 for z uniform on (0, h), but E[z² ∇ log q] = −h/3: what leaves at the edge is not seen."""

    def program(params: Params, sample: Sample) -> Tensor:
        return sample("z", Uniform(torch.zeros(1), params["high"])).square().sum(-1)

    params = {"high": torch.tensor([1.5])}
    with pytest.raises(ReparamError, match=f"{name} needs .*fixed support.*Uniform law.*pathwise"):
        gradient_moments(program, params, name, draws=10)
    found = gradient_moments(program, params, "pathwise", draws=20_000)
    assert abs(found.mean["high"] - 1.0) < 6 * found.standard_error["high"]
    u = (torch.arange(10_000, dtype=torch.float64) + 0.5) / 10_000
    score = -1 / 1.5  # of a density 1 / h
    assert ((1.5 * u).square() * score).mean().item() == pytest.approx(-0.5, abs=1e-6)


def test_of_angles_the_mean_is_exact_for_periodic_functions_only() -> None:
    """E[z] = loc, but the score loses the mass 2π q(π) that crosses the cut; d/dloc E[cos z] = −A(κ) sin loc.

    At |z| < 5.5: 4e-8 each.
    """
    kappa = torch.tensor([1.5], dtype=torch.float64)
    params = {"loc": torch.tensor([0.4], dtype=torch.float64)}

    def moments(name: str, f):
        def program(params, sample):
            return f(sample("z", VonMises(params["loc"], kappa))).sum(-1)

        found = gradient_moments(program, params, name, draws=20_000, compiled=False)
        return found.mean["loc"].item(), found.standard_error["loc"].item()

    lost = 2 * math.pi * stats.vonmises(kappa.item()).pdf(math.pi)
    periodic = -special.i1(1.5) / special.i0(1.5) * math.sin(0.4)
    for name, f, expected in (
        ("score_function", torch.cos, periodic),
        ("score_function", lambda z: z, 1 - lost),
        ("implicit", lambda z: z, 1.0),
        ("rsvi", lambda z: z, 1.0),
    ):
        mean, error = moments(name, f)
        assert abs(mean - expected) <= 5.5 * error + 1e-6, name
    assert lost > 0.1
