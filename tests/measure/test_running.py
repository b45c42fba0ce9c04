"""Moments merged chunk by chunk are those of all draws at once."""

from __future__ import annotations

import pytest
import torch

from reparam.measure.running import Running, sums
from reparam.noise import draw, generator


def fed(entries: torch.Tensor, sizes: list[int]) -> Running:
    running = Running({"a": entries[0]})
    start = 0
    while start < len(entries):
        for size in sizes:
            chunk = entries[start : start + size]
            if len(chunk):
                running.add(sums({"a": chunk}, running.pivot), len(chunk))
            start += size
    return running


@pytest.mark.parametrize("sizes", [[1], [7, 100, 3], [64], [5000]])
@pytest.mark.parametrize(
    ("offset", "scale", "dtype"),
    [
        (0.0, 1.0, torch.float32),
        (1e4, 1.0, torch.float32),
        (1e4, 5e-3, torch.float32),
        (1e9, 1.0, torch.float64),
    ],
)
def test_moments_are_those_of_all_draws(
    sizes: list[int], offset: float, scale: float, dtype: torch.dtype
) -> None:
    """Also where the mean is so much larger than the deviation that single precision cannot hold squares, or
    not even the mean."""
    entries = offset + scale * draw("normal", (3000, 5), generator("test", "running"), dtype)
    entries[:, 4] = offset + 0.1
    running = fed(entries, sizes)
    variance, mean = torch.var_mean(entries.double() - offset, dim=0)
    assert running.count == 3000 and running.mean["a"].dtype == torch.float64
    torch.testing.assert_close(running.mean["a"] - offset, mean, rtol=1e-6, atol=1e-7 * (1 + offset))
    torch.testing.assert_close(running.variance["a"], variance, rtol=1e-5, atol=1e-20)
    assert running.variance["a"][4] == 0


def test_an_outlier_at_the_start_does_not_spoil_what_follows() -> None:
    entries = draw("normal", (4000, 1), generator("test", "outlier"))
    entries[0] = 1e6
    running = fed(entries, [128])
    assert abs(running.variance["a"] / entries.double().var(0) - 1) < 1e-4
    rest = fed(entries[1:], [128])
    assert abs(rest.variance["a"] - entries[1:].double().var(0)) < 1e-6


def test_without_a_chunk_it_is_the_first_draw() -> None:
    running = Running({"a": torch.tensor([2.0])})
    assert running.mean["a"].item() == 2.0 and running.variance["a"].item() == 0.0
