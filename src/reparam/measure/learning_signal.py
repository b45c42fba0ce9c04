"""How large the learning signals are that a training weighs its scores with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from reparam.engine.gradient import Runner
from reparam.engine.learners.gradient import GradientLearner
from reparam.errors import ReparamError
from reparam.measure.base import Context, Measured, register
from reparam.measure.rows import rows
from reparam.noise import draw_block
from reparam.program import describe


@register("learning_signal", optional=("points",))
def learning_signal(context: Context, options: Mapping[str, Any]) -> Measured:
    """The root mean square of what multiplies ∇ log q of a site, after all baselines and before any normalising.

    Of one estimate on the first `points` training rows (null: all), with the tunables and averages of the training,
    over its samples and data, in nats. Metrics: signal_rms/<site>, and signal_rms over all sites; none for an estimator
    that weighs no scores with a signal.

    Raises ReparamError when the cell's method is no gradient estimator.
    """
    learner, state = context.learner, context.state
    if not isinstance(learner, GradientLearner):
        raise ReparamError("learning_signal needs a gradient estimator as the cell's method")
    program = learner.program(rows(context, "train", options.get("points")))
    specs = learner.estimator.noise(describe(program, context.params))
    block = draw_block(specs, context.axes, 1, context.device)
    noise = {site: {role: draw[0] for role, draw in roles.items()} for site, roles in block.items()}
    terms = learner.estimator.estimate(
        Runner(program), context.params, noise, state["tunables"], state["memory"]
    )
    if terms.learning_signals is None:
        return Measured({}, {})
    squares = {name: signal.double().square() for name, signal in terms.learning_signals.items()}
    metrics = {f"signal_rms/{name}": square.mean().sqrt().item() for name, square in squares.items()}
    whole = torch.cat([square.flatten() for square in squares.values()]).mean().sqrt().item()
    return Measured({**metrics, "signal_rms": whole}, {})
