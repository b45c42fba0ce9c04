"""Reweighted wake-sleep: exact means, normalised and constant weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from forced import moments
from near_posterior import NEAR, at_posterior
from torch import Tensor

from reparam import estimators
from reparam.distributions import Bernoulli
from reparam.engine.gradient import estimate_gradient
from reparam.errors import ReparamError
from reparam.estimators.importance_weighted import Dreg
from reparam.estimators.reweighted_wake_sleep import ReweightedWakeSleep, RwsDreg
from reparam.measure.moments import gradient_moments
from reparam.measure.problems import PROBLEMS
from reparam.noise import draw_block
from reparam.program import Params, describe

PARAMS = {
    "guide": torch.tensor([0.4, -0.7], dtype=torch.float64),
    "prior": torch.tensor([-0.2, 0.9], dtype=torch.float64),
    "shift": torch.tensor(0.0, dtype=torch.float64),
}


def log_weight(params: Params, sample: Any) -> Tensor:
    """Two bits, their prior and a likelihood; `shift` is added to log p."""
    q = Bernoulli(logits=params["guide"])
    z = sample("z", q)
    log_p = Bernoulli(logits=params["prior"]).log_prob(z) - (z.sum(-1) - 1.3) ** 2 + params["shift"]
    return log_p - q.log_prob(z)


def bits(index: int) -> Tensor:
    return torch.tensor([index // 2, index % 2], dtype=torch.float64)


def log_densities(params: Params, z: Tensor) -> tuple[Tensor, Tensor]:
    """log p and log q of two bits, written out."""
    log_prior = (z * params["prior"].sigmoid().log() + (1 - z) * (-params["prior"]).sigmoid().log()).sum()
    log_q = (z * params["guide"].sigmoid().log() + (1 - z) * (-params["guide"]).sigmoid().log()).sum()
    return log_prior - (z.sum() - 1.3) ** 2 + params["shift"], log_q


@pytest.mark.parametrize("samples", [2, 3])
def test_the_mean_is_that_of_both_weighted_scores(samples: int) -> None:
    """Over all tuples of states, with both gradients of every state taken by hand."""
    params = {name: p.clone().requires_grad_() for name, p in PARAMS.items()}
    leaves = list(params.values())
    table = [log_densities(params, bits(i)) for i in range(4)]
    scores = [
        torch.autograd.grad(log_p + log_q, leaves, materialize_grads=True, retain_graph=True)
        for log_p, log_q in table
    ]
    expected = [torch.zeros_like(p) for p in PARAMS.values()]
    for states in torch.cartesian_prod(*(torch.arange(4),) * samples).tolist():
        ratios = torch.stack([(table[i][0] - table[i][1]).exp() for i in states]).detach()
        mass = torch.stack([table[i][1] for i in states]).sum().exp().detach()
        for i, ratio in zip(states, ratios, strict=True):
            for entry, score in zip(expected, scores[i], strict=True):
                entry += mass * ratio / ratios.sum() * score
    found = moments(ReweightedWakeSleep(samples=samples), log_weight, PARAMS).mean
    torch.testing.assert_close(list(found.values()), expected, rtol=1e-10, atol=1e-12)


def test_weights_are_normalised_at_any_scale() -> None:
    """Σ w̃ = 1: a number added to log p has gradient 1, and a large one changes no other gradient."""
    estimator = ReweightedWakeSleep(samples=4)
    specs = estimator.noise(describe(log_weight, PARAMS))
    block = draw_block(specs, ("weights",), 1, dtype=torch.float64)
    noise = {"z": {"uniform": block["z"]["uniform"][0]}}
    near, far = (
        estimate_gradient(estimator, log_weight, PARAMS | {"shift": torch.tensor(s).double()}, noise)
        for s in (0.0, -1e4)
    )
    torch.testing.assert_close(near.gradient["shift"], torch.ones((), dtype=torch.float64))
    torch.testing.assert_close(far.gradient, near.gradient, rtol=1e-9, atol=1e-9)


def test_the_value_is_the_bound_of_the_samples() -> None:
    estimator = ReweightedWakeSleep(samples=3)
    noise = {"z": {"uniform": torch.tensor([[0.1, 0.2], [0.9, 0.2], [0.9, 0.9]], dtype=torch.float64)}}
    states = (PARAMS["guide"] + torch.logit(noise["z"]["uniform"]) > 0).double()
    weights = [torch.sub(*log_densities(PARAMS, z)).exp() for z in states]
    found = estimate_gradient(estimator, log_weight, PARAMS, noise).value
    torch.testing.assert_close(found, torch.stack(weights).mean().log())


def test_a_site_shared_by_the_plate_is_refused() -> None:
    problem = PROBLEMS["bits_shared"]
    estimator = ReweightedWakeSleep()
    block = draw_block(estimator.noise(describe(problem.program, problem.params)), ("shared",), 1)
    noise = {site: {role: n[0] for role, n in roles.items()} for site, roles in block.items()}
    with pytest.raises(ReparamError, match="sample site 'shared' is shared by the plate") as caught:
        estimate_gradient(estimator, problem.program, problem.params, noise)
    assert "\n" not in str(caught.value)


def test_one_sample_needs_no_weights() -> None:
    with pytest.raises(ReparamError, match="reweighted_wake_sleep: samples must be an integer ≥ 2, got 1"):
        ReweightedWakeSleep(samples=1)


def test_near_the_posterior_the_paths_vary_less_than_the_scores() -> None:
    """q's parameters, K = 8, 4,000 draws: half of it; at the posterior itself nothing but the scores varies."""
    found = {
        name: gradient_moments(at_posterior, NEAR, estimators.make(name, {"samples": 8}), draws=4000).variance
        for name in ("reweighted_wake_sleep", "rws_dreg")
    }
    for name in NEAR:
        assert (found["rws_dreg"][name] < 0.75 * found["reweighted_wake_sleep"][name]).all()


def test_shares_of_the_wake_phase_mix_two_gradients() -> None:
    """a of RWS-DReG and 1 − a of DReG, on the same noise."""
    noise = {"z": {"normal": torch.tensor([[[0.4], [0.1]], [[-1.1], [0.8]], [[0.3], [-0.2]]]).double()}}
    none, some, all_ = (
        estimate_gradient(kind, at_posterior, NEAR, noise).gradient
        for kind in (Dreg(samples=3), RwsDreg(samples=3, share=0.3), RwsDreg(samples=3))
    )
    for name, entry in some.items():
        torch.testing.assert_close(entry, 0.7 * none[name] + 0.3 * all_[name])
