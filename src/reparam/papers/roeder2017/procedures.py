"""What an estimate still varies by as q approaches the posterior."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reparam import estimators
from reparam.cells.procedures import Findings, Row, procedure
from reparam.distributions import Categorical, MixtureSameFamily, Normal, standard_normal
from reparam.engine.gradient import estimate_gradient, prepare
from reparam.measure.moments import begin
from reparam.noise import draw, draw_block, generator
from reparam.oracles.linear_gaussian import LinearGaussian
from reparam.program import Params, Program, Sample

NEAR = 0.1
"""Distances up to which the variance is taken to follow a power of t."""
Law = Callable[[Params], Any]
LogJoint = Callable[[Tensor], Tensor]


@procedure("landing")
def landing(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """The variance of the gradient of the ELBO, or of its K-sample bound, at distances t of q from the posterior.

    `evaluation`: `model` (`conjugate`: a linear-Gaussian one with a diagonal posterior; `mixture`: a target that is a
    mixture of two Gaussians, and q of its family), `distances` (0 last), `draws`. In double precision; q's parameters
    are the posterior's plus t times random numbers. Rows at step = index of t: distance, variance (the trace over all
    of q's parameters), score_variance (the same of ∇ log q, by as many draws), relative (their ratio), and for the
    conjugate model z, the largest distance in standard errors from the exact gradient of the ELBO (of K = 1; left out
    at t = 0, where both vanish). At step 0: slope, of ln variance against ln t over
    0 < t ≤ 0.1.
    """
    options = spec["evaluation"]
    source = generator(spec["paper"], spec["experiment"], seed, "problem")
    law, log_joint, posterior = {"conjugate": _conjugate, "mixture": _mixture}[options["model"]](source)
    offsets = {n: 0.3 * draw("normal", tuple(p.shape), source, torch.float64) for n, p in posterior.items()}
    estimator = estimators.make(spec["method"]["name"], spec["method"]["options"])
    distances, variances = list(options["distances"]), []
    rows: list[Row] = []
    for i, t in enumerate(distances):
        params = {name: entry + t * offsets[name] for name, entry in posterior.items()}
        axes = (spec["paper"], spec["experiment"], seed, "moments")
        found = begin(estimator, _elbo(law, log_joint), params, axes, factorised=False).take(options["draws"])
        score = begin(estimators.make("score_function", {}), _one(law), params, axes, factorised=False)
        trace = sum(entry.sum().item() for entry in found.variance.values())
        scale = sum(entry.sum().item() for entry in score.take(options["draws"]).variance.values())
        variances.append(trace)
        rows += [(i, "distance", float(t)), (i, "variance", trace), (i, "score_variance", scale)]
        rows.append((i, "relative", trace / scale))
        if options["model"] == "conjugate" and t > 0 and getattr(estimator, "samples", 1) == 1:
            exact = _gradient(law, params, posterior)
            z = [((found.mean[n] - g) / found.standard_error[n]).abs().max().item() for n, g in exact.items()]
            rows.append((i, "z", max(z)))
    near = [i for i, t in enumerate(distances) if 0 < t <= NEAR]
    x, y = (np.log([values[i] for i in near]) for values in (distances, variances))
    rows.append((0, "slope", float(np.polyfit(x, y, 1)[0])))
    return Findings(rows, {})


@procedure("definition")
def definition(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """Estimates for the conjugate model's bound of K = `samples` against Σ_k w̃_k ∂ log w_k/∂z ∂z/∂φ by hand, q's
    parameters stopped in log w_k, at `distance` from the posterior (see `landing`).

    Row error: the largest difference over all K and `draws`, over the gradient's largest entry.
    """
    options = spec["evaluation"]
    source = generator(spec["paper"], spec["experiment"], seed, "problem")
    law, log_joint, posterior = _conjugate(source)
    params = {
        n: p + options["distance"] * 0.3 * draw("normal", tuple(p.shape), source, torch.float64)
        for n, p in posterior.items()
    }
    program, q = _elbo(law, log_joint), law(params)
    mean, scale = params["q.mean"], params["q.log_scale"].exp()
    worst = 0.0
    for samples in options["samples"]:
        method = {**spec["method"]["options"], "samples": samples}
        estimator = estimators.make(spec["method"]["name"], method)
        sites, axes = prepare(estimator, program, params), (spec["paper"], spec["experiment"], seed, samples)
        block = draw_block(estimator.noise(sites), axes, options["draws"], dtype=torch.float64)
        for epsilon in block["z"]["normal"]:  # [K, 1, D]
            found = estimate_gradient(estimator, program, params, {"z": {"normal": epsilon}}).gradient
            z = mean + scale * epsilon
            share = (log_joint(z) - q.log_prob(z)).softmax(0).unsqueeze(-1)
            slope = torch.func.grad(lambda z: log_joint(z).sum())(z) + epsilon / scale
            by_hand = {
                "q.mean": (share * slope).sum((0, 1)),
                "q.log_scale": (share * slope * scale * epsilon).sum((0, 1)),
            }
            size = max(entry.abs().max().item() for entry in by_hand.values())
            off = max((found[n] - entry).abs().max().item() for n, entry in by_hand.items())
            worst = max(worst, off / size)
    return Findings([(0, "error", worst)], {})


def _elbo(law: Law, log_joint: LogJoint) -> Program:
    """log p(x, z) − log q(z) for a single datum: value [1]."""

    def program(params: Params, sample: Sample) -> Tensor:
        q = law(params)
        z = sample("z", q)
        return log_joint(z) - q.log_prob(z)

    return program


def _one(law: Law) -> Program:
    """The constant 1, whose score-function estimate is the score of q."""

    def program(params: Params, sample: Sample) -> Tensor:
        z = sample("z", law(params))
        return torch.ones_like(z[..., 0])

    return program


def _conjugate(source: torch.Generator) -> tuple[Law, LogJoint, dict[str, Tensor]]:
    """x = w z + noise, each code with a pixel of its own, so that the posterior is a diagonal Gaussian."""
    size = 10
    weight, x = (draw("normal", (size,), source, torch.float64) for _ in range(2))
    mean, covariance = LinearGaussian(np.diag(weight.numpy()), np.zeros(size), 1.0).posterior(x.numpy()[None])
    posterior = {
        "q.mean": torch.tensor(mean[0]),
        "q.log_scale": torch.tensor(0.5 * np.log(np.diag(covariance))),
    }

    def law(params: Params) -> Normal:
        return Normal(params["q.mean"][None], params["q.log_scale"].exp()[None])

    def log_joint(z: Tensor) -> Tensor:
        return standard_normal(z).log_prob(z) + Normal(weight * z, torch.ones_like(z)).log_prob(
            x.expand(z.shape)
        )

    return law, log_joint, posterior


def _mixture(source: torch.Generator) -> tuple[Law, LogJoint, dict[str, Tensor]]:
    """Two Gaussian components on a line."""
    posterior = {
        "q.logits": torch.tensor([0.4, -0.3], dtype=torch.float64),
        "q.mean": torch.tensor([-1.0, 1.5], dtype=torch.float64),
        "q.log_scale": torch.tensor([-0.2, 0.1], dtype=torch.float64),
    }

    def law(params: Params) -> MixtureSameFamily:
        parts = Normal(params["q.mean"][None, None], params["q.log_scale"].exp()[None, None], event_dims=0)
        return MixtureSameFamily(Categorical(logits=params["q.logits"][None, None]), parts, event_dims=1)

    target = law(posterior)
    return law, target.log_prob, posterior


def _gradient(law: Law, params: Params, posterior: Params) -> dict[str, Tensor]:
    """∇ −KL(q ‖ posterior), which is that of the ELBO."""
    target = law(posterior)
    return torch.func.grad(lambda p: -law(p).kl(target).sum())(dict(params))  # type: ignore[no-any-return]
