"""The linear-Gaussian toy: signal, noise and bias of gradients of the importance-weighted bound."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reparam import estimators
from reparam.cells.procedures import Findings, Row, procedure
from reparam.engine.gradient import estimate_gradient
from reparam.estimators import Estimator
from reparam.estimators.card import parts
from reparam.measure import signal_to_noise
from reparam.models import linear_gaussian
from reparam.noise import draw_block, generator
from reparam.oracles import objectives
from reparam.program import describe

PARAMETERS = {"guide": "guide.bias", "prior": "prior.mean"}


def normalised(log_w: Tensor) -> Tensor:
    return log_w.exp() / log_w.exp().sum(0)


def jackknifed(log_w: Tensor, power: int) -> Tensor:
    """K w̃^power less (K − 1) times the mean over i of the same without sample i."""
    samples = len(log_w)
    total = samples * normalised(log_w) ** power
    for i in range(samples):
        others = [k for k in range(samples) if k != i]
        total[others] -= (samples - 1) / samples * normalised(log_w[others]) ** power
    return total


WEIGHTS = {
    "stl": lambda log_w, share: (normalised(log_w), normalised(log_w)),
    "dreg": lambda log_w, share: (normalised(log_w) ** 2, normalised(log_w)),
    "rws_dreg": lambda log_w, share: (
        share * normalised(log_w) + (1 - 2 * share) * normalised(log_w) ** 2,
        normalised(log_w),
    ),
    "jvi_dreg": lambda log_w, share: (jackknifed(log_w, 2), jackknifed(log_w, 1)),
}
"""By estimator, from log w [K, N]: what the paths' derivatives are weighed by, and what the model's (DR-2)."""


def made(spec: Mapping[str, Any], samples: int, name: str | None = None) -> Estimator:
    """The cell's estimator with this many samples, or another with its defaults."""
    options = {} if name else spec["method"]["options"]
    return estimators.make(name or spec["method"]["name"], {**options, "samples": samples})


def toy(spec: Mapping[str, Any], seed: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Data [N, D], and the best parameters with normal noise of standard deviation `perturbation` on all entries."""
    options = spec["evaluation"]
    source = generator(spec["paper"], spec["experiment"], seed, "toy")
    x = linear_gaussian.data(options["data"], options["dimension"], source)
    return x, linear_gaussian.perturbed(linear_gaussian.best(x), options["perturbation"], source)


@procedure("signal_to_noise")
def sweep(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """SNR and bias of the gradients for b (`guide`) and μ (`prior`) of the bound's sum over the data, by `samples`.

    One row per K. snr/…: |mean| / sd, averaged over the entries, the mean being DReG's where the estimator is unbiased
    and its own where it is not; bias/…: ‖mean − DReG's mean‖ / ‖DReG's mean‖, on the same noise. Means are of `draws`
    draws, or more, so that K times their number is at least `numbers`. In the last row slope/… of ln snr on ln K ≥
    ln `fit_from`.
    """
    options = spec["evaluation"]
    x, params = toy(spec, seed)
    program = linear_gaussian.log_weight(x, params["guide.weight"])
    copies = linear_gaussian.per_datum(params, len(x))
    rows: list[Row] = []
    ratios: dict[str, list[float]] = {name: [] for name in PARAMETERS}
    for step, k in enumerate(options["samples"]):
        rows.append((step, "samples", k))
        draws = max(options["draws"], options["numbers"] // k)
        axes = (spec["paper"], spec["experiment"], seed, k)
        chosen, exact = made(spec, k), made(spec, k, "dreg")
        own = signal_to_noise.estimates(chosen, program, copies, draws, axes)
        same = chosen == exact
        reference = own if same else signal_to_noise.estimates(exact, program, copies, draws, axes)
        for name, key in PARAMETERS.items():
            found = signal_to_noise.sum_over_data(own.gradient[key])
            truth = signal_to_noise.sum_over_data(reference.gradient[key]).mean
            signal = truth if chosen.card.unbiased else found.mean
            ratios[name].append(signal_to_noise.ratio(signal, found))
            rows.append((step, f"snr/{name}", ratios[name][-1]))
            rows.append((step, f"bias/{name}", ((found.mean - truth).norm() / truth.norm()).item()))
    last = len(options["samples"]) - 1
    for name, curve in ratios.items():
        slope = signal_to_noise.rate(options["samples"], curve, options["fit_from"])
        rows.append((last, f"slope/{name}", slope))
    return Findings(rows, {})


@procedure("exact_means")
def exact_means(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """The estimator's mean over Gauss–Hermite points of all its noise, on one datum of one dimension, in doubles.

    Rows by K = `samples`: mean/…, and bias/…, |mean − exact| / |exact| with the oracle's gradient of the estimator's
    own objective; in the last row bias_largest/… over K.
    """
    options = spec["evaluation"]
    x, params = toy({**spec, "evaluation": {**options, "data": 8, "dimension": 1}}, seed)
    x, params = x[:1].double(), {name: entry.double() for name, entry in params.items()}
    program = linear_gaussian.log_weight(x, params.pop("guide.weight"))
    points, weights = (torch.tensor(part) for part in np.polynomial.hermite_e.hermegauss(options["nodes"]))
    weights = weights / weights.sum()
    rows: list[Row] = []
    largest = dict.fromkeys(PARAMETERS, 0.0)
    for step, k in enumerate(options["samples"]):
        grid = torch.cartesian_prod(*(points,) * k).reshape(-1, k, 1, 1)
        mass = torch.cartesian_prod(*(weights,) * k).reshape(-1, k).prod(-1)
        chosen = made(spec, k)
        draws = torch.vmap(
            lambda e, of=chosen: estimate_gradient(of, program, params, {"z": {"normal": e}}).gradient
        )(grid)
        own = {name: torch.tensordot(mass, entry, 1) for name, entry in draws.items()}
        leaves = {name: entry.clone().requires_grad_() for name, entry in params.items()}
        objective = objectives.combination(program, leaves, parts(chosen), options["nodes"]).sum()
        exact = dict(zip(leaves, torch.autograd.grad(objective, list(leaves.values())), strict=True))
        rows.append((step, "samples", k))
        for name, key in PARAMETERS.items():
            bias = ((own[key] - exact[key]).abs() / exact[key].abs()).item()
            largest[name] = max(largest[name], bias)
            rows += [(step, f"mean/{name}", own[key].item()), (step, f"bias/{name}", bias)]
    rows += [(len(options["samples"]) - 1, f"bias_largest/{name}", bias) for name, bias in largest.items()]
    return Findings(rows, {})


@procedure("definitions")
def definitions(spec: Mapping[str, Any], seed: int, device: torch.device) -> Findings:
    """Estimates against their definitions written out, on the same noise, in doubles: error/…, the largest difference
    over all draws and K, divided by the largest entry of the gradient."""
    options = spec["evaluation"]
    x, params = toy(spec, seed)
    x, params = x.double(), {name: entry.double() for name, entry in params.items()}
    program = linear_gaussian.log_weight(x)
    guide = x @ params["guide.weight"].T + params["guide.bias"]
    variance = linear_gaussian.GUIDE_VARIANCE
    errors = dict.fromkeys(PARAMETERS, 0.0)
    for k in options["samples"]:
        chosen = made(spec, k)
        axes = (spec["paper"], spec["experiment"], seed, k)
        block = draw_block(
            chosen.noise(describe(program, params)), axes, options["draws"], dtype=torch.float64
        )
        for noise in block["z"]["normal"]:
            found = estimate_gradient(chosen, program, params, {"z": {"normal": noise}}).gradient
            z = guide + variance**0.5 * noise  # [K, N, D]
            log_p = -((z - params["prior.mean"]).square() + (x - z).square()) / 2
            log_w = (log_p + (z - guide).square() / (2 * variance)).sum(-1)
            guide_weights, model_weights = WEIGHTS[spec["method"]["name"]](
                log_w, spec["method"]["options"].get("share", 1.0)
            )
            slope = (params["prior.mean"] - z) + (x - z) + (z - guide) / variance
            by_hand = {
                "guide": (guide_weights.unsqueeze(-1) * slope).sum((0, 1)),
                "prior": (model_weights.unsqueeze(-1) * (z - params["prior.mean"])).sum((0, 1)),
            }
            for name, key in PARAMETERS.items():
                error = (found[key] - by_hand[name]).abs().max() / by_hand[name].abs().max()
                errors[name] = max(errors[name], error.item())
    return Findings([(0, f"error/{name}", error) for name, error in errors.items()], {})
