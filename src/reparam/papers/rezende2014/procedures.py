"""The supplement's statements, measured on the library's estimators beside exact answers."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reparam import estimators
from reparam.cells.procedures import Findings, Row, procedure
from reparam.distributions import MultivariateNormal, Normal
from reparam.measure import likelihood
from reparam.measure.moments import Moments, begin
from reparam.noise import draw, generator
from reparam.oracles.linear_gaussian import LinearGaussian
from reparam.papers.rezende2014 import formulas
from reparam.program import Params, Program, Sample

LEAST_DRAWS = 64


def _stream(spec: Mapping[str, Any], seed: int, *names: str | int) -> torch.Generator:
    return generator(spec["paper"], spec["experiment"], seed, *names)


def _moments(
    spec: Mapping[str, Any], seed: int, program: Program, params: Params, *names: str | int
) -> Moments:
    """Of the cell's estimator, from as many draws as the `evaluations` of the experiment allow."""
    estimator = estimators.make(spec["method"]["name"], spec["method"]["options"])
    axes = (spec["paper"], spec["experiment"], seed, "moments", *names)
    sampler = begin(estimator, program, dict(params), axes, factorised=False)
    return sampler.take(max(LEAST_DRAWS, int(spec["evaluation"]["evaluations"]) // sampler.evaluations))


def _plain(spec: Mapping[str, Any], mu: Any, s: Any, c: Any, others: Any = 0) -> tuple[Any, Any] | None:
    """The exact variances of the cell's estimator, if it has no options and a formula."""
    return None if spec["method"]["options"] else formulas.exact(spec["method"]["name"], mu, s, c, others)


@procedure("dimension")
def dimension(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """App. D.1: the variance per coordinate for f = Σ_i ξ_i²/2 of K independent ξ_i ~ N(1, 1), f less its mean.

    `evaluation`: `dimensions` (the K), `fit_from`, `evaluations` of f at each K. Rows at step = K: dimension,
    variance/mean and variance/scale, means over the coordinates; exact/… where known. At step 0: slope/mean and
    slope/scale, of ln variance against ln K over K ≥ `fit_from`.
    """
    options = spec["evaluation"]
    dimensions = np.asarray(options["dimensions"])
    found: dict[str, list[float]] = {"mean": [], "scale": []}
    rows: list[Row] = []
    for k in dimensions:

        def program(params: Params, sample: Sample, k: int = int(k)) -> Tensor:
            x = sample("x", Normal(params["mean"], params["scale"]))
            return 0.5 * x.square().sum(-1) - k * formulas.mean(1.0, 1.0, 1.0)

        params = {"mean": torch.ones(int(k)), "scale": torch.ones(int(k))}
        moments = _moments(spec, seed, program, params, int(k))
        exact = _plain(spec, 1.0, 1.0, 1.0, int(k) - 1)
        rows.append((int(k), "dimension", float(k)))
        for i, name in enumerate(found):
            found[name].append(moments.variance[name].mean().item())
            rows.append((int(k), f"variance/{name}", found[name][-1]))
            if exact is not None:
                rows.append((int(k), f"exact/{name}", float(exact[i])))
    late = dimensions >= options["fit_from"]
    for name, variances in found.items():
        slope = np.polyfit(np.log(dimensions[late]), np.log(np.array(variances)[late]), 1)[0]
        rows.append((0, f"slope/{name}", float(slope)))
    return Findings(rows, {})


@procedure("single_variable")
def single_variable(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """App. D.2: f = c ξ²/2 less its mean, ξ ~ N(μ, s²), at all combinations of `mu`, `s` and `c`.

    `evaluation`: `mu`, `s`, `c` (lists), `evaluations` of f at each. Rows at step = index of the combination: mu, s, c,
    variance/mean, variance/scale; exact/… where known, and then at step 0 log_ratio/…, the mean of ln(measured/exact).
    """
    mu, s, c = _combinations(spec["evaluation"])
    centre = torch.tensor(formulas.mean(mu, s, c), dtype=torch.float32)
    curvature = torch.tensor(c, dtype=torch.float32)

    def program(params: Params, sample: Sample) -> Tensor:
        x = sample("x", Normal(params["mean"], params["scale"]))
        return 0.5 * curvature * x[..., 0].square() - centre

    params = {
        "mean": torch.tensor(mu, dtype=torch.float32)[:, None],
        "scale": torch.tensor(s, dtype=torch.float32)[:, None],
    }
    moments = _moments(spec, seed, program, params)
    exact = _plain(spec, mu, s, c)
    rows: list[Row] = []
    for name, values in (("mu", mu), ("s", s), ("c", c)):
        rows += [(i, name, float(value)) for i, value in enumerate(values)]
    for i, name in enumerate(("mean", "scale")):
        variance = moments.variance[name].numpy()[:, 0]
        rows += [(j, f"variance/{name}", float(value)) for j, value in enumerate(variance)]
        if exact is not None:
            rows += [(j, f"exact/{name}", float(value)) for j, value in enumerate(exact[i])]
            rows.append((0, f"log_ratio/{name}", float(np.log(variance / exact[i]).mean())))
    return Findings(rows, {})


def _combinations(options: Mapping[str, Any]) -> tuple[Any, Any, Any]:
    """μ, s and c of all combinations, each [combinations]."""
    grid = np.array(list(product(options["mu"], options["s"], options["c"])), dtype=np.float64)
    return grid[:, 0], grid[:, 1], grid[:, 2]


@procedure("variance_formulas")
def variance_formulas(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """App. D.2's formulas against Gauss–Hermite quadrature, which is exact for them, at all combinations.

    Rows at step 0: error/<formula>, the largest difference over 1 + the variance, of pathwise_mean, pathwise_scale,
    second_derivative, score_mean; least_ratio, the smallest ratio of the variances for μ, and ratio_error, its largest
    relative distance from 5/2 + 2 μ²/s².
    """
    mu, s, c = (entries[:, None] for entries in _combinations(spec["evaluation"]))
    e, weights = np.polynomial.hermite_e.hermegauss(12)
    mass = weights / weights.sum()
    x = mu + s * e
    f = c * x**2 / 2
    samples = {
        "pathwise_mean": c * x,
        "pathwise_scale": e * c * x,
        "second_derivative": c + 0 * x,
        "score_mean": e / s * (f - (f @ mass)[:, None]),
    }
    found = {name: (g**2) @ mass - (g @ mass) ** 2 for name, g in samples.items()}
    rows: list[Row] = []
    for name, variance in found.items():
        formula = getattr(formulas, name)(mu, s, c)[:, 0]
        rows.append((0, f"error/{name}", float((np.abs(variance - formula) / (1 + formula)).max())))
    ratio = found["score_mean"] / found["pathwise_mean"]
    rows.append((0, "least_ratio", float(ratio.min())))
    rows.append((0, "ratio_error", float(np.abs(ratio / formulas.ratio(mu, s)[:, 0] - 1).max())))
    return Findings(rows, {})


@procedure("bonnet_price")
def bonnet_price(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """App. B: ∇_μ E f = E ∇f and ∇_C E f = ½ E ∇²f, for random Gaussians in two dimensions and a smooth f.

    f(x) = log Σ_j exp(a_j·x) + sin(b·x). Rows at step 0: bonnet_error and price_error, the largest difference of the
    right sides from the derivative of the integral (quadrature, over 1 + the largest entry); z/mean and z/scale_tril,
    the largest distance in standard errors of the cell's estimator from them, the second by ∇_L = 2 ∇_C L.
    """
    source = _stream(spec, seed, "problem")
    a, b = (draw("normal", (n, 2), source, torch.float64) for n in (3, 1))
    mean = draw("normal", (2,), source, torch.float64)
    lower = torch.tril(0.5 * draw("normal", (2, 2), source, torch.float64), -1) + torch.diag(
        0.4 + draw("uniform", (2,), source, torch.float64)
    )

    def f(x: Tensor) -> Tensor:
        return (x @ a.to(x).T).logsumexp(-1) + torch.sin(x @ b[0].to(x))

    points, weights = np.polynomial.hermite_e.hermegauss(48)
    grid = torch.cartesian_prod(*(torch.tensor(points),) * 2)
    mass = torch.cartesian_prod(*(torch.tensor(weights / weights.sum()),) * 2).prod(-1)
    x, covariance = mean + grid @ lower.T, lower @ lower.T

    def integral(mean: Tensor, covariance: Tensor) -> Tensor:
        """∫ N(x; μ, C) f(x) dx on fixed points: only the density depends on the parameters."""
        away = x - mean
        quadratic = (away @ torch.linalg.inv(covariance) * away).sum(-1)
        log_q = -0.5 * quadratic - 0.5 * torch.linalg.slogdet(covariance).logabsdet
        return (mass * torch.exp(log_q - log_q.detach()) * f(x)).sum()

    left = torch.func.grad(integral, argnums=(0, 1))(mean, covariance)
    slopes = torch.vmap(torch.func.grad(f))(x)
    bends = torch.vmap(torch.func.hessian(f))(x)
    right = mass @ slopes, 0.5 * torch.einsum("n,nij->ij", mass, bends)
    rows: list[Row] = []
    for name, one, other in zip(("bonnet", "price"), left, right, strict=True):
        error = (one - other).abs().max() / (1 + other.abs().max())
        rows.append((0, f"{name}_error", error.item()))

    def program(params: Params, sample: Sample) -> Tensor:
        return f(sample("x", MultivariateNormal(params["mean"], scale_tril=params["scale_tril"])))

    params = {"mean": mean.float(), "scale_tril": lower.float()}
    found = _moments(spec, seed, program, params)
    truth = {"mean": right[0], "scale_tril": torch.tril(2 * right[1] @ lower)}
    for name, gradient in truth.items():
        away = (torch.tril(found.mean[name]) if name == "scale_tril" else found.mean[name]) - gradient
        error = found.standard_error[name].clamp(min=1e-6)
        rows.append((0, f"z/{name}", (away.abs() / error).max().item()))
    return Findings(rows, {})


@procedure("importance_sampling")
def importance_sampling(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """App. E: p(x) ≈ 1/S Σ_s p(x, z_s)/q(z_s|x) on a linear-Gaussian model, whose p(x) is known.

    The recognition model is the diagonal Gaussian with the posterior's means and `inflation` times its variances. Rows
    at step = S: relative (mean over data of the estimate over p(x)), bias and rmse of its logarithm, in nats. At step
    0: slope, of ln rmse against ln S.
    """
    options = spec["evaluation"]
    latent, pixels, points = options["latent"], options["pixels"], options["points"]
    source = _stream(spec, seed, "model")
    weight, bias = draw("normal", (pixels, latent), source), draw("normal", (pixels,), source)
    codes, noise = draw("normal", (points, latent), source), draw("normal", (points, pixels), source)
    x = codes @ weight.T + bias + noise
    oracle = LinearGaussian(weight.double().numpy(), bias.double().numpy(), 1.0)
    mean, covariance = oracle.posterior(x.double().numpy())
    scale = np.sqrt(options["inflation"] * np.diag(covariance)) + 0 * mean
    q = Normal(torch.tensor(mean, dtype=torch.float32), torch.tensor(scale, dtype=torch.float32))

    def log_joint(z: Tensor) -> Tensor:
        prior = Normal(torch.zeros_like(z), torch.ones_like(z)).log_prob(z)
        return Normal(z @ weight.T + bias, torch.ones(pixels)).log_prob(x) + prior

    truth = oracle.log_likelihood(x.double().numpy())
    rows: list[Row] = []
    errors = []
    for samples in options["samples"]:
        estimate = likelihood.importance_weighted(log_joint, q, samples, _stream(spec, seed, samples))
        error = estimate.log_likelihood.double().numpy() - truth
        errors.append(float(np.sqrt(np.mean(error**2))))
        rows.append((samples, "relative", float(np.exp(error).mean())))
        rows.append((samples, "bias", float(error.mean())))
        rows.append((samples, "rmse", errors[-1]))
    rows.append((0, "slope", float(np.polyfit(np.log(options["samples"]), np.log(errors), 1)[0])))
    return Findings(rows, {})


@procedure("full_bayes")
def full_bayes(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """App. G: a mean m_j and a variance τ_j per parameter θ_j under the prior N(0, κ), on Bayesian linear regression.

    The bound is E log p(y|θ) − ½ Σ_j (m_j²/κ + τ_j/κ + ln κ − ln τ_j − 1); its gradients are E ∂_j log p(y|θ) − m_j/κ
    and ½ E ∂_j² log p(y|θ) + ½/τ_j − ½/κ, here in closed form. Rows at step 0: kl_error, of the closed-form KL from the
    sampled log ratio's quadrature (relative); z/mean and z/variance, the largest distance of the cell's estimator from
    the gradients in standard errors.
    """
    options = spec["evaluation"]
    kappa, size, data = float(options["prior_variance"]), options["parameters"], options["data"]
    source = _stream(spec, seed, "problem")
    design, target = draw("normal", (data, size), source), draw("normal", (data,), source)
    m, tau = draw("normal", (size,), source), 0.1 + draw("uniform", (size,), source)

    def kl(m: Tensor, tau: Tensor) -> Tensor:
        return 0.5 * (m.square() / kappa + tau / kappa + np.log(kappa) - tau.log() - 1).sum()

    points, weights = np.polynomial.hermite_e.hermegauss(8)
    theta = m.double()[:, None] + tau.double().sqrt()[:, None] * torch.tensor(points)
    one, wide = Normal(m.double()[:, None], tau.double().sqrt()[:, None], event_dims=0), kappa**0.5
    prior = Normal(torch.zeros_like(theta), torch.full_like(theta, wide), event_dims=0)
    ratio = (one.log_prob(theta) - prior.log_prob(theta)) @ torch.tensor(weights / weights.sum())
    closed = kl(m.double(), tau.double())
    rows: list[Row] = [(0, "kl_error", ((closed - ratio.sum()).abs() / closed.abs()).item())]

    def program(params: Params, sample: Sample) -> Tensor:
        tau = params["variance"]
        theta = sample("theta", Normal(params["mean"], tau.sqrt()))
        return -0.5 * (target - design @ theta).square().sum() - kl(params["mean"], tau)

    found = _moments(spec, seed, program, {"mean": m, "variance": tau})
    x, y = design.double(), target.double()
    truth = {
        "mean": x.T @ (y - x @ m.double()) - m.double() / kappa,
        "variance": -0.5 * x.square().sum(0) + 0.5 / tau.double() - 0.5 / kappa,
    }
    for name, gradient in truth.items():
        z = (found.mean[name] - gradient).abs() / found.standard_error[name].clamp(min=1e-6)
        rows.append((0, f"z/{name}", z.max().item()))
    return Findings(rows, {})


@procedure("imputation")
def imputation(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """App. F: one step of the imputation chain, z ~ q(z|x) and then the missing part from p(x|z), by enumeration.

    Random discrete models of `states` codes and `bits` bits, half of them missing; q is the posterior mixed with random
    noise. Rows at step = index of the model: epsilon, the largest L1 distance of q from the posterior over all x, and
    error, that of the step's law of the missing bits from the one under the posterior.
    """
    options = spec["evaluation"]
    states, bits = options["states"], options["bits"]
    rows: list[Row] = []
    for i, share in enumerate(options["shares"]):
        source = _stream(spec, seed, i)
        joint = draw("uniform", (states, 2 ** (bits // 2), 2 ** (bits - bits // 2)), source, torch.float64)
        joint = joint.pow(3) / joint.pow(3).sum()
        posterior = joint / joint.sum(0)
        noise = draw("uniform", tuple(joint.shape), source, torch.float64)
        q = (1 - share) * posterior + share * noise / noise.sum(0)
        missing = joint / joint.sum(1, keepdim=True)  # p(missing | seen, z): [states, missing, seen]
        steps = [torch.einsum("zms,zns->nms", law, missing) for law in (q, posterior)]
        rows.append((i, "epsilon", (q - posterior).abs().sum(0).max().item()))
        rows.append((i, "error", (steps[0] - steps[1]).abs().sum(0).max().item()))
    return Findings(rows, {})
