"""The bound: its two forms and its gap, its gradient in two terms, its tighter relative, its two sources of noise.

All on z ~ N(0, 1), x|z ~ N(w z + b, s²), whose likelihood and posterior are known, with q = N(μ, σ²).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reparam.cells.procedures import Findings, Row, procedure
from reparam.distributions import Normal
from reparam.engine.gradient import estimate_gradient
from reparam.estimators import make
from reparam.measure.gradient_variance import split_variance
from reparam.noise import draw, generator
from reparam.oracles import objectives
from reparam.oracles.linear_gaussian import LinearGaussian
from reparam.papers.tutorials.estimates import apart, measured
from reparam.program import Params, Program, Sample

DOUBLE = torch.float64
W, B, S = 1.4, 0.3, 0.7
ORACLE = LinearGaussian(np.array([[W]]), np.array([B]), S)


def log_joint(x: Tensor, z: Tensor) -> Tensor:
    """log p(x, z), entry by entry."""
    observed = Normal(W * z + B, torch.full_like(z, S), event_dims=0).log_prob(x)
    return observed + Normal(torch.zeros_like(z), torch.ones_like(z), event_dims=0).log_prob(z)


def guide(params: Params, event_dims: int = 0) -> Normal:
    """q(z) of each datum."""
    return Normal(params["mu"], params["log_sigma"].exp(), event_dims=event_dims)


def bound(x: Tensor) -> Program:
    """log p(x, z) − log q(z) at z ~ q: the first form of the bound."""

    def program(params: Params, sample: Sample) -> Tensor:
        z = sample("z", guide(params))
        return log_joint(x, z) - guide(params).log_prob(z)

    return program


def closed_form(x: Tensor, params: Params) -> Tensor:
    """The second form, −KL(q ‖ p(z)) + E_q log p(x|z), both terms written out."""
    mu, sigma = params["mu"], params["log_sigma"].exp()
    kl = 0.5 * (sigma.square() + mu.square() - 1) - sigma.log()
    off = (x - W * mu - B).square() + (W * sigma).square()
    return -kl - 0.5 * off / S**2 - math.log(S) - 0.5 * math.log(2 * math.pi)


def _setting(spec: Mapping[str, Any], seed: int, data: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Data [N] and a guide for each."""
    source = generator(spec["paper"], spec["experiment"], seed, "setting")
    x = B + math.hypot(W, S) * draw("normal", (data,), source, DOUBLE)
    mu = draw("normal", (data,), source, DOUBLE)
    return x, {"mu": mu, "log_sigma": 0.5 * draw("normal", (data,), source, DOUBLE)}


@procedure("bound_forms")
def bound_forms(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """T3's bound at random q, in nats, by quadrature of log p(x, z) − log q(z).

    Rows: forms_error, between that and −KL + E log p(x|z); gap_error, between log p(x) − bound and KL(q ‖ p(z|x));
    excess, the largest bound − log p(x), which Jensen's inequality keeps at most 0; tight_error, the gap at q = p(z|x).
    """
    x, params = _setting(spec, seed, int(spec["evaluation"]["data"]))
    likelihood = torch.from_numpy(ORACLE.log_likelihood(x.numpy()[:, None]))
    mean, covariance = ORACLE.posterior(x.numpy()[:, None])
    posterior = {
        "mu": torch.from_numpy(mean[:, 0]),
        "log_sigma": torch.full_like(x, 0.5 * math.log(covariance[0, 0])),
    }
    first = objectives.expectation(bound(x), params)
    gap = guide(params).kl(guide(posterior))
    rows: list[Row] = [
        (0, "forms_error", float((first - closed_form(x, params)).abs().max())),
        (0, "gap_error", float((likelihood - first - gap).abs().max())),
        (0, "excess", float((first - likelihood).max())),
        (0, "tight_error", float((objectives.expectation(bound(x), posterior) - likelihood).abs().max())),
    ]
    return Findings(rows, {})


@procedure("split_gradient")
def split_gradient(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """T3: ∇ E_q[f_φ] = ∫ f ∇q dz + E_q[∇ f_φ], f_φ = log p(x, z) − log q_φ(z), each term by the cell's estimator.

    Rows: split_z, the largest error of the sum in standard errors; first_relative_error, the standard error of the
    first term's mean, over its own size; second_z, the largest distance of the second term's mean from 0, which is its
    value for a bound, in standard errors; first_variance and second_variance, summed over entries.
    """
    x, params = _setting(spec, seed, 1)
    fixed = {name: entry.clone() for name, entry in params.items()}

    def first(params: Params, sample: Sample) -> Tensor:
        z = sample("z", guide(params))
        return log_joint(x, z) - guide(fixed).log_prob(z)

    def second(params: Params, sample: Sample) -> Tensor:
        z = sample("z", guide(fixed))
        return log_joint(x, z) - guide(params).log_prob(z)

    parts = measured(spec, seed, first, params), measured(spec, seed, second, params)
    exact = torch.func.grad(lambda p: closed_form(x, p).sum())(params)
    zero = {name: torch.zeros_like(entry) for name, entry in params.items()}
    error = {n: torch.hypot(parts[0].standard_error[n], parts[1].standard_error[n]) for n in params}
    split_z = max(
        float(((parts[0].mean[n] + parts[1].mean[n] - exact[n]) / error[n]).abs().max()) for n in params
    )
    size = sum(entry.square().sum() for entry in parts[0].mean.values())
    noise = sum(entry.square().sum() for entry in parts[0].standard_error.values())
    second_z = max(float(entry.max()) for entry in apart(parts[1], zero).values())
    rows: list[Row] = [
        (0, "split_z", split_z),
        (0, "first_relative_error", float(torch.as_tensor(noise / size).sqrt())),
        (0, "second_z", second_z),
        (0, "first_variance", float(sum(entry.sum() for entry in parts[0].variance.values()))),
        (0, "second_variance", float(sum(entry.sum() for entry in parts[1].variance.values()))),
    ]
    return Findings(rows, {})


def several(x: Tensor, samples: int) -> Program:
    """log 1/K Σ w_k of K samples of q for each datum, as a program with one site."""

    def program(params: Params, sample: Sample) -> Tensor:
        wide = {name: entry.unsqueeze(-1).expand(-1, samples) for name, entry in params.items()}
        z = sample("z", guide(wide, event_dims=1))
        weights = log_joint(x.unsqueeze(-1), z) - guide(wide).log_prob(z)
        return weights.logsumexp(-1) - math.log(samples)

    return program


def _iwae(x: Tensor, params: Params, noise: Tensor) -> dict[str, Tensor]:
    """The library's gradients, {parameter: [draws, N]}, of the bound of K samples at noise [draws, K, N]."""
    estimator = make("iwae", {"samples": noise.shape[1]})

    def one(noise: Tensor) -> dict[str, Tensor]:
        return dict(estimate_gradient(estimator, bound(x), params, {"z": {"normal": noise}}).gradient)

    found: dict[str, Tensor] = torch.vmap(one)(noise)
    return found


@procedure("weighted_bound")
def weighted_bound(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """T1 §9.2: the bound of K samples and its gradient through the log-sum-exp.

    Rows at step = number of the K: samples; bound, its mean over the data, and likelihood, that of log p(x), in nats;
    weights_error, per draw and datum, of the gradient of iwae from Σ_k w̃_k ∇ log w_k by hand. At K = 2
    also gradient_z: the cell's estimator against the exact gradient by quadrature, in standard errors.
    """
    given = spec["evaluation"]
    x, params = _setting(spec, seed, int(given["data"]))
    source = generator(spec["paper"], spec["experiment"], seed, "draws")
    largest = max(given["samples"])
    epsilon = draw("normal", (len(x), int(given["repeats"]), largest), source, DOUBLE)
    likelihood = float(ORACLE.log_likelihood(x.numpy()[:, None]).mean())
    wide = {name: entry.reshape(-1, 1, 1) for name, entry in params.items()}
    rows: list[Row] = []
    for number, samples in enumerate(given["samples"]):
        noise = epsilon[..., :samples]

        def log_weights(params: Params, noise: Tensor = noise) -> Tensor:
            z = guide(params).path({"normal": noise})
            return log_joint(x.reshape(-1, 1, 1), z) - guide(params).log_prob(z)

        w = log_weights(wide)
        each = {name: entry.expand_as(noise) for name, entry in wide.items()}
        slopes = torch.func.grad(lambda p, of=log_weights: of(p).sum())(each)
        by_hand = {name: (w.softmax(-1) * slope).sum(-1).T for name, slope in slopes.items()}
        ours = _iwae(x, params, noise.permute(1, 2, 0))
        error = max(float(((ours[n] - by_hand[n]).abs() / (1 + by_hand[n].abs())).max()) for n in ours)
        rows += [
            (number, "samples", float(samples)),
            (number, "bound", float((w.logsumexp(-1) - math.log(samples)).mean())),
            (number, "likelihood", likelihood),
            (number, "weights_error", error),
        ]
        if samples == 2:
            few, own = x[:3], {name: entry[:3] for name, entry in params.items()}
            exact = torch.func.grad(lambda p, few=few: objectives.bound(bound(few), p, 2, nodes=48).sum())(
                own
            )
            z = apart(measured(spec, seed, several(few, 2), own), exact)
            rows.append((number, "gradient_z", max(float(entry.max()) for entry in z.values())))
    return Findings(rows, {})


@procedure("two_noises")
def two_noises(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """T1 §9.1: a pathwise gradient with a minibatch of `batch` data, drawn with replacement, and L noise samples each.

    The guide is amortised, q(z|x) = N(a x, σ²); the gradient is that of the minibatch mean of the closed-KL bound by a
    and ln σ. Rows at step = number of the L: samples; total, the variance of whole gradients, each with data and noise
    of its own; data and noise, its parts by analysis of variance on other draws; exact_data and exact_noise, by
    quadrature over ε and the sum over all data. Variances are summed over both parameters.
    """
    given = spec["evaluation"]
    size, batch, draws = int(given["data"]), int(given["batch"]), int(given["draws"])
    x, _ = _setting(spec, seed, size)
    params = {"a": torch.tensor(0.2, dtype=DOUBLE), "log_sigma": torch.tensor(-0.3, dtype=DOUBLE)}

    def term(params: Params, x: Tensor, epsilon: Tensor) -> Tensor:
        law = Normal(params["a"] * x, params["log_sigma"].exp().expand(x.shape), event_dims=0)
        z = law.path({"normal": epsilon})
        observed = Normal(W * z + B, torch.full_like(z, S), event_dims=0).log_prob(x)
        return observed - law.kl(Normal(torch.zeros_like(z), torch.ones_like(z), event_dims=0))

    slope = torch.func.grad(term)

    def gradients(x: Tensor, epsilon: Tensor) -> Tensor:
        """Of each datum at each noise: [..., 2]."""
        shape = torch.broadcast_shapes(x.shape, epsilon.shape)
        flat = torch.vmap(slope, in_dims=(None, 0, 0))(
            params, x.expand(shape).reshape(-1), epsilon.expand(shape).reshape(-1)
        )
        return torch.stack([flat["a"], flat["log_sigma"]], -1).reshape(*shape, 2)

    nodes, weights = np.polynomial.hermite_e.hermegauss(20)
    weight = torch.from_numpy(weights / weights.sum()).reshape(-1, 1, 1)
    exact = gradients(x, torch.from_numpy(nodes).unsqueeze(-1))
    mean = (weight * exact).sum(0)
    across = mean.var(0, correction=0).sum() / batch
    within = (weight * (exact - mean).square()).sum(0).mean(0).sum() / batch
    rows: list[Row] = []
    for number, samples in enumerate(given["samples"]):
        source = generator(spec["paper"], spec["experiment"], seed, "draws", number)

        def one(count: int, repeats: int, source: torch.Generator = source, samples: int = samples) -> Tensor:
            """Gradients of `count` minibatches with `repeats` draws of the noise each: [count, repeats, 2]."""
            index = torch.randint(size, (count, 1, batch, 1), generator=source)
            epsilon = draw("normal", (count, repeats, batch, samples), source, DOUBLE)
            return gradients(x[index], epsilon).mean((2, 3))

        data, noise = split_variance(one(draws // 10, 10))
        rows += [
            (number, "samples", float(samples)),
            (number, "total", float(one(draws, 1).var(0).sum())),
            (number, "data", float(data)),
            (number, "noise", float(noise)),
            (number, "exact_data", float(across)),
            (number, "exact_noise", float(within / samples)),
            (number, "exact_total", float(across + within / samples)),
        ]
    return Findings(rows, {})
