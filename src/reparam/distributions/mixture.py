"""Mixtures of laws of one family, differentiated by the distributional transform."""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn.functional import pad

from reparam.distributions.arguments import common_shape, require_kind
from reparam.distributions.base import Law
from reparam.distributions.categorical import Categorical
from reparam.distributions.implicit import ENTRYWISE, TRIANGULAR, differentiable_root
from reparam.errors import ReparamError
from reparam.noise import NoiseSpec


class MixtureSameFamily(Law):
    """Draws from one of K components, chosen by `mixture_distribution`, a Categorical over the last axis of its logits.

    The last axis of the plate of `component_distribution` is that of the components; its events are numbers
    (`event_dims=0`) or vectors of independent entries (1), and its entries have a `cdf`. The mixture's plate is what is
    left of the plate; with larger `event_dims` its last axes are part of the event.

    Base noise: a uniform that chooses, and the noise of all components. The sample is a constant, and its derivatives
    in weights and components are implicit: those at which the distributional transform F(z₁), F(z₂ | z₁), … stays as
    it is (Graves 2016, arXiv:1607.05690; Figurnov et al. 2018). For vectors of D entries that takes D backward passes.
    """

    reparameterized = True

    def __init__(
        self,
        mixture_distribution: Categorical,
        component_distribution: Law,
        event_dims: int | None = None,
    ) -> None:
        require_kind(
            "MixtureSameFamily: mixture_distribution",
            mixture_distribution,
            Categorical,
            "write Categorical(logits=…)",
        )
        require_kind(
            "MixtureSameFamily: component_distribution",
            component_distribution,
            Law,
            "write Normal(loc, scale) or another law, with the components over the last axis of its plate",
        )
        component, logits = component_distribution, mixture_distribution.logits
        if not hasattr(component, "cdf"):
            raise ReparamError(f"MixtureSameFamily: components need a cdf, which {_name(component)} has not")
        if component.event_dims > 1 or not component.plate or component.plate[-1] != logits.shape[-1]:
            raise ReparamError(
                f"MixtureSameFamily: {logits.shape[-1]} weights need components over the last axis of their plate and "
                f"events of at most one axis, but {_name(component)} has the plate {component.plate} and the event "
                f"{component.event}; its event_dims says which axes are the event"
            )
        if component.event_dims and component.periodic:
            raise ReparamError(
                f"MixtureSameFamily: vectors of {_name(component)} entries are not differentiated (their density is "
                "periodic, their cdf is not); make it a mixture of angles, with components of event_dims=0"
            )
        plate = common_shape("MixtureSameFamily", logits.shape, component.plate)[:-1]
        shape = torch.empty((*plate, *component.event), device="meta")
        super().__init__(shape, event_dims=component.event_dims if event_dims is None else event_dims)
        if self.event_dims < component.event_dims:
            raise ReparamError(
                f"MixtureSameFamily: event_dims={event_dims} is less than the components' {component.event_dims}"
            )
        self.mixture_distribution, self.component_distribution = mixture_distribution, component
        self.fixed_support, self.unbounded = component.fixed_support, component.unbounded
        self.periodic = component.periodic

    @classmethod
    def example(cls) -> MixtureSameFamily:
        from reparam.distributions.normal import Normal

        means = torch.tensor([[-1.0], [1.0]]).expand(2, 3)
        return cls(Categorical(logits=torch.zeros(2)), Normal(means, torch.ones(2, 3)))

    def validate(self) -> None:
        self.mixture_distribution.validate()
        self.component_distribution.validate()

    @property
    def mean(self) -> Tensor:
        """The mean, in the law's shape; for components that have one."""
        return self._average(self.component_distribution.mean)  # type: ignore[attr-defined]

    @property
    def variance(self) -> Tensor:
        """The variance of each entry, in the law's shape; for components that have one."""
        component = self.component_distribution
        distance = component.mean - self.mean.unsqueeze(self._axis)  # type: ignore[attr-defined]
        return self._average(component.variance + distance.square())  # type: ignore[attr-defined]

    def noise(self) -> dict[str, NoiseSpec]:
        whole = self.shape[: len(self.shape) - self.component_distribution.event_dims]
        return {"choice": NoiseSpec("uniform", whole), **self.component_distribution.noise()}

    def path(self, noise: Mapping[str, Tensor]) -> Tensor:
        weights = self._log_weights().exp().detach()
        index = (noise["choice"].unsqueeze(-1) > weights.cumsum(-1)[..., :-1]).sum(-1, keepdim=True)
        chosen = index == torch.arange(weights.shape[-1], device=weights.device)
        candidates = self.component_distribution.path(noise).detach()
        z = torch.where(self._with_event(chosen), candidates, 0.0).sum(self._axis).expand(self.shape)
        newton = TRIANGULAR if self.component_distribution.event_dims else ENTRYWISE
        return differentiable_root(self.transform, z, newton)

    def transform(self, z: Tensor) -> Tensor:
        """The conditional probabilities of at most z_d given the entries before it, in the law's shape."""
        component, wide = self.component_distribution, z.unsqueeze(self._axis)
        log_weights = self._with_event(self._log_weights())
        if component.event_dims:
            entries = copy.copy(component)
            entries.event_dims = 0
            densities = entries.log_prob(wide)
            log_weights = log_weights + pad(densities[..., :-1].cumsum(-1), (1, 0))
        weights = log_weights.softmax(self._axis)
        return (weights * component.cdf(wide)).sum(self._axis)  # type: ignore[attr-defined]

    def log_prob(self, z: Tensor) -> Tensor:
        of_components = self.component_distribution.log_prob(z.unsqueeze(self._axis))
        entries = (self._log_weights() + of_components).logsumexp(-1)
        further = self.event_dims - self.component_distribution.event_dims
        return entries.sum(tuple(range(-further, 0))) if further else entries

    @property
    def _axis(self) -> int:
        """That of the components."""
        return -1 - self.component_distribution.event_dims

    def _log_weights(self) -> Tensor:
        return self.mixture_distribution.logits.log_softmax(-1)

    def _with_event(self, entries: Tensor) -> Tensor:
        return entries.unsqueeze(-1) if self.component_distribution.event_dims else entries

    def _average(self, of_components: Tensor) -> Tensor:
        weights = self._with_event(self._log_weights().exp())
        return (weights * of_components).sum(self._axis).expand(self.shape)


def _name(law: Law) -> str:
    return type(law).__name__
