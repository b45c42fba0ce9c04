"""RODEO: exact means whatever the surrogate says, the published formula, and the variance after training."""

from __future__ import annotations

import bit_grids
import pytest
import torch
from bit_grids import PROGRAMS, TWO_BITS, assert_unbiased, two_bits
from scipy.stats import norm
from torch.nn.functional import leaky_relu

from reparam.distributions import Bernoulli
from reparam.engine.gradient import estimate_gradient
from reparam.errors import ReparamError
from reparam.estimators.mixed import Mixed
from reparam.estimators.rodeo import Rodeo
from reparam.estimators.score_function import ScoreFunction
from reparam.measure.problems import PROBLEMS
from reparam.noise import draw_block, generator
from reparam.program import describe


def random_tunables(estimator, program, params, *axes) -> dict[str, torch.Tensor]:
    """Every parameter of the estimator at random, α and β included."""
    tunables, _ = estimator.start(params, describe(program, params), generator("init"))
    source = generator("tunables", *axes)
    return {
        name: torch.randn(entry.shape, generator=source, dtype=torch.float64)
        for name, entry in tunables.items()
    }


def estimates(estimator, program, params, tunables, draws: int) -> dict[str, torch.Tensor]:
    noise = draw_block(estimator.noise(describe(program, params)), ("rodeo",), draws, dtype=torch.float64)
    return torch.vmap(
        lambda n: estimate_gradient(estimator, program, params, n, tunables, tune=False).gradient
    )(noise)


@pytest.mark.parametrize(
    ("name", "samples"),
    [("two_bits", 2), ("two_bits", 3), ("two_layers", 2), ("two_layers", 3), ("shared_bit", 2)],
)
def test_the_mean_is_exact_at_any_surrogate(name: str, samples: int) -> None:
    program, params = PROGRAMS[name]
    estimator = Rodeo(samples=samples, hidden=4)
    tunables = random_tunables(estimator, program, params, name)
    assert_unbiased(bit_grids.estimates(estimator, program, params, tunables), program, params)


@pytest.mark.parametrize("samples", [2, 3])
def test_it_is_the_published_estimate_draw_by_draw(samples: int) -> None:
    """Every neighbour and every score written out, as in the released code."""
    theta, weights, size = TWO_BITS["z"], TWO_BITS["weights"], 2
    estimator = Rodeo(samples=samples, hidden=7)
    tunables = random_tunables(estimator, two_bits, TWO_BITS, samples)
    u = torch.rand(samples, size, generator=generator("u", samples), dtype=torch.float64)
    p = torch.sigmoid(theta)
    b = (u > 1 - p).double()
    f = torch.stack([two_bits(TWO_BITS, lambda name, law, z=z: z) for z in b])
    slopes = ((b @ weights - 0.7).exp()).unsqueeze(-1) * weights + 0.3 * theta

    def network(guess, context):
        (w0, b0), (w1, b1) = (
            (tunables[f"surrogate.z.{i}.weight"], tunables[f"surrogate.z.{i}.bias"]) for i in (0, 1)
        )
        return w1 @ leaky_relu(w0 @ torch.stack([guess, context]) + b0, 0.3) + b1

    def surrogate(k, z):
        return torch.stack([network(slopes[j] @ (z - b[j]), f[j]) for j in range(samples) if j != k]).mean(0)

    baseline, control = [], []
    for k in range(samples):
        here, change, direct = surrogate(k, b[k]), 0.0, torch.zeros(size, dtype=torch.float64)
        for i in range(size):
            neighbour = b[k].clone()
            neighbour[i] = 1 - neighbour[i]
            weight = p[i] if b[k][i] == 0 else 1 - p[i]
            there = surrogate(k, neighbour)
            change = change + weight * (there[0] - here[0]) / size
            direct = direct + weight * (there[1] * (neighbour - p) - here[1] * (b[k] - p)) / size
        baseline.append(f[k] + tunables["alpha.z"] * change)
        control.append(tunables["beta.z"] * direct)
    published = 0.3 * b.mean(0)
    for k in range(samples):
        others = torch.stack([baseline[j] for j in range(samples) if j != k]).mean()
        published = published + ((f[k] - others) * (b[k] - p) + control[k]) / samples
    found = estimate_gradient(estimator, two_bits, TWO_BITS, {"z": {"uniform": u}}, tunables)
    torch.testing.assert_close(found.gradient["z"], published)


def test_it_starts_as_leave_one_out_and_can_learn() -> None:
    program, params = PROGRAMS["two_layers"]
    estimator, rloo = Rodeo(samples=3), ScoreFunction(baseline="leave_one_out", samples=3)
    tunables, _ = estimator.init(describe(program, params), generator("init"))
    torch.testing.assert_close(
        estimates(estimator, program, params, tunables, 100), estimates(rloo, program, params, {}, 100)
    )
    noise = draw_block(estimator.noise(describe(program, params)), ("learn",), 200)
    gradients = torch.vmap(
        lambda n: estimate_gradient(estimator, program, params, n, tunables).tunable_gradient
    )(noise)
    for name in ("alpha.top", "beta.top", "alpha.low", "beta.low"):
        assert gradients[name].abs().max() > 0


def test_training_brings_the_variance_below_leave_one_out() -> None:
    """Six bits in a cubic f."""
    params = {"z": torch.tensor([0.5, -1.0, 0.3, 1.2, -0.4, 0.0])}
    weights = torch.tensor([0.7, 1.0, -0.5, 0.4, 0.9, -1.1])

    def cubic(params, sample):
        return ((sample("z", Bernoulli(logits=params["z"])) * weights).sum(-1) + 0.5) ** 3

    estimator = Rodeo(hidden=20)
    tunables, _ = estimator.init(describe(cubic, params), generator("init"))
    leaves = {name: entry.clone().requires_grad_() for name, entry in tunables.items()}
    optimiser = torch.optim.Adam(leaves.values(), lr=0.01)
    noise = draw_block(estimator.noise(describe(cubic, params)), ("train",), 80 * 32)["z"]["uniform"]
    for batch in noise.split(32):
        held = {name: leaf.detach() for name, leaf in leaves.items()}
        gradients = torch.vmap(
            lambda u, held=held: (
                estimate_gradient(estimator, cubic, params, {"z": {"uniform": u}}, held).tunable_gradient
            )
        )(batch)
        for name, leaf in leaves.items():
            leaf.grad = gradients[name].mean(0)
        optimiser.step()
    trained = {name: leaf.detach() for name, leaf in leaves.items()}
    variance = estimates(estimator, cubic, params, trained, 20_000)["z"].var(0).sum()
    rloo = (
        estimates(ScoreFunction(baseline="leave_one_out", samples=2), cubic, params, {}, 20_000)["z"]
        .var(0)
        .sum()
    )
    assert variance < 0.6 * rloo


@pytest.mark.parametrize("member", ["rodeo", "double_control_variates"])
@pytest.mark.parametrize(
    ("key", "other"), [("bits_above_normal", "low"), ("normal_above_bits", "top"), ("bits_two_layers", "low")]
)
def test_the_other_site_may_have_another_estimator(key: str, other: str, member: str) -> None:
    """Pathwise or, among bits, enumeration, at random tunables; a false-alarm rate of 1e-6 of the test."""
    draws, problem, bits = 40_000, PROBLEMS[key], {"top": "low", "low": "top"}[other]
    members = {
        bits: {"name": member} | ({"hidden": 4} if member == "rodeo" else {}),
        other: {"name": "pathwise" if "normal" in key else "exact"},
    }
    estimator = Mixed(sites={"top": members["top"], "low": members["low"]})
    tunables = random_tunables(estimator, problem.program, problem.params, key)
    noise = draw_block(estimator.noise(describe(problem.program, problem.params)), ("mixed", key), draws)
    found = torch.vmap(
        lambda n: (
            estimate_gradient(estimator, problem.program, problem.params, n, tunables, tune=False).gradient
        )
    )(noise)
    exact = problem.exact()
    bound = norm.isf(5e-7 / sum(entry.numel() for entry in exact.values()))
    for name, truth in exact.items():
        sample = found[name].double()
        tolerance = bound * sample.std(0) / draws**0.5 + 1e-5 * (1 + truth.abs())
        assert ((sample.mean(0) - truth).abs() <= tolerance).all(), name


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 1}, "rodeo: samples must be an integer ≥ 2"),
        ({"hidden": 0}, "rodeo: hidden must be an integer ≥ 1, got 0"),
    ],
)
def test_options_are_refused_in_one_line(options, message: str) -> None:
    with pytest.raises(ReparamError, match=message):
        Rodeo(**options)
