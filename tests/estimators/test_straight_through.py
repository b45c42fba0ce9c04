"""Straight-through and its kin, exactly: their means are summed over all states, so nothing here is statistical."""

from __future__ import annotations

import pytest
import torch

from reparam.distributions import Bernoulli, OneHotCategorical
from reparam.engine.gradient import estimate_gradient
from reparam.errors import ReparamError
from reparam.estimators.reinmax import ReinMax
from reparam.estimators.straight_through import AnnealedStraightThrough, Half, StraightThrough

D = torch.float64
BITS = [torch.tensor(logits, dtype=D) for logits in ([0.0, 1.3, -2.0], [5.0, -4.0, 0.4], [-0.2, 0.1, 0.3])]
CHOICE = [
    torch.tensor(logits, dtype=D) for logits in ([[0.0, 0.0, 0.0]], [[1.0, -2.0, 0.3]], [[3.0, 0.1, 2.0]])
]
PAIR = torch.tensor([[0.5, -1.0, 0.2], [1.5, 0.0, -0.7]], dtype=D)


def parts(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A vector and a symmetric matrix of random numbers on the entries of one event."""
    source = torch.Generator().manual_seed(3)
    n = torch.Size(shape).numel()
    matrix = torch.randn(n, n, generator=source, dtype=D)
    return torch.randn(n, generator=source, dtype=D), matrix + matrix.T


def program(kind, order: str, shape):
    """f = a·z (linear), a·z + zᵀHz (quadratic) or with the cube of b·z (cubic), of one event of `kind`."""
    linear, matrix = parts(*shape)

    def f(params, sample):
        z = sample("z", kind(logits=params["logits"], event_dims=len(shape))).flatten()
        value = (linear * z).sum() + 0.3 * (params["logits"] ** 2).sum()
        if order != "linear":
            value = value + z @ matrix @ z
        return value + (matrix[0] @ z) ** 3 if order == "cubic" else value

    return f


def cases(*lists):
    return [
        pytest.param(kind, {"logits": logits}, id=f"{kind.__name__}{i}")
        for kind, sets in lists
        for i, logits in enumerate(sets)
    ]


ALL = cases((Bernoulli, BITS), (OneHotCategorical, [*CHOICE, PAIR]))


def far(found, exact) -> bool:
    """Whether some coordinate is off by more than a thousandth of the largest."""
    return (found["logits"] - exact["logits"]).abs().max() > 1e-3 * exact["logits"].abs().max()


@pytest.mark.parametrize(("kind", "params"), ALL)
def test_straight_through_is_exact_for_linear_f(kind, params, mean_over_states, exact_gradient) -> None:
    f = program(kind, "linear", params["logits"].shape)
    torch.testing.assert_close(mean_over_states(StraightThrough(), f, params), exact_gradient(f, params))


@pytest.mark.parametrize(("kind", "params"), ALL)
def test_straight_through_is_biased_for_quadratics(kind, params, mean_over_states, exact_gradient) -> None:
    """By p(1 − p)(½ − p) f'' for one bit; here several bits, and choices."""
    f = program(kind, "quadratic", params["logits"].shape)
    assert far(mean_over_states(StraightThrough(), f, params), exact_gradient(f, params))


def test_the_bias_of_straight_through_for_one_bit_is_its_closed_form(
    mean_over_states, exact_gradient
) -> None:
    """E[f'(z)] = f'(0) + p f'' where f(1) − f(0) = f'(0) + f''/2: off by p(1 − p)(p − ½) f''."""
    params = {"logits": torch.tensor([0.9], dtype=D)}

    def f(params, sample):
        return ((sample("z", Bernoulli(logits=params["logits"])) - 0.45) ** 2).sum(-1)

    p = torch.sigmoid(params["logits"])
    bias = mean_over_states(StraightThrough(), f, params)["logits"] - exact_gradient(f, params)["logits"]
    torch.testing.assert_close(bias, p * (1 - p) * (p - 0.5) * 2)


@pytest.mark.parametrize(("kind", "params"), cases((Bernoulli, BITS), (OneHotCategorical, [PAIR[:, :2]])))
def test_half_is_exact_for_quadratics_in_bits(kind, params, mean_over_states, exact_gradient) -> None:
    """Bits as such, or as the first of two categories."""
    f = program(kind, "quadratic", params["logits"].shape)
    torch.testing.assert_close(mean_over_states(Half(), f, params), exact_gradient(f, params))


@pytest.mark.parametrize(("kind", "params"), cases((OneHotCategorical, [*CHOICE, PAIR])))
def test_half_is_biased_for_quadratics_in_choices_unless_they_are_isotropic(
    kind, params, mean_over_states, exact_gradient
) -> None:
    f = program(kind, "quadratic", params["logits"].shape)
    assert far(mean_over_states(Half(), f, params), exact_gradient(f, params))

    linear, _ = parts(*params["logits"].shape)

    def isotropic(params, sample):
        z = sample("z", kind(logits=params["logits"], event_dims=2))
        return (linear * z.flatten()).sum() + 3 * z.square().sum()

    torch.testing.assert_close(mean_over_states(Half(), isotropic, params), exact_gradient(isotropic, params))


@pytest.mark.parametrize("logit", [-2.0, 0.0, 0.7])
def test_the_mean_of_half_for_one_bit_is_the_trapezoidal_rule(logit: float, mean_over_states) -> None:
    """p(1 − p) ½ (f'(0) + f'(1)), whatever f: here sin(2z + ½)."""
    params = {"logits": torch.tensor([logit], dtype=D)}

    def f(params, sample):
        return torch.sin(2 * sample("z", Bernoulli(logits=params["logits"])) + 0.5).sum(-1)

    p = torch.sigmoid(params["logits"])
    slopes = 2 * torch.cos(torch.tensor([0.5, 2.5], dtype=D))
    found = mean_over_states(Half(), f, params)["logits"]
    torch.testing.assert_close(found, p * (1 - p) * slopes.mean())


@pytest.mark.parametrize("order", ["linear", "quadratic", "cubic"])
@pytest.mark.parametrize("logits", BITS)
def test_half_is_reinmax_for_bits_draw_by_draw(logits: torch.Tensor, order: str) -> None:
    f = program(Bernoulli, order, logits.shape)
    for u in torch.rand(8, 1, 3, dtype=D, generator=torch.Generator().manual_seed(0)):
        one, other = (
            estimate_gradient(e, f, {"logits": logits}, {"z": {"uniform": u}}).gradient
            for e in (Half(), ReinMax())
        )
        torch.testing.assert_close(one, other)


def test_straight_through_estimators_hand_f_hard_samples() -> None:
    seen = []

    def f(params, sample):
        z = sample("z", Bernoulli(logits=params["logits"]))
        seen.append(z.detach())
        return (z - 0.3).square().sum(-1)

    params, noise = {"logits": torch.zeros(4)}, {"z": {"uniform": torch.tensor([[0.1, 0.4, 0.6, 0.9]])}}
    for estimator in (StraightThrough(), Half(), AnnealedStraightThrough(rate=0.0, slope=3.0)):
        estimate = estimate_gradient(estimator, f, params, noise)
        assert torch.equal(estimate.value, torch.tensor(2 * 0.09 + 2 * 0.49))


@pytest.mark.parametrize(("kind", "logits"), [(Bernoulli, BITS[0]), (OneHotCategorical, CHOICE[1])])
def test_the_slope_is_that_of_the_steeper_mean(kind, logits, mean_over_states) -> None:
    """For linear f the mean estimate at slope a is ∇ a·(the mean at logits aθ)."""
    f, params = program(kind, "linear", logits.shape), {"logits": logits}
    linear, _ = parts(*logits.shape)

    def steeper(params):
        mean = kind(logits=2.5 * params["logits"]).mean
        return (linear * mean.flatten()).sum() + 0.3 * (params["logits"] ** 2).sum()

    found = mean_over_states(AnnealedStraightThrough(slope=2.5, rate=0.0), f, params)
    torch.testing.assert_close(found, torch.func.grad(steeper)(params))
    plain = mean_over_states(StraightThrough(), f, params)
    torch.testing.assert_close(mean_over_states(AnnealedStraightThrough(rate=0.0), f, params), plain)


def test_the_slope_grows_with_the_estimates_made() -> None:
    """By `rate` every `every` estimates, up to `maximum`; the count is the memory."""

    def f(params, sample):
        return sample("z", Bernoulli(logits=params["logits"])).sum(-1)

    params, noise = (
        {"logits": torch.tensor([0.8], dtype=D)},
        {"z": {"uniform": torch.tensor([[0.5]], dtype=D)}},
    )
    estimator = AnnealedStraightThrough(slope=1.0, rate=0.5, every=2, maximum=2.0)
    _, memory = estimator.init({}, torch.Generator())
    for slope in (1.0, 1.0, 1.5, 1.5, 2.0, 2.0, 2.0, 2.0):
        estimate = estimate_gradient(estimator, f, params, noise, memory=memory)
        memory = estimate.memory
        p = torch.sigmoid(slope * params["logits"])
        torch.testing.assert_close(estimate.gradient["logits"], slope * p * (1 - p))
    assert memory["estimates"] == 8
    assert AnnealedStraightThrough(rate=0.0).init({}, torch.Generator()) == ({}, {})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"slope": 0.0}, "annealed_straight_through: slope must be a positive number, got 0.0"),
        ({"maximum": -1.0}, "annealed_straight_through: maximum must be a positive number, got -1.0"),
        ({"rate": -0.1}, "annealed_straight_through: rate must be 0 or positive, got -0.1"),
        ({"every": 0}, "annealed_straight_through: every must be an integer ≥ 1, got 0"),
        ({"samples": 0}, "annealed_straight_through: samples must be an integer ≥ 1, got 0"),
        ({"slope": 6.0}, "annealed_straight_through: annealing starts at slope 6.0, above its maximum 5.0"),
    ],
)
def test_bad_options_are_refused(options, message) -> None:
    with pytest.raises(ReparamError) as caught:
        AnnealedStraightThrough(**options)
    assert str(caught.value) == message
