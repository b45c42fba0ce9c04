"""Flows of the package zuko (`pip install reparam[flows]`) as laws."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.distributions import Transform
from torch.nn import Module

from reparam.distributions.conversion import from_torch
from reparam.distributions.flows import Flow, NormalizingFlow
from reparam.errors import ReparamError

Use = Callable[[Any], Any]


class _Within(Module):
    """Does something with a module's output while its parameters are exchanged: zuko reads them late."""

    def __init__(self, flow: Module) -> None:
        super().__init__()
        self.flow = flow

    def forward(self, context: Tensor | None, use: Use) -> Any:
        return use(self.flow(context))


class ZukoFlow(Flow):
    """A flow of zuko, from its base law to its samples, with these parameters and this context."""

    def __init__(self, flow: Module, params: Mapping[str, Tensor], context: Tensor | None) -> None:
        self._within, self._context = _Within(flow), context
        self._params = {f"flow.{name}": p for name, p in params.items()}

    def use(self, use: Use) -> Any:
        """`use(distribution)`, the distribution that the module makes of the context."""
        return torch.func.functional_call(self._within, self._params, (self._context, use))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.use(lambda distribution: distribution.transform.inv.call_and_ladj(x))

    def inverse(self, y: Tensor) -> Tensor:
        return self.use(lambda distribution: distribution.transform(y))


def from_zuko(
    flow: Module,
    params: Mapping[str, Tensor],
    context: Tensor | None = None,
    plate: Sequence[int] = (),
    prefix: str = "",
) -> NormalizingFlow:
    """The law of a flow of `zuko.flows` with its parameters taken from `params`, where they have `prefix` before them.

    `params` thus begins with {prefix + name: p for name, p in flow.named_parameters()}. The plate is that of `context`
    [*plate, C]; without context it is `plate`. MAF, NSF, NICE and RealNVP are made of tensor operations alone and can
    be taken for many draws at once; flows that solve equations (NAF, CNF, …) cannot.

    Raises ReparamError for what is no flow of zuko, and for parameters that `params` does not have.
    """
    names = [name for name, _ in flow.named_parameters()]
    missing = [prefix + name for name in names if prefix + name not in params]
    if missing:
        raise ReparamError(
            f"from_zuko: params has no {missing[0]!r}; begin with {{{prefix!r} + name: p for name, p in "
            "flow.named_parameters()}"
        )
    own = ZukoFlow(flow, {name: params[prefix + name] for name in names}, context)
    transform, base = own.use(lambda found: (getattr(found, "transform", None), getattr(found, "base", None)))
    if not isinstance(transform, Transform) or base is None:
        raise ReparamError(
            "from_zuko takes a normalising flow of zuko.flows (pip install 'reparam[flows]'), such as "
            f"zuko.flows.NSF(features), and not {type(flow).__name__}"
        )
    return NormalizingFlow(from_torch(base if context is not None else base.expand(tuple(plate))), [own])
