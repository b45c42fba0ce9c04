"""What all estimators of one differentiable sample keep: finite at the edges, and averages over their samples."""

from __future__ import annotations

import pytest
import torch

from reparam import estimators
from reparam.distributions import Bernoulli, OneHotCategorical
from reparam.engine.gradient import estimate_gradient
from reparam.estimators.card import RELAXATION
from reparam.estimators.paths import PathEstimator, with_derivative_of
from reparam.noise import draw_block
from reparam.program import describe

NAMES = [
    name
    for name in estimators.names()
    if issubclass(kind := estimators.get(name), PathEstimator) and kind.card.requires is RELAXATION
]
LOGITS = {
    Bernoulli: torch.tensor([[0.0, -30.0, 30.0], [30.0, 29.0, -30.0]]),
    OneHotCategorical: torch.tensor([[0.0, -30.0, 30.0], [-torch.inf, 29.0, -30.0]]),
}


@pytest.mark.parametrize("kind", LOGITS)
@pytest.mark.parametrize("name", NAMES)
def test_estimates_are_finite_at_extreme_logits(name: str, kind: type) -> None:
    """In float32, with a log mass in f; for one-hot vectors with an impossible category, too."""

    def f(params, sample):
        law = kind(logits=params["logits"])
        z = sample("z", law)
        return (z.cumsum(-1) - 0.3).square().sum(-1) - law.log_prob(z)

    params, options = {"logits": LOGITS[kind]}, estimators.get(name).__dataclass_fields__
    for temperature in (0.01, 10.0) if "temperature" in options else (None,):
        estimator = estimators.make(name, {"temperature": temperature} if temperature else {})
        noise = draw_block(estimator.noise(describe(f, params)), ("edges", name), 200)

        def one(noise, estimator=estimator):
            found = estimate_gradient(estimator, f, params, noise, memory=estimator.init({}, None)[1])
            return found.value, found.gradient

        value, gradient = torch.vmap(one)(noise)
        assert value.isfinite().all()
        assert gradient["logits"].isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_an_estimate_is_the_mean_over_its_samples(name: str) -> None:
    def f(params, sample):
        return sample("z", Bernoulli(logits=params["logits"])).cos().sum(-1)

    params = {"logits": torch.tensor([[0.4, -1.0], [2.0, 0.0]])}
    estimator = estimators.make(name, {"samples": 3})
    noise = draw_block(estimator.noise(describe(f, params)), ("samples",), 1)["z"]
    noise = {role: block[0] for role, block in noise.items()}
    memory = estimator.init({}, None)[1]
    whole = estimate_gradient(estimator, f, params, {"z": noise}, memory=memory)
    single = [
        estimate_gradient(
            estimators.make(name),
            f,
            params,
            {"z": {r: n[i : i + 1] for r, n in noise.items()}},
            memory=memory,
        )
        for i in range(3)
    ]
    torch.testing.assert_close(whole.value, torch.stack([one.value for one in single]).mean(0))
    expected = torch.stack([one.gradient["logits"] for one in single]).mean(0)
    torch.testing.assert_close(whole.gradient["logits"], expected)


def test_a_surrogate_s_derivative_stands_in_the_place_of_the_sample_s() -> None:
    x = torch.tensor([0.3, -1.2], dtype=torch.float64)

    def f(x):
        return with_derivative_of(x.sin(), x.square()).pow(2).sum()

    slope, value = torch.func.grad_and_value(f)(x)
    torch.testing.assert_close(value, x.pow(4).sum())
    torch.testing.assert_close(slope, 2 * x.square() * x.cos())
