"""What users make laws of, checked before anything is computed with it: one line says what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from reparam.errors import ReparamError


def require_tensors(of: str, *parameters: object) -> None:
    """ReparamError unless all parameters of this law or flow are tensors of a floating-point type."""
    for given in parameters:
        if not isinstance(given, Tensor):
            numbers = given if isinstance(given, list | tuple) else [given]
            mend = all(isinstance(entry, float | int) for entry in numbers)
            raise ReparamError(
                f"{of}: its parameters must be tensors, got {shown(given)}"
                + (f"; write torch.tensor({shown(given)})" if mend else "")
            )
        if not given.is_floating_point():
            raise ReparamError(
                f"{of}: its parameters must be of a floating-point type, got {given.dtype}; write .float()"
            )


def common_shape(of: str, *shapes: Sequence[int]) -> tuple[int, ...]:
    """The shape that these broadcast to; ReparamError where they do not."""
    try:
        return tuple(torch.broadcast_shapes(*shapes))
    except RuntimeError:
        found = ", ".join(str(tuple(shape)) for shape in shapes)
        raise ReparamError(f"{of}: its parameters have shapes {found}, which do not broadcast") from None


def broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    """Whether tensors of the one shape can be expanded to the other."""
    padded = (1,) * (len(to) - len(shape)) + shape
    return len(padded) == len(to) and all(a in (1, b) for a, b in zip(padded, to, strict=True))


def as_sizes(what: str, given: Iterable[int]) -> tuple[int, ...]:
    """A shape as a tuple; ReparamError for what is none."""
    sizes = tuple(given) if isinstance(given, Sequence) else ()
    if not isinstance(given, Sequence) or not all(is_count(size) for size in sizes):
        raise ReparamError(f"{what} must be a sequence of sizes such as (3,), got {shown(given)}")
    return sizes


def is_count(given: object) -> bool:
    """Whether it is an integer ≥ 0."""
    return isinstance(given, int) and not isinstance(given, bool) and given >= 0


def require_kind(what: str, given: object, kind: type, mend: str) -> None:
    """ReparamError unless it is an object of this class."""
    if not isinstance(given, kind):
        raise ReparamError(f"{what} must be a {kind.__name__}, got {shown(given)}; {mend}")


def shown(given: object) -> str:
    """It in a few words on one line."""
    if isinstance(given, Tensor):
        return f"a tensor of shape {tuple(given.shape)}"
    words = " ".join(repr(given).split())
    return words if len(words) <= 60 else f"{words[:59]}…"
