"""What an estimator is: noise wanted, memory kept, and `Terms` returned."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

import torch
from torch import Tensor

from reparam.errors import ReparamError
from reparam.noise import Noise, NoiseSpec
from reparam.program import Choose, Params, Site, Trace
from reparam.registry import Registry

Sites = Mapping[str, Site]
Coefficient = float | Tensor | Mapping[str, Tensor]
registry: Registry[type[Estimator]] = Registry("estimator", "reparam.estimators", group="reparam.estimators")
register = registry.register


class Run(Protocol):
    """A program waiting for parameters and for someone to choose its samples."""

    def __call__(self, params: Params, choose: Choose) -> Trace: ...


class Terms(NamedTuple):
    """What an estimator hands to the engine.

    The gradient estimate is Σ_i coefficients[i] · ∇_params Σ_plate losses[i]. A coefficient is a
    number, or a mapping from parameter name to a tensor that scales this parameter's gradient.
    """

    value: Tensor
    """An unbiased reading of the objective per plate entry, where the estimator has one."""
    losses: tuple[Tensor, ...]
    coefficients: tuple[Coefficient, ...]
    evaluations: int
    """Evaluations of the program's value per estimate."""
    memory: Any
    """The estimator's running averages after this estimate (same structure as `init` gave)."""
    tunable_loss: Tensor | Literal["variance"] | None = None
    """What the estimator's own parameters minimise: a scalar, or the gradient's squared norm."""


class Estimator(ABC):
    """An estimator of ∇ E[value]. Subclasses are frozen dataclasses; their fields are its options."""

    unbiased: ClassVar[bool]
    needs_derivative: ClassVar[bool]
    """Whether it differentiates the program's value with respect to a sample."""

    @abstractmethod
    def noise(self, sites: Sites) -> dict[str, dict[str, NoiseSpec]]:
        """The base noise of one estimate, by site and role."""

    def init(self, sites: Sites) -> tuple[dict[str, Tensor], Any]:
        """(tunables, memory) before the first estimate; most estimators have neither."""
        return {}, {}

    @abstractmethod
    def estimate(
        self, run: Run, params: Params, noise: Noise, tunables: Mapping[str, Tensor], memory: Any
    ) -> Terms:
        """The terms of one estimate at `params`, from this noise."""


def path_noise(sites: Sites, samples: int) -> dict[str, dict[str, NoiseSpec]]:
    """The noise of every site's path, with a leading axis of `samples` draws."""
    return {
        name: {
            role: NoiseSpec(spec.kind, spec.shape, copies=samples) for role, spec in site.law.noise().items()
        }
        for name, site in sites.items()
    }


def over_samples(function: Any, noise: Noise) -> Any:
    """Map `function(noise of one sample)` over the leading sample axis of `noise`."""
    samples = next(iter(next(iter(noise.values())).values())).shape[0]
    if samples == 1:
        single = {site: {role: draw[0] for role, draw in roles.items()} for site, roles in noise.items()}
        return torch.utils._pytree.tree_map(lambda leaf: leaf.unsqueeze(0), function(single))
    return torch.vmap(function)(dict(noise))


def check_samples(samples: int, least: int, estimator: str) -> None:
    """ReparamError unless `samples` is an integer of at least `least`."""
    if isinstance(samples, bool) or not isinstance(samples, int) or samples < least:
        raise ReparamError(f"{estimator}: samples must be an integer ≥ {least}, got {samples!r}")
