"""The paper's experiments that are no trainings."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reparam import data, tasks
from reparam.cells.procedures import Findings, Row, procedure
from reparam.distributions import Normal, standard_normal
from reparam.measure import likelihood
from reparam.noise import draw, draw_block, generator
from reparam.oracles import objectives
from reparam.oracles.linear_gaussian import LinearGaussian
from reparam.program import Params, Program, Sample, describe, follow, run


def _stream(spec: Mapping[str, Any], seed: int, *names: str | int) -> torch.Generator:
    return generator(spec["paper"], spec["experiment"], seed, *names)


@procedure("kl_identity")
def kl_identity(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """App. B: −KL(q ‖ N(0, I)) = ½ Σ(1 + log σ² − μ² − σ²), in nats, against quadrature of E_q[log p − log q].

    Rows: kl_error, the largest difference of the paper's formula, and of the law's own KL, from the
    quadrature over `pairs` random (μ, σ), in double precision; kl_gradient_error, the same for ∂/∂(μ, log σ).
    """
    source = _stream(spec, seed, "pairs")
    pairs = int(spec["evaluation"]["pairs"])
    params = {
        "q.mean": 2 * draw("normal", (pairs, 1), source, torch.float64),
        "q.log_scale": draw("normal", (pairs, 1), source, torch.float64),
    }

    def law(params: Params) -> Normal:
        return Normal(params["q.mean"], params["q.log_scale"].exp())

    def by_sampling(params: Params, sample: Sample) -> Tensor:
        z = sample("z", law(params))
        return standard_normal(z).log_prob(z) - law(params).log_prob(z)

    def formula(params: Params) -> Tensor:
        mean, log_scale = params["q.mean"], params["q.log_scale"]
        return 0.5 * (1 + 2 * log_scale - mean.square() - (2 * log_scale).exp()).sum(-1)

    def own(params: Params) -> Tensor:
        return -law(params).kl(standard_normal(params["q.mean"]))

    exact = partial(objectives.expectation, by_sampling)
    slopes = {f: torch.func.grad(lambda p, f=f: f(p).sum())(params) for f in (exact, formula, own)}
    error = max((f(params) - exact(params)).abs().max().item() for f in (formula, own))
    slope_error = max(
        (slopes[f][name] - slopes[exact][name]).abs().max().item() for f in (formula, own) for name in params
    )
    return Findings([(0, "kl_error", error), (0, "kl_gradient_error", slope_error)], {})


@procedure("likelihood_dimension")
def likelihood_dimension(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """App. D's estimator of log p(x) against the closed form of a linear-Gaussian model, by code dimension.

    Rows at step = dimension, for `points` data of `pixels` pixels: root mean square error and mean error
    (nats per datum) of the harmonic estimator (log_likelihood_hmc_rmse, …_bias) and of the importance-
    weighted bound with proposals fitted to the same posterior samples (log_likelihood_iw_rmse, …_bias).
    """
    options = spec["evaluation"]
    rows: list[Row] = []
    for dimension in options["dimensions"]:
        source = _stream(spec, seed, dimension)
        oracle, x, log_joint = _linear_gaussian(dimension, options["points"], options["pixels"], source)
        start = likelihood.best_of_prior(log_joint, x.new_zeros(len(x), dimension), 50, source)
        samples = options["posterior_samples"]
        z = likelihood.posterior_samples(
            log_joint, start, 2 * samples, options["warmup"], options["leapfrogs"], source
        ).z
        proposal = likelihood.FittedGaussian.fit(z, likelihood.INFLATION)
        weighted = likelihood.importance_weighted(log_joint, proposal, options["samples"], source)
        truth = oracle.log_likelihood(x.double().numpy())
        estimates = {
            "hmc": likelihood.harmonic(log_joint, z[:samples], z[samples:]),
            "iw": weighted.log_likelihood,
        }
        for name, estimate in estimates.items():
            error = estimate.double().numpy() - truth
            rmse = float(np.sqrt(np.mean(error**2)))
            rows.append((dimension, f"log_likelihood_{name}_rmse", rmse))
            rows.append((dimension, f"log_likelihood_{name}_bias", float(error.mean())))
    return Findings(rows, {})


def _linear_gaussian(
    latent: int, points: int, pixels: int, source: torch.Generator
) -> tuple[LinearGaussian, Tensor, likelihood.LogJoint]:
    """A model with standard normal weights and unit noise, data drawn from it, and log p(x, z) of these."""
    weight, bias = draw("normal", (pixels, latent), source), draw("normal", (pixels,), source)
    codes, noise = draw("normal", (points, latent), source), draw("normal", (points, pixels), source)
    x = codes @ weight.T + bias + noise

    def log_joint(z: Tensor) -> Tensor:
        observed = Normal(z @ weight.T + bias, torch.ones(pixels)).log_prob(x)
        return observed + standard_normal(z).log_prob(z)

    return LinearGaussian(weight.double().numpy(), bias.double().numpy(), 1.0), x, log_joint


@procedure("full_vb_forms")
def full_vb_forms(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """App. F: the two forms of the bound over codes and weights, at the same parameters and noise.

    Rows, from `draws` draws of all noise on one minibatch: mean_difference, of the sampled and the
    closed form (nats per datum); value_variance/<form> (nats², of the minibatch mean); gradient_variance/
    <group>/<form>, the trace of its gradient's covariance.
    """
    options, task_options = spec["evaluation"], spec["task"]
    values, gradients = {}, {}
    for form in ("sampled", "analytic"):
        dataset = data.load(task_options["data"], task_options["binarisation"])
        task = tasks.get("full_vb")({**task_options, "kl": form}, dataset)
        x = task.train[: options["batch"]].double()
        params = {n: p.double() for n, p in task.init(_stream(spec, seed, "init")).items()}
        spread = _stream(spec, seed, "means")
        for name, value in params.items():
            if name.endswith("mean") or name.startswith("encoder"):
                params[name] = value + 0.1 * draw("normal", tuple(value.shape), spread, torch.float64)
        values[form], gradients[form] = _draws(task.program(x), params, spec, seed, options["draws"])
    difference = (values["sampled"] - values["analytic"]).mean().item()
    rows: list[Row] = [(0, "mean_difference", difference)]
    for form in values:
        rows.append((0, f"value_variance/{form}", values[form].var().item()))
        for group in ("encoder", "posterior"):
            members = [g for name, g in gradients[form].items() if name.startswith(group)]
            variance = sum(g.var(dim=0).sum().item() for g in members)
            rows.append((0, f"gradient_variance/{group}/{form}", variance))
    return Findings(rows, {})


def _draws(
    program: Program, params: Params, spec: Mapping[str, Any], seed: int, draws: int
) -> tuple[Tensor, dict[str, Tensor]]:
    """The minibatch mean of the value, [draws], and its gradients by parameter, [draws, …]."""
    specs = {name: site.law.noise() for name, site in describe(program, params).items()}
    axes = (spec["paper"], spec["experiment"], seed, "draws")
    noise = draw_block(specs, axes, draws, dtype=torch.float64)

    def mean(params: Params, one: Any) -> Tensor:
        return run(program, params, follow(one)).value.mean()

    gradient, value = torch.vmap(torch.func.grad_and_value(mean), in_dims=(None, 0))(dict(params), noise)
    return value, gradient
