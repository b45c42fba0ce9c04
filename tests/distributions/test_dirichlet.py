"""The Dirichlet law: its path in log space, its marginals, and what small concentrations do."""

from __future__ import annotations

import math

import pytest
import torch
from scipy import stats

from reparam.distributions import Beta, Dirichlet
from reparam.distributions.incomplete_gamma import velocity
from reparam.errors import ReparamError
from reparam.noise import draw, generator

LEVEL = 1e-6
"""Probability that a right law fails one Kolmogorov–Smirnov test."""


@pytest.mark.parametrize("scale", [1e-3, 0.1, 1.0, 1e3, 1e6])
def test_marginals_are_beta_variables_for_concentrations_of_any_size(scale: float) -> None:
    """By log entries; at both ends, where scipy's CDF is rounded, by the tail z^a / (a B(a, b))."""
    alpha = scale * torch.tensor([1.0, 0.5, 2.0], dtype=torch.float64)
    u = draw("uniform", (4000, 3), generator("dirichlet", str(scale)), torch.float64)
    logs = Dirichlet(alpha.expand(4000, 3)).log_path({"uniform": u})
    torch.testing.assert_close(logs.logsumexp(-1), torch.zeros(4000, dtype=torch.float64))
    rest = alpha.sum() - alpha
    log_rest = torch.stack([logs[:, [j for j in range(3) if j != i]].logsumexp(-1) for i in range(3)], -1)
    log_beta = alpha.lgamma() + rest.lgamma() - alpha.sum().lgamma()
    below, above = alpha * logs - alpha.log() - log_beta, rest * log_rest - rest.log() - log_beta
    found = torch.as_tensor(stats.beta.cdf(logs.exp(), alpha, rest))
    found = torch.where(logs < -30, below.exp(), torch.where(log_rest < -30, 1 - above.exp(), found))
    for i in range(3):
        assert stats.kstest(found[:, i].numpy(), "uniform").pvalue > LEVEL


def test_the_derivative_is_that_of_gamma_variables_over_their_sum() -> None:
    """d log z_j / dα_k = (δ_jk − z_k) d log x_k / dα_k, with the gamma variable's own derivative."""
    alpha = torch.tensor([0.3, 2.0, 7.0], dtype=torch.float64)
    u = torch.tensor([0.2, 0.7, 0.4], dtype=torch.float64)
    r = [Dirichlet(alpha.expand(1, 3)).log_path({"uniform": u.unsqueeze(0)})]
    jacobian = torch.func.jacrev(lambda a: Dirichlet(a).log_path({"uniform": u}))(alpha)
    x = torch.as_tensor(stats.gamma(alpha.numpy()).ppf(u.numpy()))
    slope = velocity((x / alpha).log(), alpha)[0] + 1 / alpha
    z = x / x.sum()
    torch.testing.assert_close(r[0][0], z.log())
    torch.testing.assert_close(jacobian, (torch.eye(3, dtype=torch.float64) - z) * slope)


def test_concentrations_of_1e_3_work_in_float32() -> None:
    """92 % of the gamma variables underflow; the sample's logarithms and all derivatives are finite."""
    alpha = torch.full((200, 5), 1e-3)
    u = draw("uniform", (200, 5), generator("small"), torch.float32)

    def everything(alpha: torch.Tensor) -> torch.Tensor:
        law = Dirichlet(alpha)
        logs, z = law.log_path({"uniform": u}), law.path({"uniform": u})
        return torch.stack(
            [logs.logsumexp(-1), law.log_density(logs), law.log_prob(z), law.entropy(), z.square().sum(-1)]
        )

    values, pullback = torch.func.vjp(everything, alpha)
    assert values.isfinite().all()
    assert pullback(torch.ones_like(values))[0].isfinite().all()
    logs = Dirichlet(alpha).log_path({"uniform": u})
    assert (logs < math.log(1e-38)).double().mean() > 0.7
    exact = torch.distributions.Dirichlet(alpha.double()).log_prob(logs.double().exp().clamp(min=1e-300))
    inside = (logs > -600).all(-1)
    assert inside.sum() > 3
    torch.testing.assert_close(
        Dirichlet(alpha).log_density(logs)[inside].double(), exact[inside], rtol=1e-4, atol=1e-2
    )


def test_two_entries_are_a_beta_law() -> None:
    a, b = (
        torch.tensor([0.3, 5.0, 1e5], dtype=torch.float64),
        torch.tensor([2.0, 0.1, 3e5], dtype=torch.float64),
    )
    pair, single = Dirichlet(torch.stack([a, b], -1)), Beta(a, b, event_dims=0)
    other, other_single = Dirichlet(torch.stack([b, a], -1)), Beta(b, a, event_dims=0)
    z = torch.tensor([0.2, 0.9, 0.25], dtype=torch.float64)
    both = torch.stack([z, 1 - z], -1)
    torch.testing.assert_close(pair.log_prob(both), single.log_prob(z))
    torch.testing.assert_close(pair.entropy(), single.entropy())
    torch.testing.assert_close(pair.kl(other), single.kl(other_single))
    torch.testing.assert_close(pair.variance[:, 0], single.variance)


def test_a_vector_of_concentrations_is_asked_for() -> None:
    with pytest.raises(ReparamError, match="needs a vector"):
        Dirichlet(torch.tensor(1.0))
    with pytest.raises(ReparamError, match="at least 1"):
        Dirichlet(torch.ones(3), event_dims=0)
