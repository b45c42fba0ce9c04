"""Exact statements about paths: Jacobians, implicit derivatives, flows, and what has no path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

import reparam
from reparam.cells.procedures import Findings, Row, procedure
from reparam.distributions import (
    Bernoulli,
    Flow,
    FromStandardization,
    FromTriangularStandardization,
    Normal,
    PlanarFlow,
    RadialFlow,
)
from reparam.distributions.scales import scale_from_exp, scale_from_log_variance, scale_from_softplus
from reparam.errors import ReparamError
from reparam.estimators import make
from reparam.measure.moments import begin
from reparam.noise import draw, generator, stream_seed
from reparam.oracles.objectives import expectation
from reparam.papers.tutorials.laws import distance
from reparam.program import Params, Sample

DOUBLE = torch.float64


def _source(spec: Mapping[str, Any], seed: int) -> torch.Generator:
    return generator(spec["paper"], spec["experiment"], seed)


def _normal(shape: tuple[int, ...], source: torch.Generator) -> Tensor:
    return draw("normal", shape, source, DOUBLE)


def _largest(*differences: Tensor) -> float:
    return max(float(difference.abs().max()) for difference in differences)


@procedure("jacobians")
def jacobians(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """T1 §2.4 for our Normal path in five dimensions, at a random point, in double precision.

    Rows: location_error, of ∂z/∂μ = I; scale_error, of ∂z/∂σ = diag(ε); reconstruction_error, of the gradients of
    log p(x|z), by the chain rule as the tutorial has it, for a Bernoulli decoder with one hidden layer.
    """
    source = _source(spec, seed)
    mu, epsilon, sigma = _normal((5,), source), _normal((5,), source), _normal((5,), source).exp()
    first, second = _normal((7, 5), source), _normal((9, 7), source)
    x = (draw("uniform", (9,), source, DOUBLE) > 0.5).double()

    def path(mu: Tensor, sigma: Tensor) -> Tensor:
        return Normal(mu, sigma).path({"normal": epsilon})

    def reconstruction(z: Tensor) -> Tensor:
        return Bernoulli(logits=second @ torch.tanh(first @ z)).log_prob(x)

    by_mu, by_sigma = torch.func.jacrev(path, argnums=(0, 1))(mu, sigma)
    inner = torch.func.grad(reconstruction)(path(mu, sigma))
    outer = torch.func.grad(lambda m, s: reconstruction(path(m, s)), argnums=(0, 1))(mu, sigma)
    rows: list[Row] = [
        (0, "location_error", _largest(by_mu - torch.eye(5, dtype=DOUBLE))),
        (0, "scale_error", _largest(by_sigma - torch.diag(epsilon))),
        (0, "reconstruction_error", _largest(outer[0] - inner, outer[1] - inner * epsilon)),
    ]
    return Findings(rows, {})


@procedure("implicit_maps")
def implicit_maps(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """T1 §6.1: dz/dφ = −(∂h/∂z)⁻¹ ∂h/∂φ for maps h that our laws are given without their inverse.

    One-dimensional: h(z; μ, σ, δ) = sinh(δ asinh((z − μ)/σ)). Triangular: h = ((z₁ − a)/b, (z₂ − c z₁²)/(b + z₁²)).
    Both have an inverse g in closed form, which the laws do not see. Rows: derivative_error/<map>, the largest
    difference of dz/dφ from dg/dφ; fit, of the one-dimensional law to its CDF, as √n D; wrong_map_error, the largest
    difference where h is read as the map from noise to sample, as in the papers on rejection sampling.
    """
    source, draws = _source(spec, seed), int(spec["evaluation"]["draws"])
    epsilon = _normal((draws,), source)
    phi = torch.tensor([0.4, 1.3, 0.8], dtype=DOUBLE)

    def inverse(phi: Tensor, epsilon: Tensor = epsilon) -> Tensor:
        mu, sigma, delta = phi.unbind()
        return mu + sigma * torch.sinh(torch.asinh(epsilon) / delta)

    def standardize(z: Tensor, mu: Tensor, sigma: Tensor, delta: Tensor) -> Tensor:
        return torch.sinh(delta * torch.asinh((z - mu) / sigma))

    def path(phi: Tensor) -> Tensor:
        law = FromStandardization(standardize, tuple(phi.unbind()), shape=(draws,))
        return law.path({"normal": epsilon})

    right = torch.func.jacfwd(inverse)(phi)
    slope = torch.autograd.functional.jvp(lambda e: inverse(phi, e), epsilon, torch.ones_like(epsilon))[1]
    wrong = -right / slope.unsqueeze(-1)
    z = path(phi)
    one, two = _normal((draws,), source), _normal((draws,), source)
    shape = torch.tensor([0.4, 1.3, -0.5], dtype=DOUBLE)

    def pair(phi: Tensor) -> Tensor:
        a, b, c = phi.unbind()
        first = a + b * one
        return torch.stack([first, c * first.square() + (b + first.square()) * two], -1)

    def triangle(z: Tensor, a: Tensor, b: Tensor, c: Tensor) -> Tensor:
        first, second = z.unbind(-1)
        return torch.stack([(first - a) / b, (second - c * first.square()) / (b + first.square())], -1)

    def triangular(phi: Tensor) -> Tensor:
        law = FromTriangularStandardization(triangle, tuple(phi.unbind()), shape=(draws, 2))
        return law.path({"normal": torch.stack([one, two], -1)})

    rows: list[Row] = [
        (0, "derivative_error/one", _relative(torch.func.jacrev(path)(phi), right)),
        (
            0,
            "derivative_error/triangular",
            _relative(*(torch.func.jacrev(f)(shape) for f in (triangular, pair))),
        ),
        (0, "wrong_map_error", _relative(wrong, right)),
        (0, "fit", distance(torch.special.ndtr(standardize(z, *phi)).numpy(), lambda u: u)),
    ]
    return Findings(rows, {})


def _relative(found: Tensor, right: Tensor) -> float:
    """The largest difference over 1 + the size of what is right."""
    return float(((found - right).abs() / (1 + right.abs())).max())


@procedure("flows")
def flows(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """T1 §6.2 for planar and radial flows in three dimensions, at random points.

    Rows: determinant_error/<flow>, of its log-determinant from that of the autograd Jacobian; inverse_error/<flow>, of
    inverse(forward(x)) from x; gradient_error/<flow>, of ∂f/∂φ from central differences.
    """
    source, draws = _source(spec, seed), int(spec["evaluation"]["draws"])
    x = _normal((draws, 3), source)
    weight, scale, center = (_normal((3,), source) for _ in range(3))
    one = torch.ones((), dtype=DOUBLE)
    makers = {
        "planar": (lambda v: PlanarFlow(weight, v, 0.3 * one), scale),
        "radial": (lambda v: RadialFlow(v, 0.8 * one, 1.4 * one), center),
    }
    rows: list[Row] = []
    for name, (build, value) in makers.items():
        flow: Flow = build(value)
        y, log_det = flow.forward(x)
        jacobian = torch.vmap(torch.func.jacrev(lambda one, flow=flow: flow.forward(one)[0]))(x)
        slope = torch.func.jacrev(lambda v, build=build: build(v).forward(x)[0])(value)
        step = 1e-6 * torch.eye(3, dtype=DOUBLE)
        ends = [torch.stack([build(value + s * e).forward(x)[0] for e in step], -1) for s in (1, -1)]
        rows += [
            (
                0,
                f"determinant_error/{name}",
                _largest(torch.linalg.slogdet(jacobian)[1] - log_det.reshape(draws)),
            ),
            (0, f"inverse_error/{name}", _largest(flow.inverse(y) - x)),
            (0, f"gradient_error/{name}", _relative((ends[0] - ends[1]) / 2e-6, slope)),
        ]
    return Findings(rows, {})


@procedure("no_path")
def no_path(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """T1 §3.1's counter-example: a Bernoulli variable z = 1[u < p], f = (z − 0.45)².

    Rows: threshold_slope, the largest derivative of that path in p (0 almost everywhere); exact_slope, d E f / dp;
    refused, 1 where `pathwise` refuses the law in words of its own.
    """
    u = draw("uniform", (1000,), _source(spec, seed), DOUBLE)
    p = torch.tensor(0.3, dtype=DOUBLE)
    slope = torch.func.jacrev(lambda p: (1 + torch.sign(p - u)) / 2)(p)

    def program(params: Params, sample: Sample) -> Tensor:
        return (sample("z", Bernoulli(probs=params["p"])) - 0.45).square()

    try:
        begin(make("pathwise"), program, {"p": p}, (spec["paper"], spec["experiment"], seed))
        refused = 0.0
    except ReparamError:
        refused = 1.0
    rows: list[Row] = [
        (0, "threshold_slope", _largest(slope)),
        (0, "exact_slope", _largest(torch.func.grad(lambda p: expectation(program, {"p": p}).sum())(p))),
        (0, "refused", refused),
    ]
    return Findings(rows, {})


@procedure("functions")
def functions(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """`reparameterize` and `reparameterize_k_samples` (T1 §8.1, §8.3) at batch 6, three dimensions.

    Rows: <function>/shape_error, 1 unless the sample is [batch, latent], [batch, k, latent]; <function>/fit, of many
    samples, standardised by μ and σ; <function>/derivative_error, of ∂z/∂(μ, log σ²) from 1 and (z − μ)/2.
    """
    source, k = _source(spec, seed), int(spec["evaluation"]["samples"])
    mu, log_var = _normal((6, 3), source), _normal((6, 3), source)
    calls = {
        "reparameterize": (lambda m, v: reparam.reparameterize(m, v), (6, 3)),
        "reparameterize_k_samples": (lambda m, v: reparam.reparameterize_k_samples(m, v, k), (6, k, 3)),
    }
    rows: list[Row] = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(spec["paper"], spec["experiment"], seed, "global"))
        for name, (call, shape) in calls.items():
            inputs = [entry.clone().requires_grad_() for entry in (mu, log_var)]
            z = call(*inputs)
            found = torch.autograd.grad(z.sum(), inputs)
            z = z.detach()
            wide = [entry.reshape(6, -1, 3) for entry in (mu, log_var, z)]
            right = (torch.full_like(mu, wide[2].shape[1]), ((wide[2] - wide[0]) / 2).sum(1))
            many = torch.stack([call(mu, log_var).reshape(6, -1, 3) for _ in range(2000 // wide[2].shape[1])])
            standard = (many - wide[0]) / (0.5 * wide[1]).exp()
            rows += [
                (0, f"{name}/shape_error", float(tuple(z.shape) != shape)),
                (
                    0,
                    f"{name}/derivative_error",
                    _largest(*(a - b for a, b in zip(found, right, strict=True))),
                ),
                (0, f"{name}/fit", distance(torch.special.ndtr(standard).numpy(), lambda u: u)),
            ]
    return Findings(rows, {})


SCALES: dict[str, Callable[[Tensor], Tensor]] = {
    "plain": lambda raw: (0.5 * raw).exp(),
    "clamp": lambda raw: torch.exp(0.5 * torch.clamp(raw, -20, 2)),
    "softplus": torch.nn.functional.softplus,
    "constant": lambda raw: torch.exp(0.5 * raw) + 1e-6,
}
"""T1 §8.2, word for word, and the plain exponential that they are to cure."""
OWN: dict[str, Callable[[Tensor], Tensor]] = {
    "clamp": scale_from_log_variance,
    "softplus": scale_from_softplus,
    "constant": scale_from_exp,
}


@procedure("small_scales")
def small_scales(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """T1 §8.2 in single precision, as users have it, along the network's output `raw` from 0 to −200.

    Rows at step = number of the raw: raw; score/<cure>, 1/σ, the size of ∇_z log q and of ∇_μ log q
    at ε = 1; slope/<cure>, dσ/draw; path/<cure>, |d/draw| of a pathwise estimate of log p(x|z) − KL(q ‖ N(0, 1)) with a
    unit Gaussian decoder at x = 1.5, μ = 0.5, ε = 1; and score/own_<cure>, 1/σ of this package's functions.
    """
    raw = torch.linspace(0, -200, int(spec["evaluation"]["points"]))
    columns: dict[str, Tensor] = {"raw": raw}
    for name, scale in SCALES.items():

        def bound(raw: Tensor, scale: Callable[[Tensor], Tensor] = scale) -> Tensor:
            sigma = scale(raw)
            z = 0.5 + sigma
            return -0.5 * (1.5 - z) ** 2 - 0.5 * (sigma**2 + 0.25 - 1) + sigma.log()

        columns[f"score/{name}"] = 1 / scale(raw)
        columns[f"slope/{name}"] = torch.vmap(torch.func.grad(scale))(raw)
        columns[f"path/{name}"] = torch.vmap(torch.func.grad(bound))(raw).abs()
    columns |= {f"score/own_{name}": 1 / scale(raw) for name, scale in OWN.items()}
    return Findings([(i, m, float(v)) for m, column in columns.items() for i, v in enumerate(column)], {})
