"""ARM and DisARM: exact means and variances, closed forms on one bit, and what extreme logits do."""

from __future__ import annotations

from math import comb

import bit_grids
import pytest
import torch
from bit_grids import PROGRAMS, TWO_BITS, assert_unbiased, logits, two_bits, variances
from scipy.stats import norm

from reparam.distributions import Bernoulli
from reparam.engine.gradient import estimate_gradient
from reparam.errors import ReparamError
from reparam.estimators.arm import Arm, Disarm
from reparam.estimators.mixed import Mixed
from reparam.estimators.score_function import ScoreFunction
from reparam.measure.problems import PROBLEMS
from reparam.noise import draw_block, generator
from reparam.program import describe

PROBS = (0.1, 0.3, 0.5, 0.8, 0.9)
RLOO = ScoreFunction(baseline="leave_one_out", samples=2)


def one_bit(params, sample):
    """f(1) − f(0) = 1 − 2 · 0.3."""
    return (sample("z", Bernoulli(logits=params["z"])) - 0.3).square().sum(-1)


DIFFERENCE = 1 - 2 * 0.3


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("estimator", [Arm(), Disarm()])
def test_the_mean_is_exact(estimator, name: str) -> None:
    program, params = PROGRAMS[name]
    assert_unbiased(bit_grids.estimates(estimator, program, params), program, params)


@pytest.mark.parametrize("name", PROGRAMS)
def test_disarm_is_arm_with_the_uniforms_averaged_out(name: str) -> None:
    """On every subset of the grid with the same twins: so its variance is nowhere larger."""
    program, params = PROGRAMS[name]
    arm, disarm = (bit_grids.estimates(e, program, params, cells=20) for e in (Arm(), Disarm()))
    for key, smaller in variances(disarm).items():
        assert (smaller <= variances(arm)[key] + 1e-12).all()
        torch.testing.assert_close((arm[key] * disarm[key]).mean(0), disarm[key].square().mean(0))
    first = next(iter(params))
    assert (variances(disarm)[first] < 0.99 * variances(arm)[first]).all()


def second_moment_of_arm(p: float) -> float:
    return (1 - (1 - 2 * min(p, 1 - p)) ** 3) / 12


@pytest.mark.parametrize("p", PROBS)
def test_variances_on_one_bit_are_the_closed_forms(p: float) -> None:
    """E g² with D = f(1) − f(0) and q the smaller of p and 1 − p; the mean is D p (1 − p).

    The twins differ with probability 2q, where |u − ½| is uniform on (½ − q, ½) for ARM; DisARM has
    (1 − q)/2 there and two independent bits have ½, where they differ (probability 2 p (1 − p)).
    """
    q = min(p, 1 - p)
    second = {
        Arm(): second_moment_of_arm(p),
        Disarm(): q * (1 - q) ** 2 / 2,
        RLOO: p * (1 - p) / 2,
    }
    for estimator, square in second.items():
        exact = DIFFERENCE**2 * (square - (p * (1 - p)) ** 2)
        found = variances(bit_grids.estimates(estimator, one_bit, {"z": logits(p)}, cells=1000))["z"].item()
        assert found == pytest.approx(exact, rel=1e-5, abs=1e-12), estimator


def ones(p: float, samples: int) -> torch.Tensor:
    """The law of the number of ones among K bits of the copula, by inclusion and exclusion.

    The rarer value takes j given bits at once with probability max(0, 1 − j (1 − q^(1/(K − 1))))^(K − 1): that many
    entries of a uniform point of the simplex above a level.
    """
    q = min(p, 1 - p)
    level = 1 - q ** (1 / (samples - 1))
    joint = [comb(samples, j) * max(0.0, 1 - j * level) ** (samples - 1) for j in range(samples + 1)]
    mass = [
        sum((-1) ** (j - n) * comb(j, n) * joint[j] for j in range(n, samples + 1))
        for n in range(samples + 1)
    ]
    return torch.tensor(mass if p < 0.5 else mass[::-1], dtype=torch.float64)


def independent(p: float, samples: int) -> torch.Tensor:
    mass = [comb(samples, n) * p**n * (1 - p) ** (samples - n) for n in range(samples + 1)]
    return torch.tensor(mass, dtype=torch.float64)


def spread(mass: torch.Tensor) -> float:
    """The relative variance of the sample variance N (K − N) of K bits with N ones, of which all these estimators
    of one bit are a multiple."""
    n = torch.arange(len(mass), dtype=torch.float64)
    pairs = n * (len(mass) - 1 - n)
    return ((mass * pairs.square()).sum() / (mass * pairs).sum().square() - 1).item()


@pytest.mark.parametrize("samples", [2, 3, 4, 8, 15])
def test_k_samples_beat_leave_one_out_and_arm_on_one_bit(samples: int) -> None:
    for p in torch.linspace(0.005, 0.995, 199, dtype=torch.float64).tolist():
        disarm, mean = spread(ones(p, samples)), p * (1 - p)
        assert disarm < spread(independent(p, samples)), p
        arm = (second_moment_of_arm(p) - mean**2) / (samples // 2)
        assert samples % 2 or mean**2 * disarm < arm, p


def test_the_mean_over_pairs_would_not_beat_leave_one_out() -> None:
    pairs = spread(ones(0.9, 2)) / 2
    assert 0.09**2 * pairs == pytest.approx(0.0162)
    assert 0.09**2 * spread(independent(0.9, 4)) == pytest.approx(0.01575)
    assert 0.09**2 * spread(ones(0.9, 4)) == pytest.approx(0.01215)


@pytest.mark.parametrize("p", PROBS)
@pytest.mark.parametrize("samples", [3, 4, 6])
def test_k_samples_have_the_moments_of_the_copula(samples: int, p: float) -> None:
    """Mean and variance from 400,000 draws, each within a false-alarm rate of 1e-6."""
    draws = 400_000
    estimator, params = Disarm(samples=samples), {"z": logits(p)}
    noise = draw_block(estimator.noise(describe(one_bit, params)), ("arms", p), draws, dtype=torch.float64)
    found = torch.vmap(lambda n: estimate_gradient(estimator, one_bit, params, n).gradient["z"])(noise)[:, 0]
    mean = DIFFERENCE * p * (1 - p)
    square = (found - mean).square()
    for sample, exact in ((found, mean), (square, mean**2 * spread(ones(p, samples)))):
        assert abs(sample.mean() - exact) < norm.isf(5e-7) * sample.std() / draws**0.5


def test_two_samples_are_the_published_disarm_draw_by_draw() -> None:
    theta = TWO_BITS["z"]
    u = torch.rand(50, 2, generator=generator("u"), dtype=torch.float64)
    z, twin = (u > torch.sigmoid(-theta)).double(), (u < torch.sigmoid(theta)).double()
    f, f_twin = (two_bits(TWO_BITS, lambda name, law, b=b: b) for b in (z, twin))
    published = (-1) ** twin * (z != twin) * torch.sigmoid(theta.abs()) * ((f - f_twin) / 2).unsqueeze(-1)
    direct = 0.3 * (z + twin) / 2

    def one(u):
        return estimate_gradient(Disarm(), two_bits, TWO_BITS, {"z": {"uniform": u[None]}}).gradient["z"]

    torch.testing.assert_close(torch.vmap(one)(u), published + direct)


def test_a_noisy_neighbour_costs_a_nearly_certain_bit_more_than_leave_one_out() -> None:
    """Antithetic samples are no cure-all: the limit that the docstring states."""

    def additive(params, sample):
        return (sample("z", Bernoulli(logits=params["z"])) * torch.tensor([0.1, 2.0])).sum(-1)

    params = {"z": logits(0.1, 0.5)}
    disarm, rloo = (
        variances(bit_grids.estimates(e, additive, params, cells=10))["z"] for e in (Disarm(), RLOO)
    )
    assert disarm[0] > 1.5 * rloo[0]
    assert disarm[1] < rloo[1]


@pytest.mark.parametrize("estimator", [Arm(), Arm(samples=4), Disarm(), Disarm(samples=3), Disarm(samples=5)])
def test_extreme_logits_are_finite_and_without_gradient(estimator) -> None:
    params = {"z": torch.tensor([-1e4, -90.0, -30.0, 30.0, 90.0, 1e4])}
    noise = draw_block(estimator.noise(describe(one_bit, params)), ("extreme",), 500)
    found = torch.vmap(lambda n: estimate_gradient(estimator, one_bit, params, n).gradient["z"])(noise)
    assert torch.equal(found, torch.zeros_like(found))


@pytest.mark.parametrize("estimator", [Arm(), Disarm(), Disarm(samples=4)])
def test_a_constant_in_f_changes_nothing(estimator) -> None:
    def shifted(params, sample):
        return two_bits(params, sample) + 1000.0

    noise = draw_block(estimator.noise(describe(two_bits, TWO_BITS)), ("shift",), 100, dtype=torch.float64)
    plain, moved = (
        torch.vmap(lambda n, f=f: estimate_gradient(estimator, f, TWO_BITS, n).gradient["z"])(noise)
        for f in (two_bits, shifted)
    )
    torch.testing.assert_close(moved, plain, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("key", "top", "low"),
    [
        ("bits_above_normal", {"name": "disarm", "samples": 3}, {"name": "pathwise"}),
        ("bits_above_normal", {"name": "arm"}, {"name": "pathwise"}),
        ("normal_above_bits", {"name": "pathwise"}, {"name": "disarm"}),
        ("bits_two_layers", {"name": "exact"}, {"name": "arm"}),
    ],
)
def test_other_sites_may_have_other_estimators(key: str, top, low) -> None:
    """Every coordinate within a false-alarm rate of 1e-6 of the test."""
    draws, problem, estimator = 40_000, PROBLEMS[key], Mixed(sites={"top": top, "low": low})
    noise = draw_block(estimator.noise(describe(problem.program, problem.params)), ("mixed", key), draws)
    found = torch.vmap(lambda n: estimate_gradient(estimator, problem.program, problem.params, n).gradient)(
        noise
    )
    exact = problem.exact()
    bound = norm.isf(5e-7 / sum(entry.numel() for entry in exact.values()))
    for name, truth in exact.items():
        sample = found[name].double()
        tolerance = bound * sample.std(0) / draws**0.5 + 1e-5 * (1 + truth.abs())
        assert ((sample.mean(0) - truth).abs() <= tolerance).all(), name


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Arm(samples=3), "arm: samples must be even"),
        (lambda: Arm(samples=0), "arm: samples must be an integer ≥ 2"),
        (lambda: Disarm(samples=1), "disarm: samples must be an integer ≥ 2"),
    ],
)
def test_options_are_refused_in_one_line(make, message: str) -> None:
    with pytest.raises(ReparamError, match=message):
        make()
