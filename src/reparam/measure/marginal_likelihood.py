"""The marginal likelihood of a latent-variable model along its training."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor

from reparam.errors import ReparamError
from reparam.measure import likelihood
from reparam.measure.base import Context, Measured, register
from reparam.measure.rows import rows
from reparam.noise import generator
from reparam.tasks import latent_variable

ELEMENTS = 2**23
"""Pixels decoded at a time by the importance-weighted estimate: bounds the memory at any K."""


@register(
    "likelihood",
    required=("points", "methods"),
    optional=("samples", "proposal", "posterior_samples", "leapfrogs", "warmup", "candidates"),
)
def marginal_likelihood(context: Context, options: Mapping[str, Any]) -> Measured:
    """log p(x) in nats per datum on the first `points` rows of each split.

    Options:
    - `methods`: `iw`, the importance-weighted bound with `samples` draws (Burda et al. 2016), and `hmc`,
      the estimator of Kingma & Welling 2014, App. D, for codes of at most 3 dimensions;
    - `proposal` of the importance weights: `encoder`, or `hmc` (a Gaussian fitted to posterior samples,
      for models without an encoder);
    - `posterior_samples` per datum, with `leapfrogs` steps each after `warmup` transitions.

    Metrics: log_likelihood_iw/<split> and effective_samples/<split> (of the weights), log_likelihood_hmc/
    <split> and hmc_acceptance/<split>. Raises ReparamError for `hmc` on more than 3 dimensions.
    """
    task = latent_variable(context.task, "likelihood")
    methods, by_hmc = options["methods"], options.get("proposal", "encoder") == "hmc"
    splits = {split: rows(context, split, options["points"]) for split in ("train", "test")}
    x = torch.cat(list(splits.values()))
    source = generator(*context.axes, device=context.device)
    log_joint = partial(task.log_joint, context.params, x)
    encoder = task.encode(context.params, x)
    proposal: likelihood.Proposal = encoder
    readings: dict[str, Tensor] = {}
    if "hmc" in methods or by_hmc:
        z, readings["hmc_acceptance"] = _posterior(log_joint, encoder.loc, options, source)
        half = len(z) // 2
        if by_hmc:
            proposal = likelihood.FittedGaussian.fit(z, likelihood.INFLATION)
        if "hmc" in methods:
            readings["log_likelihood_hmc"] = likelihood.harmonic(log_joint, z[:half], z[half:])
    if "iw" in methods:
        chunk = max(1, ELEMENTS // x.numel())
        found = likelihood.importance_weighted(log_joint, proposal, options["samples"], source, chunk)
        readings["log_likelihood_iw"], readings["effective_samples"] = found
    metrics = {}
    for name, reading in readings.items():
        for split, part in zip(splits, reading.split([len(own) for own in splits.values()]), strict=True):
            metrics[f"{name}/{split}"] = part.double().mean().item()
    return Measured(metrics, {})


def _posterior(
    log_joint: likelihood.LogJoint, like: Tensor, options: Mapping[str, Any], source: Any
) -> likelihood.PosteriorSamples:
    """Twice `posterior_samples` draws per datum: one set to fit a density, a fresh one to average over."""
    if "hmc" in options["methods"] and like.shape[-1] > 3:
        raise ReparamError(
            f"likelihood: method hmc is for codes of at most 3 dimensions, not {like.shape[-1]}; use iw"
        )
    start = likelihood.best_of_prior(log_joint, like, int(options["candidates"]), source)
    return likelihood.posterior_samples(
        log_joint,
        start,
        2 * int(options["posterior_samples"]),
        int(options["warmup"]),
        int(options["leapfrogs"]),
        source,
    )
