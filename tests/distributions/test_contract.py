"""The contract of every law: its path has the law it claims, log_prob is torch's, entropy and KL are exact."""

from __future__ import annotations

import pytest
import torch
from scipy import stats

from reparam import distributions
from reparam.distributions import Bernoulli, Law, Normal
from reparam.noise import draw_block

LOC = torch.tensor([[0.0, -3.0, 40.0], [1e-3, 2.0, -1e3]], dtype=torch.float64)
SCALE = torch.tensor([[1.0, 1e-4, 30.0], [5.0, 0.3, 1e3]], dtype=torch.float64)
LOGITS = torch.tensor([[0.0, -3.0, 9.0], [0.5, -30.0, 30.0]], dtype=torch.float64)
LAWS = {
    "Normal": (Normal(LOC, SCALE), torch.distributions.Normal(LOC, SCALE)),
    "Bernoulli": (Bernoulli(logits=LOGITS), torch.distributions.Bernoulli(logits=LOGITS)),
}
OTHERS = {
    "Normal": (Normal(SCALE, 2 * SCALE), torch.distributions.Normal(SCALE, 2 * SCALE)),
    "Bernoulli": (Bernoulli(logits=-LOGITS), torch.distributions.Bernoulli(logits=-LOGITS)),
}


def draws_of(law: Law, count: int) -> torch.Tensor:
    noise = draw_block({"z": law.noise()}, ("law", type(law).__name__), count, dtype=torch.float64)["z"]
    return torch.vmap(law.path)(noise)


def test_every_law_is_here() -> None:
    public = {n for n in distributions.__all__ if isinstance(getattr(distributions, n), type)} - {"Law"}
    assert public == set(LAWS) == set(OTHERS)


@pytest.mark.parametrize("name", LAWS)
def test_log_prob_is_that_of_torch_summed_over_the_event(name: str) -> None:
    law, reference = LAWS[name]
    z = draws_of(law, 7)
    expected = torch.stack([reference.log_prob(one).sum(-1) for one in z])
    torch.testing.assert_close(law.log_prob(z), expected)
    assert law.log_prob(z[0]).shape == law.plate == (2,)


@pytest.mark.parametrize("name", LAWS)
def test_entropy_kl_mean_and_variance_are_those_of_torch(name: str) -> None:
    (law, reference), (other, other_reference) = LAWS[name], OTHERS[name]
    torch.testing.assert_close(law.mean, reference.mean)
    torch.testing.assert_close(law.variance, reference.variance)
    torch.testing.assert_close(law.entropy(), reference.entropy().sum(-1))
    expected = torch.distributions.kl_divergence(reference, other_reference).sum(-1)
    torch.testing.assert_close(law.kl(other), expected)


@pytest.mark.parametrize("name", LAWS)
def test_the_path_follows_the_law(name: str) -> None:
    """Per entry: Kolmogorov–Smirnov or exact binomial test, level 1e-5 each."""
    law = LAWS[name][0]
    draws = draws_of(law, 20_000)
    for i in range(2):
        for j in range(3):
            entry = draws[:, i, j].numpy()
            if name == "Bernoulli":
                p = law.probs[i, j].item()
                assert stats.binomtest(int(entry.sum()), len(entry), p).pvalue > 1e-5
            else:
                cdf = stats.norm(LOC[i, j].item(), SCALE[i, j].item()).cdf
                assert stats.kstest(entry, cdf).pvalue > 1e-5


def test_the_pathwise_derivative_of_the_normal_is_exact() -> None:
    """dz/dloc = 1, dz/dscale = ε."""
    epsilon = torch.tensor([0.5, -2.0])

    def path(loc, scale):
        return Normal(loc, scale).path({"normal": epsilon})

    dloc, dscale = torch.func.jacrev(path, (0, 1))(torch.zeros(2), torch.ones(2))
    assert torch.equal(dloc, torch.eye(2))
    assert torch.equal(dscale, torch.diag(epsilon))


def test_the_support_of_bits_is_every_state_once() -> None:
    law = Bernoulli(logits=torch.zeros(5, 2, 2), event_dims=2)
    states = law.support()
    assert states.shape == (16, 2, 2)
    assert len({tuple(s.flatten().tolist()) for s in states}) == 16
    assert law.log_prob(states[:, None].expand(16, 5, 2, 2)).exp().sum(0).allclose(torch.ones(5))


def test_bernoulli_takes_exactly_one_parameter() -> None:
    with pytest.raises(ValueError, match="exactly one"):
        Bernoulli()
    torch.testing.assert_close(
        Bernoulli(probs=torch.tensor([0.25])).logits, torch.logit(torch.tensor([0.25]))
    )
