"""Running means and deviations of learning signals: those of earlier estimates, by site."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from reparam.estimators.base import Sites


def nothing_yet(sites: Sites) -> dict[str, Any]:
    """The memory before the first estimate: means and variances of 0, by site."""
    zeros = {name: site.law.log_prob(site.z).new_zeros(()) for name, site in sites.items()}
    weight = next(iter(zeros.values())).clone()
    return {"mean": zeros, "variance": dict(zeros), "weight": weight}


def deviation(name: str, memory: Any) -> Tensor:
    """max(1, s) for the running standard deviation s of the site's signals, as ()."""
    scale: Tensor = memory["variance"][name].sqrt().clamp(min=1.0)
    return scale


def remember(residuals: Mapping[str, Tensor], memory: Any, decay: float) -> dict[str, Any]:
    """The memory after these residuals: each estimate's mean and variance, weighed by decay^age.

    The variance counts the movement of the mean, too, and so is defined for a single datum.
    """
    old = decay * memory["weight"]
    weight = old + 1
    kept = old / weight  # not 1 − the new share: rounding must not make a variance negative
    means, variances = {}, {}
    for name, residual in residuals.items():
        mean, moved = memory["mean"][name], residual.mean() - memory["mean"][name]
        means[name] = mean + (1 - kept) * moved
        between = memory["variance"][name] + (1 - kept) * moved.square()
        variances[name] = kept * between + (1 - kept) * residual.var(correction=0)
    return {"mean": means, "variance": variances, "weight": weight}
