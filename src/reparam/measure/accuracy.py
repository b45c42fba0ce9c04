"""How often a classifier is right."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reparam.errors import ReparamError
from reparam.measure.base import Context, Measured, register
from reparam.measure.rows import rows


@register("accuracy", optional=("points", "splits"))
def accuracy(context: Context, options: Mapping[str, Any]) -> Measured:
    """The percentage of images whose most probable class under q(y|x) is their own.

    Options: `points` (the first rows of each split; null: all) and `splits` (default: test only). Metrics:
    accuracy/<split>, in per cent.

    Raises ReparamError for a task that has no `classify`, or no classes of a split.
    """
    task: Any = context.task
    metrics = {}
    for split in options.get("splits", ["test"]):
        labels = getattr(task, f"{split}_labels", None)
        if labels is None or not hasattr(task, "classify"):
            raise ReparamError(
                f"accuracy needs a task that classifies and has {split}_labels, such as semi_supervised_vae"
            )
        x = rows(context, split, options.get("points"))
        found = task.classify(context.params, x[:, : task.pixels]).logits.argmax(-1).cpu()
        metrics[f"accuracy/{split}"] = 100 * (found == labels[: len(x)].cpu()).double().mean().item()
    return Measured(metrics, {})
