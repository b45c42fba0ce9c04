"""The gamma sampler's acceptance and correction term, and the variance of gradients on the Dirichlet toy."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reparam import estimators
from reparam.cells.procedures import Findings, Row, procedure
from reparam.distributions import Gamma
from reparam.errors import ReparamError
from reparam.measure import dirichlet_multinomial, points
from reparam.measure.moments import begin
from reparam.noise import draw_block

OBJECTIVES: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "z": (lambda z: z, torch.ones_like),
    "z_squared": (torch.square, lambda alpha: 2 * alpha + 1),
    "log_z": (torch.log, lambda alpha: torch.polygamma(1, alpha)),
}
"""f, and ∂E[f]/∂α for z ~ Gamma(α, 1)."""


@procedure("acceptance")
def acceptance(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """How often Marsaglia and Tsang's sampler accepts a proposal, by shape.

    Rows at step = index: alpha; acceptance, the share of `draws` first proposals that the library's sampler takes;
    acceptance_exact = e^d d^(1/6 − d) Γ(α) / √2π, d = α − 1/3.
    """
    options, rows = spec["evaluation"], []
    alpha = torch.tensor(options["alpha"], dtype=torch.float64)
    law = Gamma(alpha, torch.ones_like(alpha), event_dims=0)
    axes = (spec["paper"], spec["experiment"], seed)
    noise = draw_block({"z": law.rejection_noise()}, axes, options["draws"], dtype=torch.float64)["z"]
    first = noise["proposal"][..., :1].expand_as(noise["proposal"])
    willing = {"proposal": first, "accept": torch.zeros_like(noise["accept"])}
    taken = [torch.vmap(lambda one: law.accept(one).z)(n) for n in (noise, willing)]
    share = (taken[0] == taken[1]).double().mean(0)
    d = alpha - 1 / 3
    exact = torch.exp(d + (1 / 6 - d) * d.log() + torch.lgamma(alpha)) / math.sqrt(2 * math.pi)
    for i in range(len(alpha)):
        rows += [(i, "alpha", alpha[i].item()), (i, "acceptance", share[i].item())]
        rows.append((i, "acceptance_exact", exact[i].item()))
    return Findings(rows, {})


@procedure("correction")
def correction(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """What the correction term is and what its absence costs, exactly: the library's draw at points of a quadrature.

    Rows at step = index of `alpha`: alpha; bias/<f> and bias_corrected/<f>, the relative error (%) of ∂E[f]/∂α without
    and with the correction; size, the mean of |∇ log q/r| for a standard normal ε within [−2.4, 3]; and fall, the size
    at the shape before less this one (from the second on). At step 0, of the sizes of bias/<f>: excess_least, the least
    distance over shapes from that of log z to the next largest; fall_least, the least over f from one shape to the next
    in `alpha`. By shape, too, distance/<rsvi, grep>: the total variation between their noise and a standard normal one.
    Arrays: epsilon [E], corrections [A, E], and for `densities` [D] the accepted noise of RSVI and the standardised one
    of G-REP: density_rsvi, density_grep [D, E].
    """
    options, rows = spec["evaluation"], []
    epsilon = torch.linspace(-2.4, 3, 271, dtype=torch.float64)
    normal = torch.exp(-epsilon.square() / 2)
    corrections, last = [], None
    for i, alpha in enumerate(options["alpha"]):
        rows.append((i, "alpha", alpha))
        one = torch.tensor([alpha], dtype=torch.float64)
        law = Gamma(one, torch.ones_like(one), event_dims=0)
        noise, weight = points.of_site(estimators.make("rsvi", {"boost": 0}), law)
        score, paths = derivatives(alpha, noise["proposal"][:, 0, 0, 0])
        for name, (f, truth) in OBJECTIVES.items():
            z, slope = paths[name]
            path, whole = ((weight[:, 0] * e).sum() for e in (slope, slope + f(z) * score))
            exact = truth(one)[0]
            rows.append((i, f"bias/{name}", 100 * (path / exact - 1).item()))
            rows.append((i, f"bias_corrected/{name}", 100 * (whole / exact - 1).item()))
        corrections.append(derivatives(alpha, epsilon)[0])
        size = ((normal * corrections[-1].abs()).sum() / normal.sum()).item()
        rows.append((i, "size", size))
        if last is not None:
            rows.append((i, "fall", last - size))
        last = size
    by = {(step, metric): abs(value) for step, metric, value in rows}
    bias = np.array([[by[i, f"bias/{f}"] for f in OBJECTIVES] for i in range(len(options["alpha"]))])
    log_z = list(OBJECTIVES).index("log_z")
    rows.append((0, "excess_least", (bias[:, log_z] - np.delete(bias, log_z, 1).max(1)).min().item()))
    rows.append((0, "fall_least", -np.diff(bias, axis=0).max().item()))
    far = torch.linspace(-40, 15, 55_001, dtype=torch.float64)
    normal = torch.exp(-far.square() / 2) / math.sqrt(2 * math.pi)
    for i, alpha in enumerate(torch.tensor(options["alpha"], dtype=torch.float64)):
        for name, density in (("rsvi", _density_rsvi), ("grep", _density_grep)):
            apart = torch.trapezoid((density(alpha, far) - normal).abs(), far) / 2
            rows.append((i, f"distance/{name}", apart.item()))
    grid = torch.linspace(-4, 4, 401, dtype=torch.float64)
    densities = torch.tensor(options["densities"], dtype=torch.float64)
    arrays = {
        "epsilon": epsilon,
        "corrections": torch.stack(corrections),
        "grid": grid,
        "densities": densities,
    }
    arrays["density_rsvi"] = torch.stack([_density_rsvi(a, grid) for a in densities])
    arrays["density_grep"] = torch.stack([_density_grep(a, grid) for a in densities])
    return Findings(rows, {name: np.asarray(array) for name, array in arrays.items()})


def derivatives(alpha: float, epsilon: Tensor) -> tuple[Tensor, dict[str, tuple[Tensor, Tensor]]]:
    """(∇ log q/r, {f: (z, ∂f(h(ε; α))/∂α)}) of the library's draw at accepted proposals ε [C]."""
    leaf = torch.full_like(epsilon, alpha).requires_grad_()
    law = Gamma(leaf, torch.ones_like(epsilon), event_dims=0)
    wanted = law.rejection_noise()
    noise = {
        "proposal": epsilon.unsqueeze(-1).expand(wanted["proposal"].shape),
        "accept": torch.zeros(wanted["accept"].shape, dtype=epsilon.dtype),
    }
    found = law.accept(noise)
    (score,) = torch.autograd.grad(found.log_density.sum(), leaf, retain_graph=True)
    paths = {
        name: (found.z.detach(), torch.autograd.grad(f(found.z).sum(), leaf, retain_graph=True)[0])
        for name, (f, _) in OBJECTIVES.items()
    }
    return score, paths


def _density_rsvi(alpha: Tensor, epsilon: Tensor) -> Tensor:
    """π(ε) = q(h(ε)) dh/dε; 0 where h is negative."""
    d, scale = alpha - 1 / 3, (9 * alpha - 3).sqrt()
    v = (1 + epsilon / scale).clamp_min(0)
    z = d * v**3
    return torch.exp(torch.xlogy(alpha - 1, z) - z - torch.lgamma(alpha)) * 3 * d * v.square() / scale


def _density_grep(alpha: Tensor, epsilon: Tensor) -> Tensor:
    """The density of (log z − ψ(α)) / √ψ'(α)."""
    spread = torch.polygamma(1, alpha).sqrt()
    log_z = torch.digamma(alpha) + spread * epsilon
    return torch.exp(alpha * log_z - log_z.exp() - torch.lgamma(alpha)) * spread


@procedure("variance")
def variance(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """Fig 4: the variance of one estimate of the first component of the gradient of the ELBO, at shapes `alpha`.

    The entropy's gradient is closed form and adds nothing. Rows at step = index: alpha; mean and variance over `draws`
    draws; mean_true; and where the noise of an entry is one number variance_exact, by quadrature.
    """
    options = spec["evaluation"]
    estimator = estimators.make(spec["method"]["name"], spec["method"]["options"])
    alpha = torch.tensor(options["alpha"], dtype=torch.float64)
    constant = torch.tensor(dirichlet_multinomial.log_joint(), dtype=torch.float64)
    axes = (spec["paper"], spec["experiment"], seed)
    program = dirichlet_multinomial.program(constant)
    found = begin(estimator, program, {"q.first": alpha}, axes).take(options["draws"])
    columns = {
        "alpha": alpha,
        "mean": found.mean["q.first"],
        "mean_true": dirichlet_multinomial.gradient(alpha),
        "variance": found.variance["q.first"],
    }
    with contextlib.suppress(
        ReparamError
    ):  # for an estimator with more than one number of noise for an entry
        columns["variance_exact"] = dirichlet_multinomial.exact(estimator, alpha, constant)[1]
    rows: list[Row] = [
        (i, name, column[i].item()) for i in range(len(alpha)) for name, column in columns.items()
    ]
    return Findings(rows, {})
