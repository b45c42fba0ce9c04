"""ReinMax, exactly: its mean is summed over all states, so nothing here is statistical."""

from __future__ import annotations

import pytest
import torch

from reparam.distributions import Bernoulli, OneHotCategorical
from reparam.engine.gradient import estimate_gradient
from reparam.errors import ReparamError
from reparam.estimators.reinmax import ReinMax

D = torch.float64
LOGITS = [
    (Bernoulli, [0.0, 1.3, -2.0]),
    (Bernoulli, [5.0, -4.0, 0.4]),
    (OneHotCategorical, [[0.0, 0.0, 0.0]]),
    (OneHotCategorical, [[1.0, -2.0, 0.3]]),
    (OneHotCategorical, [[4.0, 0.1, 2.0, -3.0]]),
    (OneHotCategorical, [[0.5, -1.0, 0.2], [1.5, 0.0, -0.7]]),
]


def quadratic(kind, shape, seed: int):
    """a·z + zᵀHz with random a and H, of one event: also products of entries of different variables."""
    source, n = torch.Generator().manual_seed(seed), torch.Size(shape).numel()
    linear = torch.randn(n, generator=source, dtype=D)
    matrix = torch.randn(n, n, generator=source, dtype=D)

    def f(params, sample):
        z = sample("z", kind(logits=params["logits"], event_dims=len(shape))).flatten()
        return (linear * z).sum() + z @ matrix @ z + params["logits"].sin().sum()

    return f


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("kind", "logits"), LOGITS)
def test_reinmax_is_exact_for_every_quadratic(kind, logits, seed, mean_over_states, exact_gradient) -> None:
    params = {"logits": torch.tensor(logits, dtype=D)}
    f = quadratic(kind, params["logits"].shape, seed)
    torch.testing.assert_close(mean_over_states(ReinMax(), f, params), exact_gradient(f, params))


@pytest.mark.parametrize(("kind", "logits"), LOGITS)
def test_reinmax_is_biased_for_cubes(kind, logits, mean_over_states, exact_gradient) -> None:
    params = {"logits": torch.tensor(logits, dtype=D)}

    def cubic(params, sample):
        z = sample("z", kind(logits=params["logits"], event_dims=params["logits"].ndim)).flatten()
        return ((torch.arange(len(z), dtype=D) - 0.7) * z).pow(3).sum()

    bias = mean_over_states(ReinMax(), cubic, params)["logits"] - exact_gradient(cubic, params)["logits"]
    assert bias.abs().max() > 1e-2


@pytest.mark.parametrize(("kind", "logits"), [entry for entry in LOGITS if entry[1] != [[0.0, 0.0, 0.0]]])
def test_reinmax_is_biased_for_quadratics_at_other_temperatures(
    kind, logits, mean_over_states, exact_gradient
) -> None:
    """Except where all categories are equally likely: there the temperature does nothing."""
    params = {"logits": torch.tensor(logits, dtype=D)}
    f = quadratic(kind, params["logits"].shape, 0)
    bias = (
        mean_over_states(ReinMax(temperature=2.0), f, params)["logits"] - exact_gradient(f, params)["logits"]
    )
    assert bias.abs().max() > 1e-2


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7])
def test_the_derivative_of_a_choice_is_the_algorithm_of_the_paper(temperature: float) -> None:
    """softmax at logits log π₁, with π₁ = (z + softmax(θ/τ))/2, twice, less half that at θ; autograd only."""
    theta = torch.tensor([1.0, -2.0, 0.3, 0.9], dtype=D)
    weights = torch.tensor([0.4, -1.1, 2.0, 0.6], dtype=D)
    u = torch.tensor([0.3, 0.5, 0.9, 0.2], dtype=D)

    def f(params, sample):
        return (weights * sample("z", OneHotCategorical(logits=params["logits"])) ** 2).sum(-1)

    def published(theta):
        z = torch.nn.functional.one_hot((theta - (-u.log()).log()).argmax(), 4).to(D)
        halfway = (z + (theta / temperature).softmax(-1)).detach() / 2
        first = (halfway.log() - theta.detach() + theta).softmax(-1)
        sample = 2 * first - 0.5 * theta.softmax(-1)
        return (weights * (z + sample - sample.detach()) ** 2).sum()

    noise = {"z": {"uniform": u.unsqueeze(0)}}
    found = estimate_gradient(ReinMax(temperature=temperature), f, {"logits": theta}, noise)
    torch.testing.assert_close(found.gradient["logits"], torch.func.grad(published)(theta))


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.7])
def test_a_bit_is_the_first_of_two_categories(temperature: float) -> None:
    """With logits (θ, 0) and the same outcome, the derivative in θ is the same."""
    theta = torch.tensor([0.8], dtype=D)

    def of_bit(params, sample):
        return torch.sin(sample("z", Bernoulli(logits=params["logits"]))).sum(-1)

    def of_choice(params, sample):
        logits = torch.cat([params["logits"], params["logits"].new_zeros(1)])
        return torch.sin(sample("z", OneHotCategorical(logits=logits))[0])

    for high, low in ((0.999, 0.001), (0.001, 0.999)):
        bit, choice = (
            estimate_gradient(
                ReinMax(temperature=temperature),
                f,
                {"logits": theta},
                {"z": {"uniform": torch.tensor([u], dtype=D)}},
            ).gradient["logits"]
            for f, u in ((of_bit, [high]), (of_choice, [high, low]))
        )
        torch.testing.assert_close(bit, choice)


def test_a_temperature_must_be_positive() -> None:
    with pytest.raises(ReparamError, match="reinmax: temperature must be a positive number, got 0"):
        ReinMax(temperature=0)
