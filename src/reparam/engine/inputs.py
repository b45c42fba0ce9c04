"""What users hand in, checked before anything is computed with it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from reparam import estimators
from reparam.errors import ReparamError
from reparam.estimators import Estimator
from reparam.noise import Noise, NoiseSpecs


def as_estimator(estimator: str | Estimator) -> Estimator:
    """The estimator itself, or the one of this name with its default options.

    Raises ReparamError for an unknown name (with the nearest known one) and for anything else.
    """
    if isinstance(estimator, str):
        return estimators.make(estimator)
    if isinstance(estimator, type) and issubclass(estimator, Estimator):
        raise ReparamError(
            f"estimator is the class {estimator.__name__}: give an object, {estimator.__name__}()"
        )
    if not isinstance(estimator, Estimator):
        raise ReparamError(
            f"estimator must be a name or an estimator, such as 'disarm' or Disarm(), got {_kind(estimator)}"
        )
    return estimator


def as_params(params: Any) -> dict[str, Tensor]:
    """The parameters without their autograd history: a flat dict of floating-point tensors on one device.

    Raises ReparamError, naming the entry, for anything else.
    """
    if not isinstance(params, Mapping):
        raise ReparamError(
            f"params must be a flat dict of tensors, got {_kind(params)}; "
            "of a module give dict(module.named_parameters())"
        )
    if not params:
        raise ReparamError("params is empty: give the tensors to differentiate with respect to")
    for name, entry in params.items():
        if not isinstance(name, str):
            raise ReparamError(f"params: names are strings, got {name!r}")
        if isinstance(entry, Mapping):
            raise ReparamError(
                f"params[{name!r}] is a mapping: give one flat dict, with names such as '{name}.weight'"
            )
        if not isinstance(entry, Tensor):
            raise ReparamError(f"params[{name!r}] must be a tensor, got {_kind(entry)}: give torch.tensor(…)")
        if not entry.is_floating_point():
            raise ReparamError(
                f"params[{name!r}] must be of a floating-point type, got {entry.dtype}: give .float()"
            )
    if not any(entry.numel() for entry in params.values()):
        shapes = ", ".join(f"{name!r} of shape {tuple(entry.shape)}" for name, entry in params.items())
        raise ReparamError(f"params hold no number to differentiate with respect to: {shapes}")
    devices = {str(entry.device) for entry in params.values()}
    if len(devices) > 1:
        raise ReparamError(f"params lie on several devices ({', '.join(sorted(devices))}): move them to one")
    return {name: entry.detach() for name, entry in params.items()}


def common_dtype(params: Mapping[str, Tensor]) -> torch.dtype:
    """The floating-point type that holds every parameter: that of their noise."""
    return reduce(torch.promote_types, (entry.dtype for entry in params.values()))


def check_count(name: str, value: Any, least: int) -> None:
    """ReparamError unless the argument `name` is an integer of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ReparamError(f"{name} must be an integer ≥ {least}, got {value!r}")


def check_noise(noise: Noise, specs: NoiseSpecs) -> None:
    """ReparamError, naming site and role, unless the noise of one estimate has every wanted shape."""
    for site, roles in specs.items():
        for role, spec in roles.items():
            wanted = spec.shape if spec.copies is None else (spec.copies, *spec.shape)
            given = noise.get(site, {}).get(role)
            if given is None or tuple(given.shape) != wanted:
                found = "none" if given is None else f"one of shape {tuple(given.shape)}"
                raise ReparamError(
                    f"noise: sample site {site!r} needs a {role!r} of shape {wanted}, got {found}; "
                    "draw_noise(program, params, estimator, …) gives the noise of one estimate"
                )


def _kind(value: Any) -> str:
    return value.__name__ if isinstance(value, type) else type(value).__name__
