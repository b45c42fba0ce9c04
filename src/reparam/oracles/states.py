"""Every state of a program's sites, with its value and its probability.

Laws are known here by their names and parameters only: states, masses and densities are written out, so that nothing
is shared with the laws' own densities, supports and sampling paths.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy.special import roots_gegenbauer
from torch import Tensor

from reparam.errors import ReparamError
from reparam.program import Params, Program, Site, Trace, run

NODES = 24
"""Points of a Normal entry: exact for E[polynomial of degree < 48], its gradient for two degrees less."""


class Table(NamedTuple):
    """All joint states of all sites of one datum; each entry [states, *plate]."""

    value: Tensor
    mass: Tensor
    """The state's weight in an expectation, differentiable in the laws' parameters: E[f] = Σ mass · f."""
    log_q: Tensor
    """Σ_sites log q at the state, in nats."""


class Kind(NamedTuple):
    """How one kind of law is written out as states."""

    variables: Callable[[Any], tuple[int, ...]]
    """Shape of the independent variables in one event."""
    alphabet: Callable[[Any, int], tuple[Tensor, Tensor]]
    """Standard states of one variable [A, …] and their weights [A]."""
    place: Callable[[Any, Tensor], Tensor]
    """The sample at these standard states, in the law's shape."""
    probability: Callable[[Any, Tensor], Tensor]
    """Mass or density per variable, differentiable in the law's parameters."""
    density: bool = False
    """Whether the states are quadrature points: their mass is the weight of the point, times q over q as it is now."""
    spacing: Callable[[Any, Tensor], Tensor] | None = None
    """For points that are not those of q itself: the density, per variable, that the weights are shares of. Such points
    do not follow the parameters."""


def table(program: Program, params: Params, nodes: int = NODES, follow: bool = False) -> Table:
    """Run `program` at every joint state of its sites, in the dtype of `params`.

    Bits, one-hot vectors and indices take every value, Normal entries the `nodes` points of Gauss–Hermite quadrature
    around their present mean; logits of relaxed bits, logits of beta variables, logarithms of gamma variables and of
    ratios of a Dirichlet vector, and angles the points of a trapezoidal rule; directions those of a product rule over
    the sphere. Samples are constants: all dependence on how they are drawn is in `mass`. Sites that depend on earlier
    ones need nothing special.

    With `follow` quadrature points move with the parameters instead, and their mass does not.
    """

    def place(law: Any, point: Tensor) -> Tensor:
        if follow and _kind(law).spacing:
            raise ReparamError(f"the points of a {type(law).__name__} law do not follow its parameters")
        z = _kind(law).place(law, point)
        return z if follow else z.detach()

    grids: dict[str, tuple[Tensor, Tensor]] = {}

    def first(name: str, law: Any) -> Tensor:
        grids[name] = _grid(law, nodes)
        return place(law, grids[name][0][0])

    run(program, params, first)
    index = torch.cartesian_prod(*(torch.arange(len(weights)) for _, weights in grids.values()))
    index = index.reshape(-1, len(grids))
    points = {name: grid[index[:, i]] for i, (name, (grid, _)) in enumerate(grids.items())}
    weights = torch.stack([w[index[:, i]] for i, (_, w) in enumerate(grids.values())]).prod(0)

    def one(point: dict[str, Tensor], weight: Tensor) -> Table:
        trace = run(program, params, lambda name, law: place(law, point[name]))
        mass, log_q = torch.zeros_like(trace.value) + weight, torch.zeros_like(trace.value)
        for site in trace.latent.values():
            kind = _kind(site.law)
            q = _on_plate(kind, site, kind.probability, mass.ndim)
            if not kind.density:
                mass = mass * q
            elif not follow:
                mass = mass * q / _on_plate(kind, site, kind.spacing or kind.probability, mass.ndim).detach()
            log_q = log_q + q.log()
        return Table(trace.value, mass, log_q)

    return torch.vmap(one)(points, weights)


def _on_plate(kind: Kind, site: Site, entries: Callable[[Any, Tensor], Tensor], dims: int) -> Tensor:
    """The product of what a law's variables have, in a shape that broadcasts against a plate of `dims` axes."""
    found, variables = entries(site.law, site.z), len(kind.variables(site.law))
    own = found.flatten(found.ndim - variables).prod(-1) if variables else found
    return own[(..., *(None,) * (dims - own.ndim))]


def first_states(program: Program, params: Params) -> Trace:
    """A run at some state of every site, to look at what sites there are."""

    def first(name: str, law: Any) -> Tensor:
        return _kind(law).place(law, _grid(law, 2)[0][0]).detach()

    return run(program, params, first)


def is_density(law: Any) -> bool:
    """Whether the law's states are points of a quadrature, and not all that there are."""
    return _kind(law).density


def tuples(states: int, samples: int) -> Tensor:
    """The indices of all tuples of `samples` states: [states^samples, samples]."""
    return torch.cartesian_prod(*(torch.arange(states),) * samples).reshape(-1, samples)


def _grid(law: Any, nodes: int) -> tuple[Tensor, Tensor]:
    """All states of one event [states, *event] and their weights [states]."""
    kind = _kind(law)
    variables = kind.variables(law)
    alphabet, weights = kind.alphabet(law, nodes)
    count = math.prod(variables)
    index = torch.cartesian_prod(*(torch.arange(len(weights)),) * count).reshape(-1, count)
    return alphabet[index].reshape(-1, *variables, *alphabet.shape[1:]), weights[index].prod(-1)


def _event(law: Any) -> tuple[int, ...]:
    return law.shape[len(law.shape) - law.event_dims :]


def _standard_normal(nodes: int) -> tuple[Tensor, Tensor]:
    points, weights = np.polynomial.hermite_e.hermegauss(nodes)
    return torch.tensor(points), torch.tensor(weights / weights.sum())


def _logistic_density(x: Tensor) -> Tensor:
    return torch.sigmoid(x) * torch.sigmoid(-x)


def _standard_logistic() -> tuple[Tensor, Tensor]:
    """The trapezoidal rule, which converges exponentially for a density that is analytic near the real line."""
    step = 0.2
    points = torch.arange(-40, 40 + step, step, dtype=torch.float64)
    return points, step * _logistic_density(points)


def _log_gamma_grid() -> tuple[Tensor, Tensor]:
    """The trapezoidal rule for log z in units of its spread, which converges exponentially; made for ½ ≤ α ≤ 4."""
    step = 0.25
    points = torch.arange(-45, 4.75 + step, step, dtype=torch.float64)
    return points, torch.full_like(points, step)


def _circle() -> tuple[Tensor, Tensor]:
    """The trapezoidal rule for a turn, which converges exponentially for what is periodic."""
    count = 96
    points = torch.arange(count, dtype=torch.float64) * (2 * math.pi / count) - math.pi
    return points, torch.full_like(points, 1 / count)


def _logits() -> tuple[Tensor, Tensor]:
    """The trapezoidal rule for a logit, up to where 1 − z is rounded; made for shapes from ½ up, and b from 1 up."""
    step = 0.4
    points = torch.arange(-64, 34, step, dtype=torch.float64)
    return points, torch.full_like(points, step)


def _log_ratios(count: int) -> tuple[Tensor, Tensor]:
    """The trapezoidal rule for `count` logarithms of ratios to a last entry, for concentrations from 1 up."""
    step = 0.45
    points = torch.arange(-66, 67, dtype=torch.float64) * step
    index = torch.cartesian_prod(*(torch.arange(len(points)),) * count).reshape(-1, count)
    return points[index], torch.full((len(index),), step**count, dtype=torch.float64)


def _simplex(ratios: Tensor) -> Tensor:
    """The point of the simplex with these logarithms of ratios to its last entry; its volume is Π z_k times theirs."""
    return torch.cat([ratios, torch.zeros_like(ratios[..., :1])], -1).softmax(-1)


def _beta_density(law: Any, z: Tensor) -> Tensor:
    a, b = law.concentration1, law.concentration0
    log_beta = torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)
    return torch.exp((a - 1) * z.log() + (b - 1) * torch.log1p(-z) - log_beta)


def _dirichlet_density(law: Any, z: Tensor) -> Tensor:
    alpha = law.concentration
    log_beta = torch.lgamma(alpha).sum(-1) - torch.lgamma(alpha.sum(-1))
    return torch.exp(((alpha - 1) * z.log()).sum(-1) - log_beta)


def _cosines(dimension: int) -> tuple[Tensor, Tensor]:
    """A coordinate of uniform directions, by Gauss–Gegenbauer quadrature."""
    points, weights = roots_gegenbauer(20, dimension / 2 - 1)
    return torch.tensor(points), torch.tensor(weights / weights.sum())


def _sphere(dimension: int) -> tuple[Tensor, Tensor]:
    """Uniform directions, by a product rule: exact for polynomials of degree below 40."""
    if dimension == 2:
        angles = torch.arange(40, dtype=torch.float64) * (2 * math.pi / 40)
        return torch.stack([angles.cos(), angles.sin()], -1), torch.full((40,), 1 / 40, dtype=torch.float64)
    (w, first), (around, rest) = _cosines(dimension), _sphere(dimension - 1)
    w = w[:, None, None].expand(-1, len(around), 1)
    points = torch.cat([w, (1 - w.square()).sqrt() * around], -1)
    return points.flatten(0, 1), torch.outer(first, rest).flatten()


def _mises_fisher_density(law: Any, z: Tensor) -> Tensor:
    kappa, m = law.concentration, z.shape[-1]
    direction = law.mean_direction / law.mean_direction.norm(dim=-1, keepdim=True)
    w, weights = (entry.to(kappa) for entry in _cosines(m))
    volume = _area(m) * (weights * torch.exp(kappa.unsqueeze(-1) * (w - 1))).sum(-1)
    return torch.exp(kappa * ((direction * z).sum(-1) - 1)) / volume


def _area(dimension: int) -> float:
    return 2 * math.pi ** (dimension / 2) / math.gamma(dimension / 2)


def _von_mises_density(law: Any, z: Tensor) -> Tensor:
    kappa = law.concentration
    return torch.exp(kappa * (torch.cos(z - law.loc) - 1)) / (2 * math.pi * torch.special.i0e(kappa))


def _gamma_density(law: Any, z: Tensor) -> Tensor:
    alpha, rate = law.concentration, law.rate
    return torch.exp(alpha * rate.log() + (alpha - 1) * z.log() - rate * z - torch.lgamma(alpha))


def _equal(states: Tensor) -> tuple[Tensor, Tensor]:
    return states, torch.ones(len(states), dtype=torch.float64)


def _normal_density(law: Any, z: Tensor) -> Tensor:
    standard = (z - law.loc) / law.scale
    return (-standard.square() / 2).exp() / (law.scale * math.sqrt(2 * math.pi))


KINDS = {
    "Bernoulli": Kind(
        _event,
        lambda law, nodes: _equal(torch.tensor([0.0, 1.0])),
        lambda law, point: point.to(law.probs).expand(law.shape),
        lambda law, z: torch.where(z > 0, law.probs, 1 - law.probs),
    ),
    "OneHotCategorical": Kind(
        lambda law: _event(law)[:-1],
        lambda law, nodes: _equal(torch.eye(law.probs.shape[-1])),
        lambda law, point: point.to(law.probs).expand(law.shape),
        lambda law, z: (z * law.probs).sum(-1),
    ),
    "Categorical": Kind(
        _event,
        lambda law, nodes: _equal(torch.arange(law.probs.shape[-1])),
        lambda law, point: point.expand(law.shape),
        lambda law, z: law.probs.expand(*z.shape, -1).gather(-1, z.unsqueeze(-1)).squeeze(-1),
    ),
    "Normal": Kind(
        _event,
        lambda law, nodes: _standard_normal(nodes),
        lambda law, point: (law.loc + law.scale * point.to(law.loc)).expand(law.shape),
        _normal_density,
        density=True,
    ),
    "Gamma": Kind(
        _event,
        lambda law, nodes: _log_gamma_grid(),
        lambda law, point: (
            law.concentration / law.rate * (point.to(law.rate) / law.concentration.sqrt()).exp()
        ).expand(law.shape),
        _gamma_density,
        density=True,
        spacing=lambda law, z: law.concentration.sqrt() / z,
    ),
    "VonMises": Kind(
        _event,
        lambda law, nodes: _circle(),
        lambda law, point: (law.loc + point.to(law.loc)).expand(law.shape),
        _von_mises_density,
        density=True,
        spacing=lambda law, z: torch.full_like(z, 1 / (2 * math.pi)),
    ),
    "Beta": Kind(
        _event,
        lambda law, nodes: _logits(),
        lambda law, point: torch.sigmoid(point).to(law.concentration1).expand(law.shape),
        _beta_density,
        density=True,
        spacing=lambda law, z: 1 / (z * (1 - z)),
    ),
    "Dirichlet": Kind(
        lambda law: _event(law)[:-1],
        lambda law, nodes: _log_ratios(law.shape[-1] - 1),
        lambda law, point: _simplex(point).to(law.concentration).expand(law.shape),
        _dirichlet_density,
        density=True,
        spacing=lambda law, z: 1 / z.prod(-1),
    ),
    "VonMisesFisher": Kind(
        lambda law: _event(law)[:-1],
        lambda law, nodes: _sphere(law.shape[-1]),
        lambda law, point: point.to(law.concentration).expand(law.shape),
        _mises_fisher_density,
        density=True,
        spacing=lambda law, z: torch.full_like(z[..., 0], 1 / _area(z.shape[-1])),
    ),
    "LogitRelaxedBernoulli": Kind(
        _event,
        lambda law, nodes: _standard_logistic(),
        lambda law, point: ((law.logits + point.to(law.logits)) / law.temperature).expand(law.shape),
        lambda law, z: law.temperature * _logistic_density(law.temperature * z - law.logits),
        density=True,
    ),
}


def _kind(law: Any) -> Kind:
    return KINDS[type(law).__name__]
