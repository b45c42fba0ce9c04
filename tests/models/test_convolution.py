"""Stacks of convolutions against convolutions written out, for images of any size."""

from itertools import product

import pytest
import torch

from reparam.models import convolution
from reparam.noise import draw, generator


def moved(params: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    source = generator("test", "convolution", "move")
    return {
        n: p.double() + 0.3 * draw("normal", tuple(p.shape), source, torch.float64) for n, p in params.items()
    }


def by_hand(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """3 × 3 kernels at every other pixel of x [C, h, w], zero beyond its edges."""
    _, height, width = x.shape
    out = torch.zeros(len(weight), (height + 1) // 2, (width + 1) // 2, dtype=x.dtype)
    for i, j, a, b in product(range(out.shape[1]), range(out.shape[2]), range(3), range(3)):
        row, column = 2 * i + a - 1, 2 * j + b - 1
        if 0 <= row < height and 0 <= column < width:
            out[:, i, j] += weight[:, :, a, b] @ x[:, row, column]
    return out + bias[:, None, None]


def spread(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """The transpose of `by_hand` to images of `size`: each pixel of x [C, h, w] adds its kernel."""
    out = torch.zeros(weight.shape[1], *size, dtype=x.dtype)
    for i, j, a, b in product(range(x.shape[1]), range(x.shape[2]), range(3), range(3)):
        row, column = 2 * i + a - 1, 2 * j + b - 1
        if 0 <= row < size[0] and 0 <= column < size[1]:
            out[:, row, column] += x[:, i, j] @ weight[:, :, a, b]
    return out + bias[:, None, None]


@pytest.mark.parametrize("shape", [(4, 4), (5, 6)])
def test_an_encoder_by_hand(shape: tuple[int, int]) -> None:
    p = moved(convolution.init_encoder("net", 2, [3, 2], generator("test", "encoder")))
    planes = draw("normal", (2, shape[0] * shape[1]), generator("test", "planes"), torch.float64)
    first = by_hand(planes.reshape(2, *shape), p["net.0.weight"], p["net.0.bias"]).relu()
    expected = by_hand(first, p["net.1.weight"], p["net.1.bias"]).relu().flatten()
    found = convolution.encode(p, "net", [planes[0], planes[1]], shape, 2)
    torch.testing.assert_close(found, expected)
    assert len(found) == convolution.features(shape, [3, 2])


@pytest.mark.parametrize("shape", [(4, 4), (5, 6)])
def test_a_decoder_by_hand(shape: tuple[int, int]) -> None:
    p = moved(convolution.init_decoder("net", 3, shape, [2, 4], generator("test", "decoder")))
    code = draw("normal", (3,), generator("test", "code"), torch.float64)
    sizes = convolution.halvings(shape, 2)
    x = torch.einsum("i,iohw->ohw", code, p["net.0.weight"]) + p["net.0.bias"][:, None, None]
    assert x.shape == (4, *sizes[2])
    for i in (1, 2):
        x = spread(x.relu(), p[f"net.{i}.weight"], p[f"net.{i}.bias"], sizes[2 - i])
    torch.testing.assert_close(convolution.decode(p, "net", code, shape, 2), x.flatten())


def test_leading_axes_are_a_plate() -> None:
    shape = (3, 4)
    params = convolution.init_encoder("in", 2, [2], generator("test", "plate"))
    params |= convolution.init_decoder("out", 5, shape, [2], generator("test", "plate"))
    x, code = (
        draw("normal", (2, 3, 12), generator("test", "x")),
        draw("normal", (2, 3, 5), generator("test", "z")),
    )
    shared = x[0, 0]
    found = convolution.encode(params, "in", [x, shared], shape, 1)
    made = convolution.decode(params, "out", code, shape, 1)
    assert found.shape == (2, 3, 8) and made.shape == (2, 3, 12)
    torch.testing.assert_close(found[1, 2], convolution.encode(params, "in", [x[1, 2], shared], shape, 1))
    torch.testing.assert_close(made[1, 2], convolution.decode(params, "out", code[1, 2], shape, 1))


def test_the_start_keeps_the_size_of_what_goes_through() -> None:
    """He's rule: the mean square is halved by ReLU and doubled by the weights, so far about as large as before."""
    x = draw("normal", (200, 256), generator("test", "wide"))
    params = convolution.init_encoder("net", 1, [32, 32, 32], generator("test", "wide", "weights"))
    found = convolution.encode(params, "net", [x], (16, 16), 3)
    assert 0.2 < found.square().mean().item() < 2
