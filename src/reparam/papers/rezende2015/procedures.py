"""The four potentials fitted by planar flows, and the conditions under which flows are invertible."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import softplus

from reparam import estimators
from reparam.cells.procedures import Findings, procedure
from reparam.distributions import Normal, NormalizingFlow, PlanarFlow, RadialFlow
from reparam.engine import optimisers, paths
from reparam.engine.gradient import estimate_gradient, prepare
from reparam.noise import draw, draw_block, generator
from reparam.program import Params, Program, Sample

POTENTIALS = 4
WINDOW, EDGE = 4.0, 0.4
"""Where the wall begins, |z₁| = 4 as in the paper's pictures, and its width."""
IDENTITY = math.log(math.e - 1)
"""w·u at which a planar flow is the identity: softplus(w·u) = 1."""
BLOCK = 100


def potentials(z: Tensor) -> Tensor:
    """U1 … U4 of Table 1 at the points z[…, i, :] of each: [..., 4, 2] → [..., 4], in nats and not normalised."""
    z1, z2 = z.unbind(-1)
    w1 = torch.sin(2 * math.pi * z1 / 4)
    w2 = 3 * torch.exp(-(((z1 - 1) / 0.6) ** 2) / 2)
    w3 = 3 * torch.sigmoid((z1 - 1) / 0.3)

    def bump(x: Tensor, width: float) -> Tensor:
        return -((x / width) ** 2) / 2

    ring = bump(torch.linalg.vector_norm(z[..., 0, :], dim=-1) - 2, 0.4)
    return torch.stack(
        [
            -ring - torch.logaddexp(bump(z1 - 2, 0.6)[..., 0], bump(z1 + 2, 0.6)[..., 0]),
            -bump(z2 - w1, 0.4)[..., 1],
            -torch.logaddexp(bump(z2 - w1, 0.35), bump(z2 - w1 + w2, 0.35))[..., 2],
            -torch.logaddexp(bump(z2 - w1, 0.4), bump(z2 - w1 + w3, 0.35))[..., 3],
        ],
        -1,
    )


def wall(z: Tensor) -> Tensor:
    """½ ((|z₁| − 4)₊ / 0.4)²: [..., 2] → [...]; it makes U2, U3 and U4, which are improper along z₁, normalisable."""
    return ((z[..., 0].abs() - WINDOW).clamp_min(0) / EDGE).square() / 2


def log_normalisers(points: int = 401, reach: float = 8.0) -> Tensor:
    """log ∫ e^−U of the four with their wall, [4] in nats, by a trapezoidal rule over (−reach, reach)²."""
    line = torch.linspace(-reach, reach, points, dtype=torch.float64)
    z = torch.cartesian_prod(line, line).unsqueeze(1).expand(-1, POTENTIALS, 2)
    log_cell = 2 * math.log(2 * reach / (points - 1))
    return (-potentials(z) - wall(z)).logsumexp(0) + log_cell


def posterior(params: Params, batch: int) -> NormalizingFlow:
    """q for each potential: planar flows on a diagonal Normal law, plate [B, 4], events [2]."""
    loc, scale = params["q.loc"], params["q.log_scale"].exp()
    base = Normal(loc.expand(batch, *loc.shape), scale.expand(batch, *scale.shape), event_dims=1)
    columns = (params["q.weight"], params["q.scale"], params["q.bias"])
    return NormalizingFlow(base, [PlanarFlow(*layer) for layer in zip(*columns, strict=True)])


def bound(batch: int) -> Program:
    """E_q[log q + U + wall] for B samples of each potential's q: value [B, 4], to be minimised."""

    def value(params: Params, sample: Sample) -> Tensor:
        law = posterior(params, batch)
        z = sample("z", law)
        return law.log_prob(z) + potentials(z) + wall(z)

    return value


def initial(length: int, source: torch.Generator) -> dict[str, Tensor]:
    """A standard normal base and flows of random directions w ~ N(0, I) that begin as identities, but for
    perturbations of u of 0.1."""
    weight = draw("normal", (length, POTENTIALS, 2), source)
    change = 0.1 * draw("normal", (length, POTENTIALS, 2), source)
    return {
        "q.loc": torch.zeros(POTENTIALS, 2),
        "q.log_scale": torch.zeros(POTENTIALS, 2),
        "q.weight": weight,
        "q.scale": IDENTITY * weight / weight.square().sum(-1, keepdim=True) + change,
        "q.bias": draw("normal", (length, POTENTIALS), source),
    }


@procedure("potentials")
def fit(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """Fig 3: planar flows of one length fitted to all four potentials at once.

    Rows at some steps of training and its end, from `evaluation.samples` fresh samples: kl/U<i>, KL(q ‖ e^−U / Z) in
    nats; bound/U<i>, E_q[log q + U]. At the end log_normaliser/U<i>. Arrays: samples [4, N, 2]; target, see
    `density`.
    """
    training, options = spec["training"], spec["evaluation"]
    axes = (spec["paper"], spec["experiment"], seed)
    estimator = estimators.make(spec["method"]["name"], spec["method"]["options"])
    params = initial(options["length"], generator(*axes, "init"))
    state = optimisers.make(training["optimiser"]).init(params)
    specs = estimator.noise(prepare(estimator, bound(training["batch"]), params))
    call = traced_step(json.dumps([spec["method"], training]), options["length"])
    rows, steps = [], training["steps"]
    due = {round(steps * k / options["readings"]) for k in range(1, options["readings"] + 1)}
    truth = log_normalisers()
    for t in range(steps):
        if t % BLOCK == 0:
            block = draw_block(specs, (*axes, "train", t // BLOCK), BLOCK)
        noise = {s: {r: leaf[t % BLOCK] for r, leaf in roles.items()} for s, roles in block.items()}
        params, state = call(params, state, noise)
        if t + 1 in due:
            values, z = evaluate(params, options["samples"], (*axes, "evaluate"))
            for i in range(POTENTIALS):
                rows += [
                    (t + 1, f"kl/U{i + 1}", (values[i] + truth[i]).item()),
                    (t + 1, f"bound/U{i + 1}", values[i].item()),
                    (t + 1, f"log_normaliser/U{i + 1}", truth[i].item()),
                ]
    return Findings(rows, {"samples": z.transpose(0, 1)[:, :2000].numpy(), "target": density()})


@cache
def traced_step(made_of: str, length: int) -> Callable[..., Any]:
    """(parameters, the optimiser's state, noise) → the first two after a step, for all seeds of a cell.

    `made_of` is the cell's method and training, as JSON; flows of length 32 take longer to trace than to train.
    """
    method, training = json.loads(made_of)
    estimator = estimators.make(method["name"], method["options"])
    optimiser = optimisers.make(training["optimiser"])
    program, batch = bound(training["batch"]), training["batch"]

    def step(params: Any, state: Any, noise: Any) -> Any:
        gradient = estimate_gradient(estimator, program, params, noise).gradient
        return optimiser.update({name: g / batch for name, g in gradient.items()}, state, params)

    axes = ("rezende2015", "example")
    params = initial(length, generator(*axes))
    block = draw_block(estimator.noise(prepare(estimator, program, params)), axes, 1)
    noise = {site: {role: leaf[0] for role, leaf in roles.items()} for site, roles in block.items()}
    return paths.build(step, (params, optimiser.init(params), noise), "traced")


@torch.no_grad()
def evaluate(params: Params, samples: int, axes: tuple[str | int, ...]) -> tuple[Tensor, Tensor]:
    """(E_q[log q + U + wall] [4] in double precision, the samples [N, 4, 2]) by fresh samples of named noise."""
    law = posterior({name: p.double() for name, p in params.items()}, samples)
    noise = draw_block({"z": law.noise()}, axes, 1, dtype=torch.float64)["z"]
    z = law.path({role: leaf[0] for role, leaf in noise.items()})
    return (law.log_prob(z) + potentials(z) + wall(z)).mean(0), z


def enforce(x: Tensor) -> Tensor:
    """The paper's m(x) = −1 + log(1 + eˣ)."""
    return softplus(x) - 1


@procedure("invertibility")
def invertibility(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """App. A: û and β̂ of the library's flows against the paper's formulas, at `draws` random parameters.

    Rows at step 0: planar_error, the largest difference of û (read off the map where tanh is ±1) from
    u + (m(w·u) − w·u) w/|w|², m(x) = −1 + log(1 + eˣ); planar_least, the least w·û + 1; radial_error, of β̂ (read off
    the map) from −α + log(1 + e^β); radial_least, the least β̂ + α, and radial_stated_least, that of β̂ = −α + m(β);
    inverse_error, of inverse(forward(x)), both flows.
    """
    source = generator(spec["paper"], spec["experiment"], seed)
    draws = spec["evaluation"]["draws"]
    w, u, x, c = (
        draw("normal", (4, draws, 2), source, torch.float64)
        * torch.tensor([1.0, 3.0, 2.0, 1.0])[:, None, None]
    )
    b, beta, a = draw("normal", (3, draws), source, torch.float64) * 3
    planar, radial = PlanarFlow(w, u, b), RadialFlow(c, softplus(a), beta)
    far = 1e3 * w / w.square().sum(-1, keepdim=True)
    shift = (planar.forward(far)[0] - planar.forward(-far)[0] - 2 * far) / 2
    along = (w * u).sum(-1)
    formula = u + ((enforce(along) - along) / w.square().sum(-1)).unsqueeze(-1) * w
    radius = torch.linalg.vector_norm(x - c, dim=-1)
    ratio = torch.linalg.vector_norm(radial.forward(x)[0] - c, dim=-1) / radius
    stretch = (ratio - 1) * (softplus(a) + radius)
    back = [(flow.inverse(flow.forward(x)[0]) - x).abs().max().item() for flow in (planar, radial)]
    found = {
        "planar_error": (shift - formula).abs().max().item(),
        "planar_least": ((w * shift).sum(-1) + 1).min().item(),
        "radial_error": (stretch + softplus(a) - softplus(beta)).abs().max().item(),
        "radial_least": (stretch + softplus(a)).min().item(),
        "radial_stated_least": enforce(beta).min().item(),
        "inverse_error": max(back),
    }
    return Findings([(0, name, value) for name, value in found.items()], {})


def density(points: int = 121, reach: float = 4.0) -> np.ndarray:
    """The four normalised targets on a grid of (−4, 4)², [4, z₂, z₁], for pictures."""
    line = torch.linspace(-reach, reach, points, dtype=torch.float64)
    z2, z1 = torch.meshgrid(line, line, indexing="ij")
    z = torch.stack([z1, z2], -1).unsqueeze(2).expand(-1, -1, POTENTIALS, 2)
    return np.asarray((-potentials(z) - wall(z) - log_normalisers()).exp().movedim(-1, 0))
