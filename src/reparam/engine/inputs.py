"""What users hand in, checked before anything is computed with it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import keystr, tree_flatten_with_path

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


def check_given(what: str, given: Any, begun: Any) -> None:
    """ReparamError, naming the entries, unless the tunables or memory `given` have the names and shapes of those that
    the estimator begins with."""
    found, wanted = _leaves(given), {path: leaf.shape for path, leaf in _leaves(begun).items()}
    wrong = [f"{what}{name} is missing" for name in wanted if name not in found]
    wrong += [f"{what}{name} is unknown" for name in found if name not in wanted]
    wrong += [
        f"{what}{name} must be a tensor of shape {tuple(wanted[name])}, got {_kind(found[name])}"
        for name in wanted
        if name in found and getattr(found[name], "shape", None) != wanted[name]
    ]
    if wrong:
        raise ReparamError(
            f"{what} of another estimator or program: {', '.join(wrong)}; "
            "init_estimator(program, params, estimator) gives what it begins with"
        )


def _leaves(tree: Any) -> dict[str, Any]:
    """The leaves of nested dicts by their path."""
    return {keystr(path): leaf for path, leaf in tree_flatten_with_path(tree)[0]}


def check_noise(noise: Noise, specs: NoiseSpecs) -> None:
    """ReparamError, naming site and role, unless the noise of one estimate has every wanted shape."""
    for site, roles in specs.items():
        for role, spec in roles.items():
            wanted = spec.shape if spec.copies is None else (spec.copies, *spec.shape)
            given = noise[site].get(role) if isinstance(noise.get(site), Mapping) else None
            if not isinstance(given, Tensor) or tuple(given.shape) != wanted:
                found = "none" if given is None else _kind(given)
                raise ReparamError(
                    f"noise: sample site {site!r} needs a {role!r} of shape {wanted}, got {found}; "
                    "draw_noise(program, params, estimator, …) gives the noise of one estimate"
                )


def _kind(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"one of shape {tuple(value.shape)}"
    return value.__name__ if isinstance(value, type) else type(value).__name__
