"""Student's t law where moments cease to exist."""

from __future__ import annotations

import torch

from reparam.distributions import StudentT


def test_moments_end_where_torch_s_do() -> None:
    """The variance is infinite for 1 < df ≤ 2; mean and variance are NaN for df ≤ 1."""
    df = torch.tensor([0.5, 1.0, 1.5, 2.0, 2.5, 30.0], dtype=torch.float64)
    loc, scale = torch.full_like(df, 0.3), torch.full_like(df, 1.7)
    law, reference = StudentT(df, loc, scale), torch.distributions.StudentT(df, loc, scale)
    torch.testing.assert_close(law.mean, reference.mean, equal_nan=True)
    torch.testing.assert_close(law.variance, reference.variance, equal_nan=True)
    assert law.variance[:2].isnan().all() and law.variance[2:4].isinf().all()
