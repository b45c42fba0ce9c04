"""Unit vectors: the uniform law on spheres and their products, and what laws around a mean direction share."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from reparam.distributions.arguments import as_sizes, is_count, require_tensors, shown
from reparam.distributions.base import Law, require
from reparam.distributions.inverse_cdf import require_positive
from reparam.errors import ReparamError
from reparam.noise import NoiseSpec


def log_area(dimension: int) -> float:
    """log of the area 2 π^(m/2) / Γ(m/2) of the unit sphere in m = `dimension` dimensions."""
    return math.log(2) + dimension / 2 * math.log(math.pi) - math.lgamma(dimension / 2)


def unit(x: Tensor) -> Tensor:
    """x / |x| over the last axis; 0 stays 0."""
    length = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
    return x / torch.where(length > 0, length, 1.0)


def rotate(x: Tensor, start: Tensor, end: Tensor) -> Tensor:
    """x turned by the rotation in the plane of the unit vectors `start` and `end` that takes one to the other."""
    both = start + end
    along = (both * x).sum(-1, keepdim=True) / (1 + (start * end).sum(-1, keepdim=True))
    return x - along * both + 2 * (start * x).sum(-1, keepdim=True) * end


def circle_from_angle(angle: Tensor) -> Tensor:
    """(cos φ, sin φ) on a new last axis: [...] → [..., 2]."""
    return torch.stack([angle.cos(), angle.sin()], dim=-1)


def angle_from_circle(z: Tensor) -> Tensor:
    """The angle in (−π, π] of a point of the plane: [..., 2] → [...]."""
    return torch.atan2(z[..., 1], z[..., 0])


class OnSphere(Law):
    """Unit vectors over the last axis, in `dimension` ≥ 2 dimensions.

    `event_dims` counts the vector's axis: 1 (the default) for one vector per plate entry, 2 for [..., N, m] with N
    independent vectors per entry: a product of spheres, and for m = 2 a torus. Densities are with respect to area.
    """

    def __init__(self, *parameters: Tensor, event_dims: int | None = None) -> None:
        super().__init__(*parameters, event_dims=event_dims)
        name = type(self).__name__
        if not self.shape or self.shape[-1] < 2:
            raise ReparamError(f"{name} needs vectors of at least 2 dimensions, got the shape {self.shape}")
        if self.event_dims < 1:
            raise ReparamError(f"{name}: event_dims counts the vector's axis and is at least 1")
        self.dimension = self.shape[-1]
        self.vectors = self.shape[:-1]
        """The shape of the vectors' axes: one entry per vector."""

    def _sum_vectors(self, entries: Tensor) -> Tensor:
        """Sum over the vectors of one event, of entries per vector (any further leading axes allowed)."""
        return entries if self.event_dims == 1 else entries.sum(dim=tuple(range(1 - self.event_dims, 0)))


class HypersphericalUniform(OnSphere):
    """The uniform law on the unit sphere in `dimension` dimensions, for every entry of `plate`.

    `event_dims` = 2 makes the last axis of `plate` part of the event: HypersphericalUniform(2, (B, D), event_dims=2) is
    the uniform law on a torus of D angles. Base noise: one standard normal per entry; path: its direction.
    """

    reparameterized = True

    def __init__(
        self,
        dimension: int,
        plate: Sequence[int] = (),
        event_dims: int | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | str | None = None,
    ) -> None:
        if not is_count(dimension):
            raise ReparamError(
                f"HypersphericalUniform: dimension must be an integer ≥ 2, got {shown(dimension)}"
            )
        shape = (*as_sizes("HypersphericalUniform: plate", plate), dimension)
        super().__init__(torch.empty(shape, device="meta"), event_dims=event_dims)
        self._zero = torch.zeros((), dtype=dtype, device=device)

    @classmethod
    def example(cls) -> HypersphericalUniform:
        return cls(3)

    @property
    def mean(self) -> Tensor:
        """The mean, 0, in the law's shape."""
        return self._zero.expand(self.shape)

    @property
    def variance(self) -> Tensor:
        """The variance of each entry, 1/m, in the law's shape."""
        return self.mean + 1 / self.dimension

    def noise(self) -> dict[str, NoiseSpec]:
        return {"normal": NoiseSpec("normal", self.shape)}

    def path(self, noise: Mapping[str, Tensor]) -> Tensor:
        return unit(noise["normal"])

    def log_prob(self, z: Tensor) -> Tensor:
        return self._sum_vectors(0 * z.sum(-1) - log_area(self.dimension))

    def entropy(self) -> Tensor:
        """Differential entropy in nats, in the plate's shape: the log area."""
        return -self.log_prob(self.mean)


class Symmetric(OnSphere):
    """Laws around a mean direction μ: z = w μ + √(1 − w²) v, with the cosine w of one law and v uniform and orthogonal.

    `mean_direction` [..., m], of which only the direction counts, and `concentration` [...] without the vectors' axis.
    v comes from m standard normals per vector (role "normal"). The derivative of the path in μ is that of the shortest
    rotation that moves μ: a frame that turns with μ has poles, and infinite variance there in few dimensions.
    """

    def __init__(self, mean_direction: Tensor, concentration: Tensor, event_dims: int | None = None) -> None:
        require_tensors(type(self).__name__, mean_direction, concentration)
        super().__init__(mean_direction, concentration.unsqueeze(-1), event_dims=event_dims)
        self._given_direction = mean_direction
        self.mean_direction, self.concentration = unit(mean_direction), concentration

    def validate(self) -> None:
        given = self._given_direction
        length = torch.linalg.vector_norm(given, dim=-1)
        name = f"{type(self).__name__}'s mean_direction"
        require(torch.isfinite(given), name, "finite", given)
        require(length > 0, f"The length of {name}", "positive", length)
        require_positive(self, concentration=self.concentration)

    @property
    @abstractmethod
    def _cosine_moments(self) -> tuple[Tensor, Tensor, Tensor]:
        """E[w], Var[w] and E[1 − w²] / (m − 1), the variance across μ, per vector, in double precision."""

    @property
    def mean(self) -> Tensor:
        """E[w] μ, in the law's shape."""
        first, _, _ = self._cosine_moments
        return (first.to(self.mean_direction.dtype).unsqueeze(-1) * self.mean_direction).expand(self.shape)

    @property
    def variance(self) -> Tensor:
        """The variance of each entry, in the law's shape."""
        _, along, across = (moment.unsqueeze(-1) for moment in self._cosine_moments)
        square = self.mean_direction.double().square()
        entries = along * square + across * (1 - square)
        return entries.to(self.mean_direction.dtype).expand(self.shape)

    def _place(self, gap: Tensor, normal: Tensor) -> Tensor:
        """z with the cosine w = 1 − `gap`, [...] and [..., m]; differentiable in `gap` and in the mean direction."""
        fixed, gap = self.mean_direction.detach(), gap.unsqueeze(-1)
        across = normal
        for _ in range(2):  # once leaves a rounded rest along μ where the noise is nearly parallel to it
            across = unit(across - (across * fixed).sum(-1, keepdim=True) * fixed)
        sine = (gap * (2 - gap)).clamp_min(torch.finfo(gap.dtype).tiny).sqrt()
        z = (1 - gap) * fixed + sine * across
        return rotate(z, fixed, self.mean_direction)

    def _gap(self, z: Tensor) -> Tensor:
        """1 − w = |z − μ|² / 2 of unit vectors: exact where w is nearly 1."""
        return (z - self.mean_direction).square().sum(-1) / 2
