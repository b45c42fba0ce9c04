"""Rejection of von Mises angles: the law, from flat to sharp, in both dtypes (vectors: test_von_mises_fisher.py)."""

from __future__ import annotations

import pytest
import torch
from scipy import stats

from reparam.distributions import VonMises
from reparam.noise import draw_block

LEVEL = 1e-8
"""Probability that one Kolmogorov–Smirnov test fails though all is right; below 1e-6 for all of this file."""
KAPPAS = (1e-3, 0.5, 10.5, 500.0, 1e6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_von_mises_angles_follow_the_law_and_none_fails(dtype: torch.dtype) -> None:
    law = VonMises(torch.zeros(len(KAPPAS), dtype=dtype), torch.tensor(KAPPAS, dtype=dtype))
    noise = draw_block({"z": law.rejection_noise()}, ("angles",), 4000, dtype=dtype)["z"]
    z, _, failed = torch.vmap(law.accept)(noise)
    assert not failed.any()
    for angle, kappa in zip(z.double().T.numpy(), KAPPAS, strict=True):
        assert stats.kstest(angle, stats.vonmises(kappa).cdf).pvalue > LEVEL, kappa


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_concentrations_and_noise_leave_everything_finite(dtype: torch.dtype) -> None:
    eps = torch.finfo(dtype).eps
    kappa = torch.tensor([1e-15, 1e-3, 1.0, 1e4, 1e10], dtype=dtype)
    for u in (eps / 4, 0.25, 0.5, 1 - eps / 2):

        def everything(kappa: torch.Tensor, u: float = u) -> tuple[torch.Tensor, ...]:
            law = VonMises(torch.zeros_like(kappa), kappa, event_dims=0)
            noise = {
                role: torch.full(spec.shape, u, dtype=dtype) for role, spec in law.rejection_noise().items()
            }
            return law.accept(noise)[:2]

        values, pullback = torch.func.vjp(everything, kappa)
        for value in (*values, *pullback(tuple(map(torch.ones_like, values)))):
            assert value.isfinite().all(), (u, value)
