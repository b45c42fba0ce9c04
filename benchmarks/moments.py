"""What a gradient estimate's moments cost, a draw, beside a Python loop of single backward passes.

    python benchmarks/moments.py [--rounds 7] [--seconds 0.5] [--paths traced compiled] [--only WORD]

The loop is plain PyTorch written by hand (benchmarks/nets.py): one backward pass a draw, and two running sums in place.
Contestants take turns within one run, so that a busy or throttled machine slows them alike; what is printed is the
median over rounds of the loop's time divided by ours in the same round, noise and merging included. `ready` is what
comes before the first draw, once: the checks, the trial of the layers' factorisation, tracing or compiling.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

import nets
import torch

from reparam import estimators
from reparam.measure.moments import begin
from reparam.measure.running import Running
from reparam.measure.subject import BLOCK, entries, pick

Take = Callable[[int], int]
"""Adds at least this many draws to some running moments, and says how many."""

PATHS = ("traced", "compiled")
CASES = {
    "one bit": (nets.one_bit(), ("score_function",)),
    "belief net 64-70, 1 image": (nets.belief_net(64, 70, 1), ("score_function", "disarm")),
    "belief net 64-70, 24 images": (nets.belief_net(64, 70, 24), ("score_function", "disarm")),
    "Gaussian VAE 64-50-10, 1 image": (nets.gaussian_vae(64, 50, 10, 1), ("pathwise",)),
    "Gaussian VAE 64-50-10, 24 images": (nets.gaussian_vae(64, 50, 10, 24), ("pathwise",)),
    "belief net 784-200, 24 images, encoder": (
        nets.belief_net(784, 200, 24).only("encoder"),
        ("score_function", "disarm"),
    ),
    "belief net 784-200, 24 images": (nets.belief_net(784, 200, 24), ("score_function", "disarm")),
}


def loop(net: nets.Net, estimator: str) -> Take:
    """The hand-written loop."""
    params = {name: entry.clone().requires_grad_() for name, entry in net.params.items()}
    total = [torch.zeros_like(entry) for entry in params.values()]
    squares = [torch.zeros_like(entry) for entry in params.values()]
    loss = net.losses[estimator]

    def take(draws: int) -> int:
        for _ in range(draws):
            loss(params).backward()
            for entry, held, held_squares in zip(params.values(), total, squares, strict=True):
                assert entry.grad is not None
                held.add_(entry.grad)
                held_squares.addcmul_(entry.grad, entry.grad)
                entry.grad = None
        return draws

    return take


def ours(net: nets.Net, estimator: str, path: str) -> Take:
    """The draws of `gradient_moments`."""
    sampler = begin(estimators.make(estimator), net.program, net.params, ("benchmark",))
    first = pick(next(sampler.noise.chunks("draws", 1, 1)), 0)
    running = Running(entries(sampler.tapped.checked(first, 0)))
    ready = sampler.ready(running.pivot, path)
    whole = max(sampler.size, BLOCK)

    def take(draws: int) -> int:
        done = whole * -(-draws // whole)
        sampler.add(running, done, ready)
        return done

    take(1)
    return take


def seconds_a_draw(take: Take, draws: int) -> float:
    start = time.perf_counter()
    done = take(draws)
    return (time.perf_counter() - start) / done


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.5, help="per contestant and round")
    parser.add_argument("--paths", nargs="+", choices=PATHS, default=PATHS)
    parser.add_argument("--only", default="", help="problems and estimators with this word in their name")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    print(
        f"one CPU thread, {arguments.rounds} rounds; milliseconds a draw, and how many times faster than the loop"
    )
    for title, (net, names) in CASES.items():
        for name in names:
            if arguments.only in f"{title}, {name}":
                print(f"\n{title}, {net.size:,} parameters, {name}")
                compare(net, name, arguments.paths, arguments.rounds, arguments.seconds)


def compare(net: nets.Net, name: str, paths: Sequence[str], rounds: int, seconds: float) -> None:
    """Time all contestants in turns and print a line for each."""
    contestants, ready = {"loop": loop(net, name)}, {"loop": 0.0}
    for path in paths:
        start = time.perf_counter()
        contestants[path] = ours(net, name, path)
        ready[path] = time.perf_counter() - start
    draws = {}
    for label, take in contestants.items():
        seconds_a_draw(take, 1)
        draws[label] = max(1, int(seconds / seconds_a_draw(take, 10)))
    times = [
        {label: seconds_a_draw(take, draws[label]) for label, take in contestants.items()}
        for _ in range(rounds)
    ]
    for label in contestants:
        milliseconds = statistics.median(found[label] for found in times) * 1e3
        ratio = statistics.median(found["loop"] / found[label] for found in times)
        print(f"  {label:10}{milliseconds:10.4f}{ratio:10.1f}   ready in {ready[label]:.1f} s", flush=True)


if __name__ == "__main__":
    main()
