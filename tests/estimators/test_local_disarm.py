"""Local DisARM: exact means of the bound, its variance beside VIMCO's, and extreme weights."""

from __future__ import annotations

import math

import bit_grids
import pytest
import torch
from bit_grids import PROGRAMS, TWO_BITS, two_bits, variances

from reparam import estimators
from reparam.distributions import Bernoulli
from reparam.engine.gradient import estimate_gradient
from reparam.errors import ReparamError
from reparam.estimators.arm import Disarm
from reparam.estimators.local_disarm import LocalDisarm
from reparam.estimators.vimco import Vimco
from reparam.oracles import objectives


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("samples", [1, 2])
def test_the_mean_is_the_gradient_of_the_bound_to_rounding(samples: int, name: str) -> None:
    """All bits and twins of all samples, on a grid of the uniforms; sites above others, and shared by data, too."""
    program, params = PROGRAMS[name]
    leaves = {key: entry.clone().requires_grad_() for key, entry in params.items()}
    total = objectives.bound(program, leaves, samples).sum()
    exact = dict(zip(leaves, torch.autograd.grad(total, list(leaves.values())), strict=True))
    found = bit_grids.estimates(LocalDisarm(samples=samples), program, params)
    for key, truth in exact.items():
        torch.testing.assert_close(found[key].mean(0), truth, rtol=1e-9, atol=1e-9)


def test_one_sample_is_disarm_but_for_the_direct_gradient() -> None:
    """f does not look at the logits here, so theirs are the same."""

    def indirect(p, sample):
        return ((sample("z", Bernoulli(logits=p["z"])) * p["weights"]).sum(-1) - 0.7).exp()

    one, disarm = (
        bit_grids.estimates(e, indirect, TWO_BITS)["z"] for e in (LocalDisarm(samples=1), Disarm())
    )
    torch.testing.assert_close(one, disarm)


def test_the_variance_is_below_vimco_s_for_the_same_bound() -> None:
    """Two samples of two bits; over a grid of the uniforms, on whose cells both estimates are constant."""
    ours, vimco = (variances(bit_grids.estimates(e, two_bits, TWO_BITS)) for e in (LocalDisarm(), Vimco()))
    assert (ours["z"] < 0.9 * vimco["z"]).all()


def test_extreme_weights_give_finite_signals() -> None:
    """In single precision with log weights of ±10⁴: L − L_k is ± log 2, or 2 · 10⁴ less that."""

    def given_weights(params, sample):
        return (1e4 * (2 * sample("z", Bernoulli(logits=params["logits"])) - 1)).sum(-1)

    params = {"logits": torch.tensor([0.0])}
    for bits, expected in (((1, 1), math.log(2) / 2), ((1, 0), 2e4 / 4)):
        noise = {"z": {"uniform": torch.tensor([[0.9 if bit else 0.1] for bit in bits])}}
        found = estimate_gradient(LocalDisarm(), given_weights, params, noise)
        torch.testing.assert_close(found.gradient["logits"], torch.tensor([expected]))


def test_it_needs_a_sample() -> None:
    with pytest.raises(ReparamError, match="local_disarm: samples must be an integer ≥ 1, got 0"):
        estimators.make("local_disarm", {"samples": 0})
