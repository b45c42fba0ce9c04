"""How the weights of a random network are spread, and how sure it is of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy.ndimage import gaussian_filter1d

from reparam.measure.base import Context, Measured, register
from reparam.measure.pruning import deviation, network_of, signal_to_noise
from reparam.noise import draw, generator

BINS = 100
WIDEST = 0.5
"""Weights are counted between −WIDEST and WIDEST; what is beyond is part of the density's total."""


@register("weights")
def weights(context: Context, options: Mapping[str, Any]) -> Measured:
    """The weights of all layers, biases aside, under one sample of them, and their signal-to-noise ratios.

    Metrics: weights/deviation (standard deviation over all weights), weights/peak (the density's largest value) and,
    where weights have noise of their own, of 10 log₁₀ |μ|/σ (dB; Blundell et al. 2015, Fig 4) snr/median,
    snr/upper_quartile, and snr/valley and snr/below_valley, the `deepest_valley` of its density. Arrays:
    weights/density and snr/density, of BINS equal bins, and weights/edges and snr/edges.
    """
    network, params = network_of(context, "weights"), context.params
    drawn = []
    for i in network.layers:
        mean, spread = params[f"mean.{i}.weight"], deviation(network, params, i)
        if spread is not None:
            source = generator(*context.axes, i, device=mean.device)
            mean = mean + spread * draw("normal", tuple(mean.shape), source)
        drawn.append(mean.flatten())
    w = torch.cat(drawn).double().cpu().numpy()
    arrays = _histogram("weights", w, np.linspace(-WIDEST, WIDEST, BINS + 1))
    metrics = {"weights/deviation": float(w.std()), "weights/peak": float(arrays["weights/density"].max())}
    if network.independent:
        ratio = torch.cat([entry.flatten() for entry in signal_to_noise(network, params)]).double()
        decibel = (10 * ratio.clamp_min(1e-30).log10()).cpu().numpy()
        least, most = np.quantile(decibel, (0.001, 0.999))
        edges = np.linspace(least - 0.5, most + 0.5, BINS + 1)
        arrays |= _histogram("snr", decibel, edges)
        metrics["snr/valley"], metrics["snr/below_valley"] = deepest_valley(arrays["snr/density"])
        metrics["snr/median"], metrics["snr/upper_quartile"] = map(float, np.quantile(decibel, (0.5, 0.75)))
    return Measured(metrics, arrays)


def deepest_valley(density: np.ndarray) -> tuple[float, float]:
    """How far a density of equal bins, smoothed over two of them, sinks between two of its modes, as a share of the
    highest one (0 where there is one mode only), and the share of the total below the valley's bin."""
    smooth = gaussian_filter1d(density, 2.0)
    left, right = np.maximum.accumulate(smooth), np.maximum.accumulate(smooth[::-1])[::-1]
    depth = (np.minimum(left, right) - smooth) / smooth.max()
    at = int(depth.argmax())
    return float(depth[at]), float(density[:at].sum() / density.sum())


def _histogram(name: str, values: np.ndarray, edges: np.ndarray) -> dict[str, np.ndarray]:
    counts, _ = np.histogram(values, edges)
    return {f"{name}/density": counts / (len(values) * np.diff(edges)), f"{name}/edges": edges}
