"""The exact objective of tasks that know it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reparam.errors import ReparamError
from reparam.measure.base import Context, Measured, register


@register("expectation")
def expectation(context: Context, options: Mapping[str, Any]) -> Measured:
    """The task's exact mean value at the present parameters, in the value's unit. Metric: expectation.

    Raises ReparamError for a task that has no `expectation`.
    """
    if not hasattr(context.task, "expectation"):
        raise ReparamError("expectation needs a task that knows its exact mean value, such as bits")
    params = {name: entry.double() for name, entry in context.params.items()}
    return Measured({"expectation": context.task.expectation(params).item()}, {})
