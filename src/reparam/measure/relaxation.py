"""The control variate of REBAR and RELAX as a curve, with what has been learned of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from reparam.engine.gradient import Runner
from reparam.engine.learners.gradient import GradientLearner
from reparam.errors import ReparamError
from reparam.estimators.rebar import Rebar
from reparam.measure.base import Context, Measured, register

REACH = 6.0
"""The perturbed logits of the curve run from −REACH to REACH: all but 0.5 % of a standard logistic variable."""


@register("relaxation", required=("points",))
def relaxation(context: Context, options: Mapping[str, Any]) -> Measured:
    """η c(soften(g, τ)) of a single bit at `points` values of its perturbed logit g, for `rebar` and `relax`.

    Arrays relaxation_g [P] and relaxation_c [P]; metrics eta and temperature (Grathwohl et al. 2018, Fig 3).

    Raises ReparamError for another estimator, for η by tensor, and for a program that is not one bit of one datum.
    """
    learner, state = context.learner, context.state
    estimator = learner.estimator if isinstance(learner, GradientLearner) else None
    if not isinstance(estimator, Rebar) or estimator.tuned == "tensor":
        raise ReparamError("relaxation draws the control variate of rebar or relax with one η a site")
    program = context.task.program(context.task.train[:1])
    trace = Runner(program)(
        context.params, lambda name, law: law.path({"uniform": law.logits.new_full(law.shape, 0.5)})
    )
    (name, site), *others = trace.latent.items()
    if others or site.z.numel() != 1:
        raise ReparamError("relaxation draws one bit's control variate, and the program has more")
    tunables = state["tunables"]
    temperature, eta = estimator.temperature_at(name, tunables), estimator.eta_at(name, tunables)
    g = torch.linspace(-REACH, REACH, int(options["points"]), device=context.device)
    variate = estimator.variate(name, Runner(program), trace, context.params, {}, tunables)
    law = site.law
    c = torch.stack(
        [variate(estimator.relax(law, at.expand(law.shape), law.logits, temperature)).sum() for at in g]
    )
    metrics = {"temperature": float(temperature), "eta": float(eta)}
    arrays = {"relaxation_g": g.cpu().numpy(), "relaxation_c": (float(eta) * c).cpu().numpy()}
    return Measured(metrics, arrays)
