"""What every law offers: z = g(noise; parameters), noise first."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping

import torch
from torch import Tensor

from reparam.noise import NoiseSpec


class Law(ABC):
    """A distribution with tensor parameters, seen as a path from base noise to a sample.

    Parameters broadcast to `shape`. The last `event_dims` axes of `shape` form one event, the axes
    before them are the plate: `log_prob`, `entropy` and `kl` return the plate's shape. Left out,
    `event_dims` is 1 (0 for scalar parameters): one vector per plate entry.
    """

    reparameterized: bool = False
    """Whether the derivative of `path` with respect to the parameters is the pathwise gradient."""

    def __init__(self, *parameters: Tensor, event_dims: int | None = None) -> None:
        self.shape = tuple(torch.broadcast_shapes(*(p.shape for p in parameters)))
        self.event_dims_inferred = event_dims is None
        self.event_dims = min(1, len(self.shape)) if event_dims is None else event_dims
        if not 0 <= self.event_dims <= len(self.shape):
            raise ValueError(f"event_dims={event_dims} does not fit parameters of shape {self.shape}")

    @property
    def plate(self) -> tuple[int, ...]:
        """The axes of `shape` that are not part of an event."""
        return self.shape[: len(self.shape) - self.event_dims]

    def sum_event(self, entries: Tensor) -> Tensor:
        """Sum entries of the law's shape (any further leading axes allowed) over the event axes."""
        if self.event_dims == 0:
            return entries
        return entries.sum(dim=tuple(range(-self.event_dims, 0)))

    @abstractmethod
    def noise(self) -> dict[str, NoiseSpec]:
        """The base noise of one sample, by role."""

    @abstractmethod
    def path(self, noise: Mapping[str, Tensor]) -> Tensor:
        """The sample g(noise; parameters)."""

    @abstractmethod
    def log_prob(self, z: Tensor) -> Tensor:
        """log density or mass of `z` in nats, in the plate's shape."""
