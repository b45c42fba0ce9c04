"""VIMCO: exact means, exact variances, and learning signals at extreme weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from forced import moments
from torch import Tensor

from reparam import estimators
from reparam.distributions import Bernoulli
from reparam.engine.gradient import estimate_gradient
from reparam.errors import ReparamError
from reparam.estimators.nvil import Nvil
from reparam.estimators.vimco import Vimco
from reparam.oracles import objectives
from reparam.program import Params

GUIDE = {
    "guide": torch.tensor([0.4], dtype=torch.float64),
    "link": torch.tensor([-0.9], dtype=torch.float64),
    "model": torch.tensor([0.7, -1.2], dtype=torch.float64),
}


def log_weight(params: Params, sample: Any) -> Tensor:
    """A bit above a bit; log p − log q with a model that is no product."""
    q_top = Bernoulli(logits=params["guide"])
    top = sample("top", q_top)
    q_low = Bernoulli(logits=params["guide"] + params["link"] * top)
    low = sample("low", q_low)
    log_p = (params["model"][0] * top + params["model"][1] * low * (top - 0.4)).sum(-1)
    return log_p - q_top.log_prob(top) - q_low.log_prob(low)


@pytest.mark.parametrize("baseline", ["geometric", "arithmetic"])
@pytest.mark.parametrize("samples", [2, 3, 4])
def test_the_mean_is_the_gradient_of_the_bound_to_rounding(samples: int, baseline: Any) -> None:
    """All 4^K states of K samples, per coordinate; no chance is involved."""
    found = moments(Vimco(samples=samples, baseline=baseline), log_weight, GUIDE)
    params = {name: p.clone().requires_grad_() for name, p in GUIDE.items()}
    bound = objectives.bound(log_weight, params, samples).sum()
    exact = dict(zip(params, torch.autograd.grad(bound, list(params.values())), strict=True))
    torch.testing.assert_close(found.mean, exact, rtol=1e-10, atol=1e-12)


def test_with_two_samples_both_baselines_are_the_weight_of_the_other() -> None:
    geometric, arithmetic = (
        moments(Vimco(samples=2, baseline=name), log_weight, GUIDE) for name in ("geometric", "arithmetic")
    )
    torch.testing.assert_close(geometric.variance, arithmetic.variance, rtol=1e-10, atol=1e-12)


def shared_and_local(params: Params, sample: Any) -> Tensor:
    """A bit shared by two data, and a bit of each datum's own."""
    shared = sample("shared", Bernoulli(logits=params["shared"], event_dims=1))
    local = sample("local", Bernoulli(logits=params["local"]))
    return 1.4 * local[:, 0] * shared[0] - 0.6 * local[:, 0] + shared[0] * torch.tensor([1.0, -0.5]).double()


def test_a_shared_sample_is_signalled_by_the_bounds_of_all_its_data() -> None:
    """Two samples of three bits: the expectation of both data's bounds, added, over all 64 states."""
    params = {
        "shared": torch.tensor([0.4], dtype=torch.float64, requires_grad=True),
        "local": torch.tensor([[-0.7], [0.9]], dtype=torch.float64, requires_grad=True),
    }
    p_shared, p_local = params["shared"].sigmoid(), params["local"].sigmoid()[:, 0]
    probs = torch.cat([p_shared, p_local, p_shared, p_local])
    total = torch.zeros((), dtype=torch.float64)
    for bits in torch.cartesian_prod(*(torch.tensor([0.0, 1.0], dtype=torch.float64),) * 6):
        mass = torch.where(bits > 0, probs, 1 - probs).prod()
        shared, local = bits[[0, 3]], bits.reshape(2, 3)[:, 1:]
        f = (1.4 * shared[:, None] - 0.6) * local + shared[:, None] * torch.tensor([1.0, -0.5]).double()
        total = total + mass * f.exp().mean(0).log().sum()
    exact = dict(zip(params, torch.autograd.grad(total, list(params.values())), strict=True))
    found = moments(Vimco(samples=2), shared_and_local, {name: p.detach() for name, p in params.items()})
    torch.testing.assert_close(found.mean, exact, rtol=1e-10, atol=1e-12)


def test_signals_per_sample_have_less_variance_than_the_bound_as_one_signal() -> None:
    """For more samples, and for every parameter of the guide (Mnih & Rezende 2016, against the plain signal)."""
    plain = Nvil(samples=4, input_dependent=False, centre=False, normalise=False)
    one = moments(plain, log_weight, GUIDE)
    for baseline in ("geometric", "arithmetic"):
        each = moments(Vimco(samples=4, baseline=baseline), log_weight, GUIDE)
        for name in ("guide", "link"):
            assert (each.variance[name] < 0.7 * one.variance[name]).all(), name


def given_weights(params: Params, sample: Any) -> Tensor:
    """The log weight is 10⁴ for z = 1 and −10⁴ for z = 0, plus what the parameter adds."""
    z = sample("z", Bernoulli(logits=params["logits"]))
    return (1e4 * (2 * z - 1) + params["shift"] * z).sum(-1)


@pytest.mark.parametrize("baseline", ["geometric", "arithmetic"])
@pytest.mark.parametrize("bits", [(1, 0, 0), (0, 0, 0), (1, 1, 1), (1, 1, 0)])
def test_extreme_weights_give_finite_and_exact_signals(bits: tuple[int, ...], baseline: Any) -> None:
    """Against the definition in 80-bit numbers, in single precision, for log weights of ±10⁴."""
    params = {"logits": torch.tensor([0.3]), "shift": torch.tensor([1.5])}
    noise = {"z": {"uniform": torch.tensor([[1 - 1e-6 if bit else 1e-6] for bit in bits])}}
    found = estimate_gradient(Vimco(samples=3, baseline=baseline), given_weights, params, noise)
    f = np.array([1e4 * (2 * bit - 1) + 1.5 * bit for bit in bits], dtype=np.longdouble)

    def log_mean(x: Any) -> Any:
        return np.max(x) + np.log(np.mean(np.exp(x - np.max(x))))

    expected = np.longdouble(0.0)
    for k, bit in enumerate(bits):
        others = np.delete(f, k)
        stand_in = others.mean() if baseline == "geometric" else log_mean(others)
        signal = log_mean(f) - log_mean(np.append(others, stand_in))
        expected += signal * (bit - 1 / (1 + math.exp(-0.3)))
    weights = np.exp(f - f.max()) / np.exp(f - f.max()).sum()
    torch.testing.assert_close(
        found.gradient["logits"], torch.tensor([float(expected)]), rtol=1e-5, atol=1e-5
    )
    torch.testing.assert_close(found.gradient["shift"], torch.tensor([float(weights @ np.array(bits))]))
    assert torch.isfinite(found.value).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 1}, "vimco: samples must be an integer ≥ 2, got 1"),
        ({"baseline": "geometrical"}, "vimco: unknown baseline 'geometrical'; did you mean 'geometric'"),
    ],
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ReparamError, match=message) as caught:
        estimators.make("vimco", options)
    assert "\n" not in str(caught.value)
