"""Double control variates: exact means at any coefficient, the published formula, and what they are good for."""

from __future__ import annotations

import bit_grids
import pytest
import torch
from bit_grids import PROGRAMS, TWO_BITS, assert_unbiased, two_bits
from scipy.stats import norm

from reparam.distributions import Bernoulli, OneHotCategorical
from reparam.engine.gradient import estimate_gradient
from reparam.errors import ReparamError
from reparam.estimators.double_control_variates import DoubleControlVariates
from reparam.estimators.score_function import ScoreFunction
from reparam.measure.problems import PROBLEMS
from reparam.noise import draw_block, generator
from reparam.program import describe


def coefficients(program, params, *values: float) -> dict[str, torch.Tensor]:
    """A coefficient per site: the given ones in turn."""
    return {
        f"alpha.{name}": torch.tensor(values[i % len(values)], dtype=torch.float64)
        for i, name in enumerate(describe(program, params))
    }


def estimates(
    estimator, program, params, tunables, draws: int, dtype=torch.float64
) -> dict[str, torch.Tensor]:
    noise = draw_block(estimator.noise(describe(program, params)), ("double",), draws, dtype=dtype)
    return torch.vmap(
        lambda n: estimate_gradient(estimator, program, params, n, tunables, tune=False).gradient
    )(noise)


@pytest.mark.parametrize(
    ("name", "samples"),
    [("two_bits", 2), ("two_bits", 3), ("two_layers", 2), ("two_layers", 3), ("shared_bit", 2)],
)
def test_the_mean_is_exact_at_any_coefficients(name: str, samples: int) -> None:
    program, params = PROGRAMS[name]
    tunables = coefficients(program, params, -0.8, 1.7)
    estimator = DoubleControlVariates(samples=samples)
    assert_unbiased(bit_grids.estimates(estimator, program, params, tunables), program, params)


@pytest.mark.parametrize("key", ["one_hot_one_layer", "one_hot_two_layers"])
def test_one_hot_laws_are_unbiased_at_any_coefficients(key: str) -> None:
    """Every coordinate, with a false-alarm rate of 1e-6 of the test."""
    problem, draws = PROBLEMS[key], 40_000
    tunables = coefficients(problem.program, problem.params, -0.8, 1.7)
    found = estimates(
        DoubleControlVariates(), problem.program, problem.params, tunables, draws, torch.float32
    )
    exact = problem.exact()
    bound = norm.isf(5e-7 / sum(entry.numel() for entry in exact.values()))
    for name, truth in exact.items():
        sample = found[name].double()
        tolerance = bound * sample.std(0) / draws**0.5 + 1e-5 * (1 + truth.abs())
        assert ((sample.mean(0) - truth).abs() <= tolerance).all(), name


@pytest.mark.parametrize("samples", [2, 4])
def test_it_is_the_published_estimate_draw_by_draw(samples: int) -> None:
    alpha, theta, weights = -0.6, TWO_BITS["z"], TWO_BITS["weights"]
    u = torch.rand(samples, 2, generator=generator("u"), dtype=torch.float64)
    p = torch.sigmoid(theta)
    b = (u > 1 - p).double()
    f = torch.stack([two_bits(TWO_BITS, lambda name, law, z=z: z) for z in b])
    slopes = ((b @ weights - 0.7).exp()).unsqueeze(-1) * weights + 0.3 * theta
    published = torch.zeros(2, dtype=torch.float64)
    mean_of_others = [
        torch.stack([slopes[j] for j in range(samples) if j != k]).mean(0) for k in range(samples)
    ]
    h = torch.stack([f[k] + alpha * mean_of_others[k] @ (b[k] - p) for k in range(samples)])
    for k in range(samples):
        baseline = torch.stack([h[j] for j in range(samples) if j != k]).mean()
        published += (h[k] - baseline) * (b[k] - p) / samples
    published -= alpha * slopes.mean(0) * p * (1 - p)
    tunables = {"alpha.z": torch.tensor(alpha, dtype=torch.float64)}
    noise = {"z": {"uniform": u}}
    found = estimate_gradient(DoubleControlVariates(samples=samples), two_bits, TWO_BITS, noise, tunables)
    torch.testing.assert_close(found.gradient["z"], published + 0.3 * b.mean(0))


def test_it_starts_as_leave_one_out() -> None:
    program, params = PROGRAMS["two_layers"]
    estimator, rloo = DoubleControlVariates(samples=3), ScoreFunction(baseline="leave_one_out", samples=3)
    tunables, _ = estimator.init(describe(program, params), generator("init"))
    assert list(tunables) == ["alpha.top", "alpha.low"]
    torch.testing.assert_close(
        estimates(estimator, program, params, tunables, 100), estimates(rloo, program, params, {}, 100)
    )


def test_taylor_s_coefficient_is_exact_on_a_linear_f_of_several_sites() -> None:
    """Without variance: the signal of a site is corrected for the noise of the others, too."""

    def linear(params, sample):
        bits = sample("bits", Bernoulli(logits=params["bits"]))
        choice = sample("choice", OneHotCategorical(logits=params["choice"]))
        return (bits * torch.tensor([0.5, -2.0])).sum(-1) + (choice * torch.tensor([1.0, 3.0, -1.0])).sum(-1)

    params = {
        "bits": torch.tensor([0.3, -1.0], dtype=torch.float64),
        "choice": torch.tensor([0.2, 0.0, -0.7], dtype=torch.float64),
    }
    found = estimates(
        DoubleControlVariates(samples=3), linear, params, coefficients(linear, params, -1.0), 50
    )
    for entry in found.values():
        torch.testing.assert_close(entry, entry[:1].expand_as(entry))


def test_training_the_coefficient_brings_the_variance_below_leave_one_out() -> None:
    """The toy of the paper, (1/D) |b − 0.499|² with K = 2, at probabilities .6 and D = 50 of its 200 bits.

    There f₁ − f₂ + α (c₁ − c₂) is (1 − 2t + 2α (p − t)) Σ(b₁ − b₂) / D, which vanishes at α = −0.0099; the best α
    is a little nearer to 0.
    """
    size, target = 50, 0.499
    params = {"z": torch.full((size,), 0.6, dtype=torch.float64).logit()}

    def toy(params, sample):
        return size * (sample("z", Bernoulli(logits=params["z"])) - target).square().mean(-1)

    estimator = DoubleControlVariates()
    alpha = torch.zeros((), dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.RMSprop([alpha], lr=5e-4)
    noise = draw_block(estimator.noise(describe(toy, params)), ("train",), 60 * 50, dtype=torch.float64)["z"][
        "uniform"
    ]
    for batch in noise.split(50):
        alpha.grad = torch.vmap(
            lambda u: estimate_gradient(
                estimator, toy, params, {"z": {"uniform": u}}, {"alpha.z": alpha.detach()}
            ).tunable_gradient["alpha.z"]
        )(batch).mean()
        optimiser.step()
    trained = estimates(estimator, toy, params, {"alpha.z": alpha.detach()}, 4000)["z"].var(0).mean()
    rloo = (
        estimates(ScoreFunction(baseline="leave_one_out", samples=2), toy, params, {}, 4000)["z"]
        .var(0)
        .mean()
    )
    assert -0.012 < alpha.item() < -0.006
    assert trained < 0.3 * rloo


def test_options_are_refused_in_one_line() -> None:
    with pytest.raises(ReparamError, match="double_control_variates: samples must be an integer ≥ 2"):
        DoubleControlVariates(samples=1)
