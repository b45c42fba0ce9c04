"""What a training step of the engine costs beside a plain hand-written PyTorch loop.

    python benchmarks/step.py [--optimiser adam] [--device cpu] [--rounds 10] [--steps 100]

The model is the VAE of Kingma & Welling (2014), 784-400-20, minibatches of 100. All contestants take
turns within one run, so that a busy or throttled machine slows them alike, and what is printed is the
median over rounds of each one's time divided by the plain loop's in the same round. Every
contestant draws its noise and picks its minibatches itself, as it does in a real training.
"""

from __future__ import annotations

import argparse

import rounds
import torch
from plain_vae import PlainVAE, optimiser
from rounds import Steps
from torch import Tensor

from reparam import tasks
from reparam.data import DataSet
from reparam.engine import paths

PIXELS, HIDDEN, LATENT, BATCH, ROWS = 784, 400, 20, 100, 10_000
OPTIMISERS = {"adam": {"name": "adam", "rate": 1e-3}, "adagrad": {"name": "adagrad", "rate": 0.01}}


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
    """The engine's step with the pathwise estimator."""
    options = {"data": "random", "hidden": HIDDEN, "latent": LATENT, "weight_prior": False}
    task = tasks.get("gaussian_vae")(options, DataSet("random", data, data[:1], None, (28, 28)))
    return rounds.engine(task, {"name": "pathwise"}, OPTIMISERS[name], data, BATCH, path)


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
    found = rounds.compare(contestants, "plain loop", arguments.rounds, arguments.steps, device)
    print(
        f"{arguments.optimiser} on {device}, one CPU thread, {arguments.rounds} rounds × {arguments.steps} steps"
    )
    print(f"{'':22}{'ms/step':>10}{'÷ plain':>10}{'first step, s':>16}")
    for contestant, timing in found.items():
        print(f"{contestant:22}{timing.milliseconds:10.2f}{timing.ratio:10.2f}{timing.first:16.1f}")


if __name__ == "__main__":
    main()
