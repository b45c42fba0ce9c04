"""The rules on the two ends of what they are for: an exponential and half a normal density."""

from __future__ import annotations

import math

import pytest
import torch

from reparam.distributions.quadrature import rule


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-13), (torch.float32, 1e-6)])
def test_exponential_and_normal_tails_have_all_digits(dtype: torch.dtype, tolerance: float) -> None:
    quadrature = rule(dtype)
    reach = torch.tensor([quadrature.depth, 1e-3 * quadrature.depth], dtype=dtype)
    v = quadrature.spread(reach)
    rate = torch.tensor([1.0, 1e3], dtype=dtype)
    torch.testing.assert_close(
        reach * quadrature.weigh(torch.exp(-rate * v)).sum(0), 1 / rate, rtol=tolerance, atol=0.0
    )
    reach = torch.tensor([math.sqrt(2 * quadrature.depth)], dtype=dtype)
    found = reach * quadrature.weigh(torch.exp(-quadrature.spread(reach).square() / 2)).sum(0)
    torch.testing.assert_close(
        found, torch.tensor([math.sqrt(math.pi / 2)], dtype=dtype), rtol=tolerance, atol=0.0
    )


def test_half_precision_uses_the_rule_of_single_precision() -> None:
    assert rule(torch.bfloat16) is rule(torch.float32) is not rule(torch.float64)
