"""The training procedure: a cell's seeds, from initialisation to histories, surviving any kill."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_map, tree_structure

from reparam import data, measure, tasks
from reparam.cells import checkpoint
from reparam.cells.procedures import Row
from reparam.cells.progress import Progress
from reparam.cells.runtime import software
from reparam.cells.schedule import due_steps
from reparam.engine import learners, paths, replicas
from reparam.engine.learners.base import Metrics, State
from reparam.engine.minibatch import minibatch_indices
from reparam.errors import ReparamError
from reparam.noise import Noise, NoiseSpec, draw_block, generator

BLOCK = 100
"""Steps whose noise is drawn at once; part of what makes a run what it is."""


@dataclass
class Outcome:
    """What became of one seed: its findings so far, the times it measured, and the step at which it diverged, if so."""

    rows: list[Row] = field(default_factory=list)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)
    machine: dict[str, float] = field(default_factory=dict)
    diverged: int | None = None


class Training:
    """One cell's training on one device: everything that its seeds share."""

    def __init__(
        self, spec: Mapping[str, Any], device: torch.device, task: tasks.Task | None = None, begin: int = 0
    ) -> None:
        """`task` is the spec's, if it has been made already; steps before `begin` are another method's."""
        self.spec, self.device, self.begin = spec, device, begin
        options, training = spec["task"], spec["training"]
        for key in ("batch", "samples", "optimiser"):
            if key not in training:
                raise ReparamError(
                    f"experiments.yaml: training of {spec['experiment']} lacks {key!r}: give it"
                )
        self.task = tasks.make(options) if task is None else task
        self.task.train, self.task.test = self.task.train.to(device), self.task.test.to(device)
        self.learner = learners.make(self.task, spec["method"], training)
        self.batch = int(training["batch"])
        self.steps = math.ceil(training["samples"] / self.batch)
        self.path: paths.Path | None = None
        self.threads = torch.get_num_threads()
        self.measurements = {}
        for name, given in spec.get("measurements", {}).items():
            function = measure.get(name)
            measure.check_options(name, given)
            self.measurements[name] = function, dict(given), due_steps(given.get("schedule"), self.steps)
        self.evaluated = set().union({self.steps}, *(due for _, _, due in self.measurements.values()))
        self._x = self.task.train[: self.batch].new_zeros(self.batch, self.task.train.shape[1])
        params = self.initial(seed=0)["params"]
        self.replicas = replicas.replicas_for(device, sum(entry.numel() for entry in params.values()))
        self._specs = dict(self.learner.noise(params, self._x))
        if self.task.binarisation == "dynamic":
            self._specs["data"] = {"uniform": NoiseSpec("uniform", tuple(self._x.shape))}
        self._call: Callable[..., Any] | None = None
        self._clock = time.perf_counter if device.type == "cuda" else time.process_time
        self._stepping, self._stepped = 0.0, 0
        self.then = self._follower(training.get("then"))
        if self.then is not None:
            self.evaluated.add(self.then.begin)

    def _follower(self, then: Mapping[str, Any] | None) -> Training | None:
        """The rest of this training under the method that follows its own, if one does.

        Raises ReparamError for a method that carries other tunables or averages from step to step.
        """
        if then is None or self.spec["estimator"] not in then["by"]:
            return None
        options = dict(then["by"][self.spec["estimator"]])
        method = {"name": options.pop("name"), "options": options}
        training = {name: value for name, value in self.spec["training"].items() if name != "then"}
        spec = {**self.spec, "method": method, "training": training}
        found = Training(spec, self.device, self.task, math.ceil(then["after"] / self.batch))
        own, other = (tree_structure(each.initial(seed=0)) for each in (self, found))
        if own != other:
            raise ReparamError(
                f"training.then: {method['name']} and {self.spec['method']['name']} carry different things from "
                "step to step; only methods that carry the same, such as pathwise and iwae, can follow one another"
            )
        return found

    def at(self, step: int) -> Training:
        """The training whose method takes this step, counted from 0."""
        return self if self.then is None or step < self.then.begin else self.then

    @property
    def step_seconds(self) -> float | None:
        """The mean time of a step of one replica, its noise included, and neither measurements nor the first step,
        which is made ready first; None before there was another. On a CPU it is processor time of the one thread, so
        that other work on the machine does not count."""
        return self._stepping / self._stepped / self.replicas if self._stepped else None

    def axes(self, seed: int) -> tuple[str | int, ...]:
        """The axes that name a seed's streams. The estimator is not among them: noise is common."""
        return (self.spec["paper"], self.spec["experiment"], seed)

    def initial(self, seed: int) -> State:
        """The learner's state before the first step of this seed."""
        params = self.task.init(generator(*self.axes(seed), "init"))
        method = generator(*self.axes(seed), "init", "method")
        return self.learner.init({n: p.to(self.device) for n, p in params.items()}, self._x, method)

    def step(self, state: State, x: Tensor, index: Tensor, noise: Noise) -> tuple[State, Metrics]:
        """One pure step of one replica on raw training rows."""
        if self.task.binarisation == "dynamic":
            x = data.binarise(x, noise["data"]["uniform"])
        sites = {name: draws for name, draws in noise.items() if name != "data"}
        return self.learner.step(state, x, index, sites)

    def call(self, *arguments: Any) -> tuple[State, Metrics]:
        """The step for a stack of replicas, made ready on its first use."""
        if self._call is None:
            graph = paths.trace(replicas.lift(self.step, self.replicas), arguments)
            self.path = self.path or paths.choose_path(self.device, graph, self.steps)
            self._call = paths.ready(graph, self.path)
        return self._call(*arguments)

    def block(self, seeds: tuple[int, ...], number: int) -> tuple[Tensor, Any]:
        """Row indices [BLOCK, (R,) B] and noise (leaves [BLOCK, (R,) …]) of one block of steps."""
        rows = len(self.task.train)
        index = [minibatch_indices(self.axes(s), number * BLOCK, BLOCK, self.batch, rows) for s in seeds]
        noise = [draw_block(self._specs, (*self.axes(s), "train", number), BLOCK, self.device) for s in seeds]
        return replicas.stack(index, dim=1).to(self.device), replicas.stack(noise, dim=1)

    def measure(self, state: State, replica: int, seed: int, step: int, outcome: Outcome) -> None:
        """Take every measurement that is due at this step for one seed."""
        own = replicas.unstack(state, replica, self.replicas)
        for name, (function, options, due) in self.measurements.items():
            if step in due:
                axes = (*self.axes(seed), "measure", name)
                context = measure.Context(
                    self.task,
                    self.learner,
                    own["params"],
                    axes,
                    self.device,
                    own,
                    self.batch,
                    step == self.steps,
                )
                measured = function(context, options)
                outcome.rows.extend((step, metric, value) for metric, value in measured.metrics.items())
                outcome.arrays.update(measured.arrays)
                outcome.machine.update({f"{name}/{key}": value for key, value in measured.machine.items()})

    def run(
        self,
        seeds: tuple[int, ...],
        file: Path,
        key: dict[str, Any],
        progress: Progress,
        checkpoint_seconds: float,
    ) -> dict[int, Outcome]:
        """Train these seeds, which are of one stack, to the end, from the checkpoint if it fits."""
        key = {**key, "seeds": list(seeds), "device": self.device.type, "torch": software()["torch"]}
        stack = replicas.neighbours(seeds[0], self.replicas)
        saved = checkpoint.load(file, key, self.device)
        if saved is None:
            start, objectives = 0, []
            state = replicas.stack([self.initial(seed) for seed in stack])
            outcomes = {seed: Outcome() for seed in seeds}
        else:
            start, state, objectives = saved["step"], saved["state"], list(saved["objectives"])
            self.path, self.threads = saved["path"], saved["threads"]
            torch.set_num_threads(self.threads)
            outcomes = {seed: _thaw(content) for seed, content in saved["outcomes"].items()}
            progress.resume(start * len(seeds))
        last_save, counted = time.monotonic(), start
        index = noise = None
        for t in range(start, self.steps):
            under = self.at(t)
            under.path, begun, known = self.path, self._clock(), under._call is not None
            if index is None or t % BLOCK == 0 or t == under.begin:
                index, noise = under.block(stack, t // BLOCK)
            now = t % BLOCK
            rows = index[now]
            x = self.task.train[rows]
            if isinstance(self.task, tasks.ScheduledTask):
                x = self.task.at_step(x, t, self.batch)
            state, metrics = under.call(state, x, rows, tree_map(lambda leaf, now=now: leaf[now], noise))
            self.path = under.path
            objectives.append(metrics["objective"])
            step = t + 1
            evaluated = step in self.evaluated
            if evaluated and self.device.type == "cuda":
                torch.cuda.synchronize(self.device)
            if known:
                self._stepping, self._stepped = (
                    self._stepping + self._clock() - begun,
                    self._stepped + 1,
                )
            if evaluated:
                under._evaluate(state, metrics, objectives, step, seeds, outcomes)
                objectives = []
            if step % BLOCK == 0 or step == self.steps:
                progress.advance((step - counted) * len(seeds))
                counted = step
            if evaluated or time.monotonic() - last_save >= checkpoint_seconds:
                content = {
                    "key": key,
                    "step": step,
                    "state": state,
                    "objectives": objectives,
                    "outcomes": {seed: _freeze(outcome) for seed, outcome in outcomes.items()},
                    "path": self.path,
                    "threads": self.threads,
                }
                checkpoint.save(file, content)
                last_save = time.monotonic()
            if all(outcome.diverged is not None for outcome in outcomes.values()):
                break
        return outcomes

    def _evaluate(
        self,
        state: State,
        metrics: Metrics,
        objectives: list[Tensor],
        step: int,
        seeds: tuple[int, ...],
        outcomes: dict[int, Outcome],
    ) -> None:
        readings = torch.stack(objectives).cpu()
        for seed in seeds:
            replica = seed % self.replicas
            outcome, own = outcomes[seed], readings.reshape(len(readings), -1)[:, replica]
            if outcome.diverged is not None:
                continue
            outcome.rows.append((step, "samples_seen", float(step * self.batch)))
            if "evaluations" in metrics:
                each = replicas.unstack(metrics["evaluations"], replica, self.replicas).item()
                before = sum(n for at, name, n in outcome.rows if (at, name) == (self.begin, "evaluations"))
                outcome.rows.append((step, "evaluations", before + each * (step - self.begin)))
            if "failed_rejections" in metrics:
                failed = replicas.unstack(metrics["failed_rejections"], replica, self.replicas).item()
                outcome.rows.append((step, "failed_rejections", failed))
            outcome.rows.append((step, "objective", own.double().mean().item()))
            bad = (~own.isfinite()).nonzero()
            params = replicas.unstack(state["params"], replica, self.replicas)
            finite = all(p.isfinite().all() for p in params.values())
            if len(bad) or not finite:
                outcome.diverged = step - len(own) + int(bad[0]) + 1 if len(bad) else step
                continue
            self.measure(state, replica, seed, step, outcome)


def _freeze(outcome: Outcome) -> dict[str, Any]:
    """An outcome as a checkpoint holds it."""
    arrays = {name: torch.from_numpy(array) for name, array in outcome.arrays.items()}
    kept = {"machine": outcome.machine, "diverged": outcome.diverged}
    return {"rows": outcome.rows, "arrays": arrays, **kept}


def _thaw(content: Mapping[str, Any]) -> Outcome:
    arrays = {name: tensor.cpu().numpy() for name, tensor in content["arrays"].items()}
    rows = [tuple(row) for row in content["rows"]]
    return Outcome(rows, arrays, dict(content["machine"]), content["diverged"])
