"""Paths of execution: a compiled graph has no guards, and must still never take what it was not made for."""

import pytest
import torch

from reparam.engine import paths


def double(x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    return (2 * x * scale).sum(-1)


@pytest.mark.slow
def test_a_compiled_graph_refuses_arguments_of_another_shape() -> None:
    x, scale = torch.arange(6.0).reshape(2, 3), torch.ones(3)
    call = paths.build(double, (x, scale), "compiled")
    torch.testing.assert_close(call(x + 1, scale), double(x + 1, scale))
    for other in (torch.arange(8.0).reshape(2, 4), torch.arange(6.0).reshape(3, 2).T):
        with pytest.raises((AssertionError, RuntimeError)):
            call(other, scale)
