"""Normalising flows: invertible maps with their log-determinants, and the law of a base law sent through them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.distributions import ComposeTransform, IndependentTransform, Transform, constraints
from torch.nn.functional import softplus

from reparam.distributions.arguments import broadcasts, common_shape, require_kind, require_tensors, shown
from reparam.distributions.base import Law, require
from reparam.distributions.implicit import bisect, differentiable_root
from reparam.distributions.normal import Normal
from reparam.errors import ReparamError
from reparam.noise import NoiseSpec


class Flow(ABC):
    """An invertible, differentiable map of vectors over the last axis; its parameters broadcast over the other axes."""

    onto: bool = True
    """Whether it maps the whole space onto itself."""
    fixed_image: bool = True
    """Whether what it makes of the whole space is the same for all parameters."""
    shape: tuple[int, ...] = ()
    """That of its parameters, the vectors' axis included: it must broadcast to that of the base law."""

    @abstractmethod
    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(y, log |det ∂y/∂x|): [..., D] → [..., D], [...]."""

    @abstractmethod
    def inverse(self, y: Tensor) -> Tensor:
        """x with forward(x) = y."""

    def validate(self) -> None:  # noqa: B027 - a flow may accept every parameter
        """Raise ReparamError when a parameter is outside its support."""


class PlanarFlow(Flow):
    """y = x + û tanh(w·x + b), for `weight` w ≠ 0 and `scale` u [..., D] and `bias` b [...].

    û = u + (m(w·u) − w·u) w/|w|² with m(a) = softplus(a) − 1 makes w·û > −1, and the map invertible, for every u.
    As w → 0 it does not tend to the identity: û grows as 1/|w|. Rezende & Mohamed 2015 (arXiv:1505.05770), Eq. 10–12
    and App. A.1. The inverse solves one increasing equation in w·x by bisection.
    """

    def __init__(self, weight: Tensor, scale: Tensor, bias: Tensor) -> None:
        self.weight, self.scale, self.bias = weight, scale, bias
        self.shape = _shape("PlanarFlow", (weight, scale), (bias,))
        inner = (weight * scale).sum(-1)
        self._steepness = softplus(inner)
        """1 + w·û."""
        change = (self._steepness - 1 - inner) / weight.square().sum(-1)
        self._shift = scale + change.unsqueeze(-1) * weight

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        height = torch.tanh((self.weight * x).sum(-1) + self.bias)
        bend = height.square()
        return x + self._shift * height.unsqueeze(-1), torch.log(bend + (1 - bend) * self._steepness)

    def inverse(self, y: Tensor) -> Tensor:
        target = (self.weight * y).sum(-1)
        bias, along = (p.expand(target.shape) for p in (self.bias, self._steepness - 1))

        def map_of(bias: Tensor, along: Tensor, inner: Tensor) -> Tensor:
            return inner + along * torch.tanh(inner + bias)

        root = bisect(
            lambda inner: map_of(bias.detach(), along.detach(), inner), target.detach(), -torch.inf, torch.inf
        )
        inner = differentiable_root(lambda inner: map_of(bias, along, inner) - target, root)
        return y - self._shift * torch.tanh(inner + bias).unsqueeze(-1)

    def validate(self) -> None:
        length = torch.linalg.vector_norm(self.weight, dim=-1)
        require(
            (length > 0) & length.isfinite(),
            "The length of PlanarFlow's weight",
            "positive and finite",
            length,
        )
        for name, value in (("scale", self.scale), ("bias", self.bias)):
            require(value.isfinite(), f"PlanarFlow's {name}", "finite", value)


class RadialFlow(Flow):
    """y = x + β̂ (x − c) / (α + |x − c|), for `center` c [..., D], `alpha` α > 0 [...] and `beta` β [...].

    β̂ = softplus(β) − α > −α makes the map invertible for every β. Rezende & Mohamed 2015 (arXiv:1505.05770), Eq. 14 and
    App. A.2. The inverse is in closed form.
    """

    def __init__(self, center: Tensor, alpha: Tensor, beta: Tensor) -> None:
        self.center, self.alpha, self.beta = center, alpha, beta
        self.shape = _shape("RadialFlow", (center,), (alpha, beta))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        radius = torch.linalg.vector_norm(x - self.center, dim=-1)
        stretch = softplus(self.beta)
        ratio = (radius + stretch) / (self.alpha + radius)  # of |y − c| and |x − c|
        along = (radius * (radius + 2 * self.alpha) + stretch * self.alpha) / (self.alpha + radius).square()
        log_det = (x.shape[-1] - 1) * ratio.log() + along.log()
        return self.center + ratio.unsqueeze(-1) * (x - self.center), log_det

    def inverse(self, y: Tensor) -> Tensor:
        """|x − c| is the positive root of r² + (softplus(β) − R) r − α R = 0, R = |y − c|."""
        reach, stretch = torch.linalg.vector_norm(y - self.center, dim=-1), softplus(self.beta)
        half = (reach - stretch) / 2
        product = self.alpha * reach
        root = (half.square() + product).sqrt()
        radius = torch.where(half > 0, half + root, product / (root - half))
        ratio = (self.alpha + radius) / (radius + stretch)
        return self.center + ratio.unsqueeze(-1) * (y - self.center)

    def validate(self) -> None:
        alpha = self.alpha
        require((alpha > 0) & alpha.isfinite(), "RadialFlow's alpha", "positive and finite", alpha)
        for name, value in (("center", self.center), ("beta", self.beta)):
            require(value.isfinite(), f"RadialFlow's {name}", "finite", value)


class NormalizingFlow(Law):
    """The law of fₖ(… f₁(x)) for x of the law `base`, whose plate, events and noise it has.

    The log density of a sample that this very object drew is found on the way and needs no inverse; that of any other
    point inverts the flows. The parameters of the flows must broadcast to the base's shape. Flows move edges, so the
    support counts as fixed only where they meet none: for a base on the whole space and flows onto it, but the last.
    """

    def __init__(self, base: Law, flows: Sequence[Flow]) -> None:
        require_kind("NormalizingFlow: base", base, Law, "write Normal(loc, scale) or another law")
        if not isinstance(flows, Sequence):
            raise ReparamError(
                f"NormalizingFlow: flows must be a list of flows, got {shown(flows)}; write [flow]"
            )
        for flow in flows:
            require_kind(
                "NormalizingFlow: an entry of flows", flow, Flow, "wrap a torch transform in TransformFlow(…)"
            )
        super().__init__(torch.empty(base.shape, device="meta"), event_dims=base.given_event_dims)
        if self.event_dims < 1:
            raise ReparamError(
                "NormalizingFlow: flows move vectors, so the base law needs event_dims of at least 1"
            )
        for flow in flows:
            if not broadcasts(flow.shape, base.shape):
                raise ReparamError(
                    f"NormalizingFlow: {type(flow).__name__} has parameters of the shape {flow.shape}, which does not "
                    f"broadcast to that of the base law, {base.shape}"
                )
        self.base, self.flows = base, tuple(flows)
        self.reparameterized = base.reparameterized
        onto = [flow.onto for flow in self.flows]
        self.unbounded = base.unbounded and all(onto)
        self.fixed_support = (
            base.unbounded and all(onto[:-1]) and all(flow.fixed_image for flow in self.flows)
        )
        self._drawn: tuple[Tensor, Tensor] | None = None
        self._drawn_with_derivatives = False

    @classmethod
    def example(cls) -> NormalizingFlow:
        one = torch.ones(3)
        return cls(Normal(torch.zeros(3), one), [PlanarFlow(one, one, torch.zeros(()))])

    def validate(self) -> None:
        self.base.validate()
        for flow in self.flows:
            flow.validate()

    def noise(self) -> dict[str, NoiseSpec]:
        return self.base.noise()

    def path(self, noise: Mapping[str, Tensor]) -> Tensor:
        x = self.base.path(noise)
        z, log_det = self._push(x)
        self._drawn = z, self.base.log_prob(x) - log_det
        self._drawn_with_derivatives = torch.is_grad_enabled()
        return z

    def log_prob(self, z: Tensor) -> Tensor:
        whole = self._drawn_with_derivatives or not torch.is_grad_enabled()
        if self._drawn is not None and z is self._drawn[0] and whole:
            return self._drawn[1]
        x = z
        for flow in reversed(self.flows):
            x = flow.inverse(x)
        return self.base.log_prob(x) - self._push(x)[1]

    def _push(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(the sample, Σ log |det| over the flows and the vectors of an event)."""
        total = torch.zeros_like(x[..., 0])
        for flow in self.flows:
            y, log_det = flow.forward(x)
            if y.shape != x.shape:
                raise ReparamError(
                    f"NormalizingFlow: {type(flow).__name__} turns shape {tuple(x.shape)} into {tuple(y.shape)}; its "
                    "parameters must broadcast to the base law's shape"
                )
            x, total = y, total + log_det
        return x, total.sum(dim=tuple(range(1 - self.event_dims, 0))) if self.event_dims > 1 else total


class TransformFlow(Flow):
    """A transform of torch.distributions, of numbers or of vectors over the last axis, as a flow."""

    def __init__(self, transform: Transform) -> None:
        require_kind("TransformFlow: transform", transform, Transform, "write TransformFlow(ExpTransform())")
        self.transform = transform
        onto = [_is_onto(step) for step in _steps(transform)]
        self.onto, self.fixed_image = all(onto), all(onto[:-1])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = self.transform(x)
        log_det = self.transform.log_abs_det_jacobian(x, y)
        return y, log_det if self.transform.domain.event_dim else log_det.sum(-1)

    def inverse(self, y: Tensor) -> Tensor:
        return self.transform.inv(y)


def _shape(name: str, vectors: tuple[Tensor, ...], numbers: tuple[Tensor, ...]) -> tuple[int, ...]:
    """That of parameters with, and of parameters without the vectors' axis, broadcast together."""
    require_tensors(name, *vectors, *numbers)
    if not all(p.ndim for p in vectors):
        raise ReparamError(f"{name} moves vectors over the last axis, and its parameters have none")
    return common_shape(name, *(p.shape for p in vectors), *((*p.shape, 1) for p in numbers))


def _steps(transform: Transform) -> list[Transform]:
    if isinstance(transform, IndependentTransform):
        return _steps(transform.base_transform)
    if isinstance(transform, ComposeTransform):
        return [step for part in transform.parts for step in _steps(part)]
    return [transform]


def _is_onto(transform: Transform) -> bool:
    return all(_is_real(constraint) for constraint in (transform.domain, transform.codomain))


def _is_real(constraint: constraints.Constraint) -> bool:
    while isinstance(constraint, constraints.independent):
        constraint = constraint.base_constraint
    return constraint is constraints.real
