"""What a model draws: samples, and the manifold of a two-dimensional code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from reparam.measure.base import Context, Measured, register
from reparam.noise import draw, generator
from reparam.tasks import latent_variable


@register("pictures", required=("samples",), optional=("grid",))
def pictures(context: Context, options: Mapping[str, Any]) -> Measured:
    """Mean images of the decoder, as float32 arrays [count, h, w] in [0, 1].

    `samples` codes from N(0, I) give the array "samples" (Kingma & Welling 2014, Fig 5). With `grid` = G and
    a two-dimensional code, the array "manifold" holds the G² images of an even grid on the unit square, sent
    through the inverse Gaussian CDF (Fig 4), row by row.
    """
    task = latent_variable(context.task, "pictures")
    like = task.encode(context.params, task.test[:1].to(context.device)).loc
    source = generator(*context.axes, device=context.device)
    codes = {"samples": draw("normal", (int(options["samples"]), like.shape[-1]), source)}
    if options.get("grid") and like.shape[-1] == 2:
        codes["manifold"] = inverse_cdf_grid(int(options["grid"])).to(like)
    height, width = task.shape

    def images(z: Tensor) -> np.ndarray:
        mean = task.decode(context.params, z).mean
        return mean.reshape(-1, height, width).float().cpu().numpy()

    return Measured({}, {name: images(z) for name, z in codes.items()})


def inverse_cdf_grid(side: int) -> Tensor:
    """Φ⁻¹ of the midpoints of a side × side grid on the unit square: codes [side², 2]."""
    quantiles = torch.special.ndtri((torch.arange(side, dtype=torch.float64) + 0.5) / side)
    return torch.cartesian_prod(quantiles, quantiles)
