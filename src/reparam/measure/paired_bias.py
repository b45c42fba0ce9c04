"""Whether estimators have the mean of a reference: a paired t-statistic on common noise."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from reparam.estimators import chosen
from reparam.measure.base import Context, Measured, groups, register
from reparam.measure.gradient_moments import held
from reparam.measure.moments import begin
from reparam.measure.rows import minibatch


@register("paired_bias", required=("estimators", "reference", "draws"))
def paired_bias(context: Context, options: Mapping[str, Any]) -> Measured:
    """|t| of the difference between each estimator's gradient and a reference's, averaged over a group's entries, on
    one fixed minibatch at fixed parameters (Tucker et al. 2019, code).

    Options: `estimators` ({label: options}), `reference` ({name, …options}) and `draws` of the noise that all share.
    Metrics: paired_t/<label>/<group>. Entries of either sign may cancel: a large number is evidence of a bias, a small
    one none of its absence.
    """
    draws, by_group = int(options["draws"]), groups(context.params)
    program = context.task.program(minibatch(context))

    def means(estimator: Any) -> Tensor:
        """The average entry of every draw's gradient, by group: [draws, groups]."""
        sampler = begin(
            estimator, program, context.params, context.axes, **held(context, estimator), factorised=False
        )
        found = []
        with torch.no_grad():
            for noise in sampler.noise.chunks("draws", draws, sampler.size):
                gradients = sampler.subject.many(noise)
                columns = [
                    torch.cat([gradients[name].flatten(1) for name in names], 1).double().mean(1)
                    for names in by_group.values()
                ]
                found.append(torch.stack(columns, 1))
        return torch.cat(found)

    reference = {key: value for key, value in options["reference"].items() if key != "name"}
    (truth,) = (means(made) for made in chosen({options["reference"]["name"]: reference}).values())
    metrics: dict[str, float] = {}
    for label, estimator in chosen(options["estimators"]).items():
        off = means(estimator) - truth
        mean = off.mean(0)
        t = torch.where(mean == 0, 0.0, mean / (off.std(0) / draws**0.5))
        metrics |= {
            f"paired_t/{label}/{group}": entry.abs().item() for group, entry in zip(by_group, t, strict=True)
        }
    return Measured(metrics, {})
