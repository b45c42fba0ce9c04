"""What a training step of the engine costs beside a plain hand-written PyTorch loop.

    python benchmarks/step.py [--optimiser adam] [--device cpu] [--rounds 10] [--steps 100]

The model is the VAE of Kingma & Welling (2014), 784-400-20, minibatches of 100. All contestants take
turns within one run, so that a busy or throttled machine slows them alike, and what is printed is the
median over rounds of each one's time divided by the plain loop's in the same round. Every
contestant draws its noise and picks its minibatches itself, as it does in a real training.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from plain_vae import PlainVAE, optimiser
from torch import Tensor
from torch.utils._pytree import tree_map

from reparam import tasks
from reparam.data import DataSet
from reparam.engine import learners, paths
from reparam.engine.minibatch import minibatch_indices
from reparam.noise import draw_block, generator

PIXELS, HIDDEN, LATENT, BATCH, ROWS = 784, 400, 20, 100, 10_000
BLOCK = 100
"""Steps whose noise is drawn at once, as in reparam.cells.train."""
OPTIMISERS = {"adam": {"name": "adam", "rate": 1e-3}, "adagrad": {"name": "adagrad", "rate": 0.01}}

Steps = Iterator[None]
"""Each `next` is one training step."""


def plain(data: Tensor, name: str) -> Steps:
    """The hand-written loop."""
    model = PlainVAE(PIXELS, HIDDEN, LATENT).to(data.device)
    update = optimiser(model, name)
    while True:
        for rows in torch.randperm(ROWS, device=data.device).split(BATCH):
            update.zero_grad(set_to_none=True)
            model.loss(data[rows]).backward()
            update.step()
            yield


def engine(data: Tensor, name: str, path: paths.Path) -> Steps:
    """The engine's step with the pathwise estimator, with blocks of noise as in a cell."""
    options = {"name": "gaussian_vae", "data": "random", "hidden": HIDDEN, "latent": LATENT}
    dataset = DataSet("random", data, data[:1], None, (28, 28))
    task = tasks.get("gaussian_vae")({**options, "weight_prior": False}, dataset)
    learner = learners.make(task, {"name": "pathwise"}, {"optimiser": OPTIMISERS[name]})
    params = {key: value.to(data.device) for key, value in task.init(generator("benchmark")).items()}
    state = learner.init(params, data[:BATCH], generator("benchmark", "method"))
    specs = learner.noise(params, data[:BATCH])
    call: Callable[..., Any] | None = None
    block = 0
    while True:
        index = minibatch_indices(("benchmark",), block * BLOCK, BLOCK, BATCH, ROWS).to(data.device)
        noise = draw_block(specs, ("benchmark", block), BLOCK, data.device)
        for now in range(BLOCK):
            rows = index[now]
            arguments = (
                state,
                data[rows],
                rows,
                tree_map(lambda leaf, now=now: leaf[now], noise),
            )
            if call is None:
                call = paths.build(learner.step, arguments, path)
            with torch.no_grad():
                state, _ = call(*arguments)
            yield
        block += 1


def arithmetic(data: Tensor) -> Steps:
    """The matrix products of one step and nothing else: what no implementation can beat."""
    sizes = [(PIXELS, HIDDEN), (HIDDEN, 2 * LATENT), (LATENT, HIDDEN), (HIDDEN, PIXELS)]
    layers = [
        tuple(torch.randn(shape, device=data.device) for shape in ((BATCH, i), (i, o), (BATCH, o)))
        for i, o in sizes
    ]
    while True:
        for number, (x, weight, gradient) in enumerate(layers):
            x @ weight
            x.T @ gradient
            if number > 0:
                gradient @ weight.T
        yield


def seconds(steps: Steps, count: int, device: torch.device) -> float:
    """Wall seconds of `count` steps."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(count):
        next(steps)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--optimiser", choices=OPTIMISERS, default="adam")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=100, help="steps per contestant and round")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device(arguments.device)
    data = (torch.rand(ROWS, PIXELS, device=device) < 0.3).float()
    contestants = {
        "plain loop": plain(data, arguments.optimiser),
        "engine, traced": engine(data, arguments.optimiser, "traced"),
        "engine, compiled": engine(data, arguments.optimiser, "compiled"),
        "matrix products only": arithmetic(data),
    }
    first = {name: seconds(steps, 1, device) for name, steps in contestants.items()}
    for steps in contestants.values():
        seconds(steps, BLOCK, device)
    rounds = [
        {name: seconds(steps, arguments.steps, device) for name, steps in contestants.items()}
        for _ in range(arguments.rounds)
    ]
    print(
        f"{arguments.optimiser} on {device}, one CPU thread, {arguments.rounds} rounds × {arguments.steps} steps"
    )
    print(f"{'':22}{'ms/step':>10}{'÷ plain':>10}{'first step, s':>16}")
    for name in contestants:
        step = statistics.median(times[name] for times in rounds) / arguments.steps * 1e3
        ratio = statistics.median(times[name] / times["plain loop"] for times in rounds)
        print(f"{name:22}{step:10.2f}{ratio:10.2f}{first[name]:16.1f}")


if __name__ == "__main__":
    main()
