"""Small programs whose exact gradients are known: the ground that every estimator is tested on."""

from reparam.measure.problems import continuous, discrete, log_weights, mixed
from reparam.measure.problems.problem import Problem

PROBLEMS = discrete.PROBLEMS | continuous.PROBLEMS | mixed.PROBLEMS | log_weights.PROBLEMS

__all__ = ["PROBLEMS", "Problem"]
