"""`reparam.reparameterize` and `reparam.reparameterize_k_samples`."""

import pytest
import torch

from reparam import reparameterize, reparameterize_k_samples
from reparam.errors import ReparamError


def test_sample_is_loc_plus_scale_times_torch_s_noise() -> None:
    mu, log_var = torch.tensor([[1.0, -2.0]]), torch.tensor([[0.0, 2.0]])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        epsilon = torch.randn(1, 2)
        torch.manual_seed(0)
        z = reparameterize(mu, log_var)
    torch.testing.assert_close(z, mu + torch.exp(log_var / 2) * epsilon)


def test_k_samples_have_an_axis_of_their_own_and_differ() -> None:
    mu = torch.zeros(4, 3, requires_grad=True)
    z = reparameterize_k_samples(mu, torch.zeros(4, 3), 5)
    assert z.shape == (4, 5, 3) and len(z.unique()) == 60
    z.sum().backward()
    torch.testing.assert_close(mu.grad, torch.full((4, 3), 5.0))


def test_shapes_broadcast_and_dtypes_are_kept() -> None:
    assert reparameterize(torch.zeros(6, 2, dtype=torch.float64), torch.zeros(2)).shape == (6, 2)
    assert reparameterize(torch.zeros(2, dtype=torch.float64), torch.zeros(2).double()).dtype == torch.float64


@pytest.mark.parametrize("k", [0, -1, 2.0, True])
def test_count_must_be_a_positive_integer(k: object) -> None:
    with pytest.raises(ReparamError, match="k must be an integer ≥ 1"):
        reparameterize_k_samples(torch.zeros(2, 3), torch.zeros(2, 3), k)  # type: ignore[arg-type]
