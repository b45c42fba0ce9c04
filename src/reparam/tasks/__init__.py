"""Tasks: data, model and objective program, found by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor

from reparam import data
from reparam.errors import ReparamError
from reparam.program import Params, Program
from reparam.registry import Registry, nearest

Options = TypeVar("Options")


class Task(Protocol):
    """What the engine must know of a task. Values are in nats per datum."""

    sense: float
    """+1: the program's value is maximised; −1: it is minimised."""
    train: Tensor
    """Data [N, D]; a task without data has one datum without entries, [1, 0]."""
    test: Tensor
    log_weight: bool
    """Whether the value is log p(x, z) − log q(z|x) at the samples, so that bounds of several samples are its."""
    binarisation: str
    """`dynamic` asks the step to binarise each minibatch from uniform noise; else data come ready."""

    def init(self, generator: torch.Generator) -> dict[str, Tensor]:
        """The parameters before training, in groups by the part of their name before the first dot."""
        ...

    def program(self, x: Tensor) -> Program:
        """The objective's term of each datum of x [B, D], as a program with value [B]."""
        ...

    def log_prior(self, params: Params) -> Tensor:
        """log p(weights), shape (); the full objective is (N / B) Σ value + log_prior."""
        ...


@runtime_checkable
class LatentVariableTask(Task, Protocol):
    """A task whose model has one code per datum; MCEM and likelihoods ask for it."""

    shape: tuple[int, int]
    """Height and width of a datum seen as an image."""

    def encode(self, params: Params, x: Tensor) -> Any:
        """The law q(z|x): x [..., D] → a law over [..., K]."""
        ...

    def decode(self, params: Params, z: Tensor) -> Any:
        """The law p(x|z): z [..., K] → a law over [..., D]."""
        ...

    def prior(self, z_like: Tensor) -> Any:
        """The law p(z) in the shape of `z_like`."""
        ...

    def log_joint(self, params: Params, x: Tensor, z: Tensor) -> Tensor:
        """log p(x, z) in nats; x [..., D] and z [..., K] broadcast over their plates."""
        ...


@runtime_checkable
class GenerativeTask(Task, Protocol):
    """A task whose model can dream; wake-sleep asks for it."""

    def model(self, like: Tensor) -> Program:
        """p(x, z): its sites are those of `program` and x, in the shape of `like` [B, D], its value is log p(x, z)."""
        ...


@runtime_checkable
class RelaxableTask(Task, Protocol):
    """A task of discrete units that can be softened."""

    def relaxed(self, x: Tensor, temperature: float, prior_temperature: float | None = None) -> Program:
        """The program of Concrete units; the prior's temperature is that of the others where it is None."""
        ...


@runtime_checkable
class ScheduledTask(Task, Protocol):
    """A task whose rows depend on the step of the training that sees them."""

    def at_step(self, x: Tensor, step: int, batch: int) -> Tensor:
        """The minibatch x [..., batch, D] as step 0, 1, … sees it."""
        ...


def latent_variable(task: Any, who: str) -> LatentVariableTask:
    """The task itself; ReparamError, naming who asks, when it has no code per datum."""
    if not isinstance(task, LatentVariableTask):
        raise ReparamError(
            f"{who} needs a task with encode, decode, prior and log_joint, such as gaussian_vae"
        )
    return task


registry: Registry[type] = Registry("task", "reparam.tasks")
register = registry.register


def get(name: str) -> Any:
    """The task class registered as `name`, built from (options, data set or None); ReparamError if unknown."""
    return registry.get(name)


def make(options: Mapping[str, Any]) -> Any:
    """The task of an experiment's `task`, on its data set prepared as the options say, if it names one."""
    name = options.get("data")
    if name is None:
        return get(options["name"])(options, None)
    dataset = data.load(name)
    if options.get("published_split", False):
        dataset = data.as_published(dataset)
    return get(options["name"])(options, data.prepare(dataset, options.get("binarisation", "none")))


def read_options(kind: type[Options], given: Mapping[str, Any]) -> Options:
    """The options dataclass `kind` filled from an experiment's `task`; `name` belongs to the registry.

    Raises ReparamError for an unknown option, with the nearest known one, and for one that is missing.
    """
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    values = {key: value for key, value in given.items() if key != "name"}
    for key in values:
        if key not in known:
            raise ReparamError(f"task {given.get('name')!r} has no option {key!r}{nearest(key, known)}")
    for field in fields(kind):  # type: ignore[arg-type]
        if field.default is MISSING and field.name not in values:
            raise ReparamError(f"task {given.get('name')!r} lacks its option {field.name!r}: give it")
    return kind(**values)


def require(option: str, value: Any, allowed: tuple[str, ...]) -> None:
    """Raise ReparamError unless the value of a task's option is one of `allowed`."""
    if value not in allowed:
        raise ReparamError(f"task: {option} is {value!r}; use one of {', '.join(allowed)}")


def require_count(option: str, value: Any) -> None:
    """Raise ReparamError unless the value of a task's option is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ReparamError(f"task: {option} is {value!r}; give a whole number of at least 1")
