"""The linear-Gaussian toy: signal-to-noise ratios against K and M, their leading terms, and the optimum."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from reparam import estimators
from reparam.cells.procedures import Findings, Row, procedure
from reparam.distributions import Normal
from reparam.engine.gradient import estimate_gradient
from reparam.measure import signal_to_noise
from reparam.models import linear_gaussian
from reparam.noise import draw_block, generator
from reparam.program import describe

PARAMETERS = {"guide": "guide.bias", "prior": "prior.mean"}


@procedure("signal_to_noise")
def sweep(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """SNR of the gradients for b (`guide`) and μ (`prior`) of the bound's sum over `batch` data, near the optimum.

    One row per pair of `samples` (K) and `groups` (M). snr/…: |mean| / sd, averaged over the entries, the mean that
    of `dreg`, which has the same expectation and less variance; snr_naive/…: with the estimate's own mean. Means are of
    `draws` draws, or more, so that K M times their number is at least `numbers`. leading/…: the leading terms of
    Theorem 1; elbo/…: the exact ratio at K = 1. In the last row slope_samples/… or slope_groups/… of ln snr, over
    K ≥ `fit_from` or all M, and snr_to_leading/….
    """
    options = spec["evaluation"]
    x, params = toy(spec, seed)
    x = x[: options["batch"]]
    weight = params["guide.weight"]
    program = linear_gaussian.log_weight(x, weight)
    copies = linear_gaussian.per_datum(params, len(x))
    pairs = [(k, m) for k in options["samples"] for m in options["groups"]]
    rows: list[Row] = []
    ratios: dict[str, list[float]] = {name: [] for name in PARAMETERS}
    leading: dict[str, float] = {}
    for step, (k, m) in enumerate(pairs):
        rows += [(step, "samples", k), (step, "groups", m)]
        axes = (spec["paper"], spec["experiment"], seed, k, m)
        draws = max(options["draws"], options["numbers"] // (k * m))

        chosen = estimators.make(
            spec["method"]["name"], {**spec["method"]["options"], "samples": k, "groups": m}
        )
        exact = estimators.make("dreg", {"samples": k, "groups": m})
        own, reference = (
            signal_to_noise.estimates(each, program, copies, draws, axes) for each in (chosen, exact)
        )
        leading = leading_terms(x, params, k, m)
        for name, key in PARAMETERS.items():
            found = signal_to_noise.sum_over_data(own.gradient[key])
            signal = signal_to_noise.sum_over_data(reference.gradient[key]).mean
            ratios[name].append(signal_to_noise.ratio(signal, found))
            rows.append((step, f"snr/{name}", ratios[name][-1]))
            rows.append((step, f"snr_naive/{name}", signal_to_noise.ratio(found.mean, found)))
            if leading[name] > 0:  # far from the optimum they underflow: one sample has all the weight
                rows.append((step, f"leading/{name}", leading[name]))
        if k == m == 1:
            rows += [(step, f"elbo/{name}", value) for name, value in elbo_ratios(x, params).items()]
    last = len(pairs) - 1
    for name, curve in ratios.items():
        if leading[name] > 0:
            rows.append((last, f"snr_to_leading/{name}", curve[-1] / leading[name]))
        for axis, counts, least in (
            ("samples", options["samples"], options["fit_from"]),
            ("groups", options["groups"], 1),
        ):
            if len(counts) > 1:
                rows.append((last, f"slope_{axis}/{name}", signal_to_noise.rate(counts, curve, least)))
    return Findings(rows, {})


def toy(spec: Mapping[str, Any], seed: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Data [N, D], and the best parameters with normal noise of standard deviation `perturbation` on all entries."""
    options = spec["evaluation"]
    source = generator(spec["paper"], "toy", seed)
    x = linear_gaussian.data(options["data"], options["dimension"], source)
    return x, linear_gaussian.perturbed(linear_gaussian.best(x), options["perturbation"], source)


def leading_terms(x: Tensor, params: Mapping[str, Tensor], samples: int, groups: int) -> dict[str, float]:
    """The SNRs to leading order in 1/K (Theorem 1, for a sum over data), by closed forms of the weights' moments.

    Per datum and dimension p(z | x) = N(m, 1/2), q = N(a, v), r = p/q, D = m − a: E_q r² = √(2 v / P) exp(c D²) with
    P = 2 − 1/(2v), c = 1/(2v) + 1/(4v² P), and under r² q the code is N(m + D/(2vP), 1/(2P)).
    """
    v = linear_gaussian.GUIDE_VARIANCE
    p = 2 - 1 / (2 * v)
    c = 1 / (2 * v) + 1 / (4 * v * v * p)
    x, params = x.double(), {name: entry.double() for name, entry in params.items()}
    posterior = (x + params["prior.mean"]) / 2
    gap = posterior - (x @ params["guide.weight"].T + params["guide.bias"])
    squared_weight = (math.sqrt(2 * v / p) * (c * gap.square()).exp()).prod(-1, keepdim=True)
    about_posterior = (gap / (2 * v * p)).square() + 1 / (2 * p)
    signal = {"guide": squared_weight * c * gap / samples, "prior": posterior - params["prior.mean"]}
    noise = {
        "guide": 4 * squared_weight * about_posterior / samples,
        "prior": squared_weight * about_posterior / samples,
    }
    return {
        name: math.sqrt(groups) * (signal[name].sum(0).abs() / noise[name].sum(0).sqrt()).mean().item()
        for name in PARAMETERS
    }


def elbo_ratios(x: Tensor, params: Mapping[str, Tensor]) -> dict[str, float]:
    """The exact SNRs of one sample: the gradients are 2 (m − z) for b and z − μ for μ, with z ~ N(a, v I)."""
    x, params = x.double(), {name: entry.double() for name, entry in params.items()}
    guide = x @ params["guide.weight"].T + params["guide.bias"]
    posterior = (x + params["prior.mean"]) / 2
    deviation = math.sqrt(len(x) * linear_gaussian.GUIDE_VARIANCE)
    signals = {"guide": 2 * (posterior - guide), "prior": guide - params["prior.mean"]}
    sizes = {"guide": 2 * deviation, "prior": deviation}
    return {name: (signals[name].sum(0).abs() / sizes[name]).mean().item() for name in PARAMETERS}


@procedure("optimum")
def optimum(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """The largest entry of the exact gradients, per datum, at the stated optimum: gradient/likelihood, of log p(x) in
    μ, and gradient/guide, of KL(q ‖ posterior) in A and b; gradient/elsewhere is the smaller of the two a
    `perturbation` away."""
    x, moved = toy(spec, seed)
    x, moved = x.double(), {name: entry.double() for name, entry in moved.items()}

    def largest(params: dict[str, Tensor]) -> tuple[float, float]:
        params = {name: entry.clone().requires_grad_() for name, entry in params.items()}
        mean, weight, bias = params["prior.mean"], params["guide.weight"], params["guide.bias"]
        (likelihood,) = torch.autograd.grad(linear_gaussian.log_evidence(x, mean).mean(), [mean])
        guide = Normal(x @ weight.T + bias, torch.full_like(x, linear_gaussian.GUIDE_VARIANCE**0.5))
        posterior = Normal((x + mean.detach()) / 2, torch.full_like(x, 0.5**0.5))
        slopes = torch.autograd.grad(guide.kl(posterior).mean(), [weight, bias])
        return likelihood.abs().max().item(), max(slope.abs().max().item() for slope in slopes)

    likelihood, guide = largest(linear_gaussian.best(x))
    return Findings(
        [
            (0, "gradient/likelihood", likelihood),
            (0, "gradient/guide", guide),
            (0, "gradient/elsewhere", min(largest(moved))),
        ],
        {},
    )


@procedure("definitions")
def definitions(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """Estimates against the definitions written out, on the same noise, in doubles, for every `samples` (K) and
    `groups` (M): error/…, the largest difference over all draws, divided by the largest entry of the gradient."""
    options = spec["evaluation"]
    x, params = toy(spec, seed)
    x, params = x.double(), {name: entry.double() for name, entry in params.items()}
    program = linear_gaussian.log_weight(x)
    guide = x @ params["guide.weight"].T + params["guide.bias"]
    variance = linear_gaussian.GUIDE_VARIANCE
    errors = dict.fromkeys(PARAMETERS, 0.0)
    for k, m in ((k, m) for k in options["samples"] for m in options["groups"]):
        given = {**spec["method"]["options"], "samples": k, "groups": m}
        chosen = estimators.make(spec["method"]["name"], given)
        axes = (spec["paper"], spec["experiment"], seed, k, m)
        specs = chosen.noise(describe(program, params))
        for noise in draw_block(specs, axes, options["draws"], dtype=torch.float64)["z"]["normal"]:
            found = estimate_gradient(chosen, program, params, {"z": {"normal": noise}}).gradient
            z = guide + variance**0.5 * noise  # [K M, N, D]
            log_p = -((z - params["prior.mean"]).square() + (x - z).square()) / 2
            log_w = (log_p + (z - guide).square() / (2 * variance)).sum(-1)
            guide_weights, model_weights = (
                entry.reshape(k * m, -1, 1)
                for entry in shares(spec["method"]["name"], log_w.reshape(k, m, -1), given.get("beta", 0.5))
            )
            by_hand = {  # of log w = log p(z) + log p(x|z) − log q(z) at z = b + …, in which log q does not move with b
                "guide": (guide_weights * ((params["prior.mean"] - z) + (x - z))).sum((0, 1)),
                "prior": (model_weights * (z - params["prior.mean"])).sum((0, 1)),
            }
            for name, key in PARAMETERS.items():
                error = (found[key] - by_hand[name]).abs().max() / by_hand[name].abs().max()
                errors[name] = max(errors[name], error.item())
    return Findings([(0, f"error/{name}", error) for name, error in errors.items()], {})


def shares(name: str, log_w: Tensor, beta: float) -> tuple[Tensor, Tensor]:
    """What the samples' gradients are weighed by, from log w [K, M, N]: of the inference network, and of the model."""
    k, m, _ = log_w.shape
    w = log_w.exp()
    miwae = w / w.sum(0) / m
    if name == "ciwae":
        both = beta / (k * m) + (1 - beta) * miwae
        return both, both
    return miwae, w / w.sum((0, 1)) if name == "piwae" else miwae
