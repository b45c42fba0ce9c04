"""What one estimate of every registered estimator costs beside a plain hand-written loop.

    python benchmarks/estimators.py [--rounds 5] [--seconds 0.1] [--only rebar]

Each estimator, installed plug-ins included, is measured with the first of its card's settings that fits one of the
models below: there is no list to edit. An estimate is all that a training step asks for: gradient, memory and the
gradient of the estimator's own parameters, traced as in a training. The unit is one plain PyTorch backward pass written
by hand on the same model (score function, or pathwise for continuous codes), noise included, taken in turns with all
the others in the same round.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import nets
import torch

from reparam import estimators
from reparam.engine import paths
from reparam.engine.gradient import estimate_gradient, prepare
from reparam.errors import ReparamError
from reparam.estimators import Estimator
from reparam.noise import draw_block, generator

NETS = {
    "70 bits": nets.belief_net(64, 70, 24),
    "10 of 8": nets.one_hot_vae(64, 10, 8, 24),
    "Gaussian": nets.gaussian_vae(64, 50, 10, 24),
    "Gamma": nets.gamma_vae(64, 10, 24),
    "6 bits": nets.belief_net(64, 6, 24),
}

Estimate = Callable[[], object]


def plain(net: nets.Net) -> Estimate:
    """One backward pass of the model's first hand-written loss."""
    params = {name: entry.clone().requires_grad_() for name, entry in net.params.items()}
    loss = next(iter(net.losses.values()))

    def estimate() -> None:
        for entry in params.values():
            entry.grad = None
        loss(params).backward()

    return estimate


def ours(net: nets.Net, estimator: Estimator) -> tuple[Estimate, int]:
    """One traced estimate with noise of its own, and its evaluations of f."""
    sites = prepare(estimator, net.program, net.params)
    specs = estimator.noise(sites)
    tunables, memory = estimator.start(net.params, sites, generator("benchmark", "init"))

    def step(noise: Any) -> Any:
        found = estimate_gradient(estimator, net.program, net.params, noise, tunables, memory)
        return found.gradient, found.value, found.memory, found.tunable_gradient

    def noise() -> Any:
        block = draw_block(specs, ("benchmark",), 1)
        return {site: {role: draws[0] for role, draws in roles.items()} for site, roles in block.items()}

    ready = paths.build(step, (noise(),), "traced")

    def estimate() -> None:
        with torch.no_grad():
            ready(noise())

    return estimate, estimator.card.evaluations(estimator, sites)


def fitting(name: str) -> tuple[str, Mapping[str, Any], Estimator] | None:
    """The first model and setting that this estimator can be measured with."""
    for options in estimators.get(name).card.settings:
        for title, net in NETS.items():
            if "sites" in options:  # of the mixed estimator: its members, for the models' one site
                options = {"sites": {"z": next(iter(options["sites"].values()))}}
            try:
                estimator = estimators.make(name, options)
                prepare(estimator, net.program, net.params)
            except ReparamError:
                continue
            return title, options, estimator
    return None


def seconds(estimate: Estimate, count: int) -> float:
    start = time.perf_counter()
    for _ in range(count):
        estimate()
    return (time.perf_counter() - start) / count


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.1, help="per contestant and round")
    parser.add_argument("--only", default="", help="estimators with this word in their name")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    contestants = {f"plain, {title}": plain(net) for title, net in NETS.items()}
    rows = []
    for name in estimators.names():
        if arguments.only not in name:
            continue
        found = fitting(name)
        if found is None:
            rows.append((name, {}, "", 0))
            continue
        title, options, estimator = found
        contestants[name], evaluations = ours(NETS[title], estimator)
        rows.append((name, options, title, evaluations))
    counts = {}
    for label, estimate in contestants.items():
        seconds(estimate, 1)
        counts[label] = max(1, int(arguments.seconds / seconds(estimate, 2)))
    times = [
        {label: seconds(estimate, counts[label]) for label, estimate in contestants.items()}
        for _ in range(arguments.rounds)
    ]
    print(f"one estimate, 24 images, one CPU thread, {arguments.rounds} rounds")
    print(f"{'':28}{'model':10}{'evaluations':>12}{'ms':>10}{'÷ plain':>10}  options")
    for name, options, title, evaluations in rows:
        if not title:
            print(f"{name:28}no model of this benchmark fits it")
            continue
        milliseconds = statistics.median(found[name] for found in times) * 1e3
        ratio = statistics.median(found[name] / found[f"plain, {title}"] for found in times)
        shown = ", ".join(f"{key}={value}" for key, value in options.items())
        print(f"{name:28}{title:10}{evaluations:12}{milliseconds:10.2f}{ratio:10.2f}  {shown}")


if __name__ == "__main__":
    main()
