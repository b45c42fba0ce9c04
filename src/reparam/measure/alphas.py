"""How much relative noise a network has learned to bear."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reparam.errors import ReparamError
from reparam.measure.base import Context, Measured, register
from reparam.measure.pruning import network_of


@register("alphas")
def alphas(context: Context, options: Mapping[str, Any]) -> Measured:
    """Relative variances α of inputs or weights (Kingma et al. 2015, §3): alpha/<layer>, their mean in a layer, and
    alpha/largest.

    Raises ReparamError for a network without them.
    """
    network = network_of(context, "alphas")
    if network.posterior not in ("gaussian_dropout", "relative"):
        raise ReparamError(f"alphas needs relative noise, and the posterior {network.posterior} has none")
    found = {i: network.alpha(context.params, i).double() for i in network.layers}
    metrics = {f"alpha/{i}": alpha.mean().item() for i, alpha in found.items()}
    return Measured(metrics | {"alpha/largest": max(alpha.max().item() for alpha in found.values())}, {})
