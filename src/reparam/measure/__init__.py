"""Measurements: what is read off a model at fixed parameters, found by name."""

from reparam.measure.base import Context, Measured, check_options, get, names, register

__all__ = ["Context", "Measured", "check_options", "get", "names", "register"]
