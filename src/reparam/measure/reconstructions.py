"""What a model of images makes of test data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from reparam.errors import ReparamError
from reparam.measure.base import Context, Measured, register
from reparam.measure.rows import rows
from reparam.noise import draw_block
from reparam.program import describe, follow, run


@register("reconstructions", required=("points",))
def reconstructions(context: Context, options: Mapping[str, Any]) -> Measured:
    """The first `points` test images and the model's mean images of them, through one hard draw of all sites.

    Arrays `data` and `reconstructions`, float32 [points, h, w] in [0, 1].

    Raises ReparamError for a task without `reconstruct`.
    """
    task: Any = context.task
    if not hasattr(task, "reconstruct"):
        raise ReparamError(
            "reconstructions needs a task with reconstruct, such as discrete_vae or structured_prediction"
        )
    x = rows(context, "test", options["points"])
    program = task.program(x)
    specs = {name: site.law.noise() for name, site in describe(program, context.params).items()}
    block = draw_block(specs, context.axes, 1, context.device)
    noise = {site: {role: value[0] for role, value in roles.items()} for site, roles in block.items()}
    sites = run(program, context.params, follow(noise)).latent
    made = task.reconstruct(context.params, x, {name: site.z for name, site in sites.items()})
    height, width = task.shape

    def images(pixels: Tensor) -> np.ndarray:
        return pixels[:, : height * width].reshape(-1, height, width).float().cpu().numpy()

    return Measured({}, {"data": images(x), "reconstructions": images(made)})
