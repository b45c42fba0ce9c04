"""The von Mises–Fisher sampler: its mean, its gradient with and without the correction, and the official code's."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from reparam import estimators
from reparam.cells.procedures import Findings, Row, procedure
from reparam.distributions import HypersphericalUniform, VonMisesFisher
from reparam.distributions.ulrich import accept_cosine, cosine_noise
from reparam.measure import points
from reparam.program import Params, Program, Sample, Site

ANGLES = {True: 512, False: 64}
"""Whether the proposal is its angle alone, in two dimensions."""
RADII = 61
THRESHOLD = 10.0
"""The κ above which the official code takes its shortcut."""
HALVINGS = 30
"""Of the unit interval, for a probability of acceptance to 1e-9."""


class Truth(NamedTuple):
    """Of the cosine w to the mean direction, [K]."""

    mean: Tensor
    """A_m(κ) = E[w]."""
    slope: Tensor
    """A_m'(κ) = Var w."""
    kl: Tensor
    """κ A_m(κ) − log E[e^{κ t}] in nats, t a coordinate of a uniform point: KL from the uniform law."""


def truth(kappa: Tensor, dimension: int) -> Truth:
    """By Gauss–Legendre quadrature over the angle to the mean direction, with density ∝ e^{κ cos φ} sin^{m−2} φ."""
    angle, weight = (torch.tensor(x) for x in np.polynomial.legendre.leggauss(400))
    angle, weight = math.pi / 2 * (angle + 1), math.pi / 2 * weight
    base = weight * angle.sin() ** (dimension - 2)
    base = (base / base.sum()).unsqueeze(-1)
    gap = 2 * (angle / 2).sin().square().unsqueeze(-1)
    mass = base * torch.exp(-kappa * gap)
    total = mass.sum(0)
    gap_mean = (mass * gap).sum(0) / total
    slope = (mass * (gap - gap_mean).square()).sum(0) / total
    return Truth(1 - gap_mean, slope, -total.log() - kappa * gap_mean)


def cosine(dimension: int, constant: float) -> Program:
    """E[w + constant], w = μ·z for z ~ vMF(μ, κ), params["q.concentration"] κ [K]."""

    def value(params: Params, sample: Sample) -> Tensor:
        return sample("z", law(params["q.concentration"], dimension))[..., 0] + constant

    return value


def law(kappa: Tensor, dimension: int) -> VonMisesFisher:
    direction = torch.zeros(dimension, dtype=kappa.dtype)
    direction[0] = 1
    return VonMisesFisher(direction.expand(len(kappa), dimension), kappa)


def accepted(kappa: Tensor, dimension: int) -> tuple[dict[str, Tensor], Tensor, Tensor]:
    """(noise by role [C, K, …] of proposals that are accepted, two times its weights [C, K]).

    Midpoints of the proposal's angle, in which it is periodic, and tanh–sinh points of its radius; the direction across
    the mean is held. The first weights are by the density of accepted noise, which is the law's own; the second by how
    often the law accepts the proposal.
    """
    own = law(kappa, dimension)
    angles = ANGLES[dimension == 2]
    angle = (torch.arange(angles, dtype=torch.float64) + 0.5) / angles
    radius, mass = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    if dimension > 2:
        radius, mass = points.interval(0 * mass[0], mass[0], RADII)
    pairs = torch.cartesian_prod(radius, angle)
    roles = {
        role: torch.ones(len(pairs), *spec.shape).double() for role, spec in own.rejection_noise().items()
    }
    for name, column in (("radius", pairs[:, 0]), ("angle", pairs[:, 1])):
        if name in roles:
            roles[name] = column.reshape(-1, 1, 1).expand(roles[name].shape)
    roles["accept"] = torch.zeros_like(roles["accept"])
    mass = mass.repeat_interleave(angles).unsqueeze(-1)
    density = mass * torch.vmap(lambda one: own.accept(one).log_density)(roles).exp()
    frequency = mass * acceptance(kappa, dimension, roles)
    return roles, density / density.sum(0), frequency / frequency.sum(0)


def acceptance(kappa: Tensor, dimension: int, noise: Mapping[str, Tensor]) -> Tensor:
    """The probability [C, K] that the law accepts the first proposal of this noise [C, K, …]: by bisection, where the
    uniform number that decides begins to refuse it."""
    proposal = {role: noise[role][..., :1] for role in cosine_noise((), dimension)}
    low = torch.zeros_like(proposal["accept"])
    high = torch.ones_like(low)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        refused = accept_cosine(kappa, dimension, {**proposal, "accept": middle}).failed.unsqueeze(-1)
        low, high = torch.where(refused, low, middle), torch.where(refused, middle, high)
    return ((low + high) / 2).squeeze(-1)


@procedure("cosine")
def moments(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """E[w] of the library's sampler and ∂E[w]/∂κ of its estimates, exactly, in `dimension` dimensions m.

    The cell's estimator sees accepted proposals at the points of a quadrature. Rows at step = index of `kappa`: kappa;
    mean_error = E[w] − A_m(κ), and sampler_error, the same by how often the law accepts each proposal; gradient_error,
    relative to A_m'(κ); bias, the same (%) without the correction; kl_error (nats); shortcut_error, E[w] − A_m(κ) of
    the official code's sampler, and its size shortcut_error_size. At step 0: <name>_most, the largest size over κ of
    the first five; shortcut_error_below, the largest up to κ = 10; of that size for larger κ, in increasing order, the
    least change: shortcut_fall from one κ to the next, shortcut_growth from ⌊m/2⌋ dimensions to m > 3; and area, of the
    unit sphere, by the entropy of the library's uniform law on it.
    """
    options = spec["evaluation"]
    dimension, kappa = options["dimension"], torch.tensor(options["kappa"], dtype=torch.float64)
    exact = truth(kappa, dimension)
    estimator = estimators.make(spec["method"]["name"], spec["method"]["options"])
    noise, weight, frequency = accepted(kappa, dimension)
    w = torch.vmap(lambda one: law(kappa, dimension).accept(one).z[..., 0])(noise)
    wanted = estimator.noise({"z": Site(law(kappa, dimension), w[0])})
    held = torch.full((len(w), len(kappa)), 0.5, dtype=w.dtype)  # of the law's own path, where it is another
    copied = {role: noise.get(role, held).unsqueeze(1) for role in wanted["z"]}
    found, moved = (
        points.estimates(estimator, cosine(dimension, c), {"q.concentration": kappa}, {"z": copied})[
            "q.concentration"
        ]
        for c in (0.0, 1.0)
    )
    path = found - w * (moved - found)
    uniform = HypersphericalUniform(dimension, (len(kappa),), dtype=torch.float64)
    columns = {
        "kappa": kappa,
        "mean_error": (weight * w).sum(0) - exact.mean,
        "sampler_error": (frequency * w).sum(0) - exact.mean,
        "gradient_error": (weight * found).sum(0) / exact.slope - 1,
        "bias": 100 * ((weight * path).sum(0) / exact.slope - 1),
        "kl_error": law(kappa, dimension).kl(uniform) - exact.kl,
        "shortcut_error": shortcut_mean(kappa, dimension) - exact.mean,
    }
    size = columns["shortcut_error_size"] = columns["shortcut_error"].abs()
    rows: list[Row] = [(i, name, c[i].item()) for i in range(len(kappa)) for name, c in columns.items()]
    for name in ("mean_error", "sampler_error", "gradient_error", "kl_error", "bias"):
        rows.append((0, f"{name}_most", columns[name].abs().max().item()))
    rows.append((0, "area", uniform.entropy()[0].exp().item()))
    cut = kappa > THRESHOLD
    rows.append((0, "shortcut_error_below", size[~cut].max().item()))
    rows.append((0, "shortcut_fall", -size[cut].diff().max().item()))
    if dimension > 3:
        fewer = shortcut_mean(kappa, dimension // 2) - truth(kappa, dimension // 2).mean
        rows.append((0, "shortcut_growth", (size - fewer.abs())[cut].min().item()))
    return Findings(rows, {})


def shortcut_mean(kappa: Tensor, dimension: int) -> Tensor:
    """E[w] of the authors' released sampler, which replaces b by (m − 1)/4κ for κ > 11, blended from 10 on.

    Proposals e ~ Beta((m−1)/2, (m−1)/2), w = (1 − (1 + b) e) / (1 − (1 − b) e), accepted with probability
    min(1, exp((m − 1) log t − t + d)), t = 2ab / (1 − (1 − b) e); a, and d as a function of a and b, as ever.
    """
    n = dimension - 1
    c = (4 * kappa.square() + n**2).sqrt()
    blend = (kappa - THRESHOLD).clamp(0, 1)
    b = n / (4 * kappa) * blend + n / (2 * kappa + c) * (1 - blend)
    a = (n + 2 * kappa + c) / 4
    d = 4 * a * b / (1 + b) - n * math.log(n)
    angle, weight = (torch.tensor(x).unsqueeze(-1) for x in np.polynomial.legendre.leggauss(400))
    half = math.pi / 4 * (angle + 1)
    e = half.sin().square()
    scale = half.cos().square() + b * e
    t = 2 * a * b / scale
    accept = torch.exp((n * t.log() - t + d).clamp(max=0))
    mass = weight * (2 * half).sin() ** (dimension - 2) * accept
    return (mass * (1 - 2 * b * e / scale)).sum(0) / mass.sum(0)
