"""What a training step of a discrete VAE costs in the engine, estimator by estimator, beside loops written by hand.

    python benchmarks/discrete.py [--estimators relax] [--seeds 10] [--device cpu] [--rounds 10] [--steps 50]

The linear model of Tucker et al. (2017), 784-200 bits, minibatches of 24; plain_discrete_vae.py has the loops. A ratio
is the median over rounds of the time per seed and step, divided by the loop's in the same round.
"""

from __future__ import annotations

import argparse
from typing import Any

import torch
from plain_discrete_vae import ESTIMATORS, PlainDiscreteVae, optimisers
from rounds import Steps, compare, engine
from torch import Tensor

from reparam import tasks
from reparam.data import DataSet

PIXELS, UNITS, BATCH, ROWS = 784, 200, 24, 10_000
METHODS: dict[str, dict[str, Any]] = {
    "score_function": {"name": "score_function"},
    "leave_one_out": {"name": "score_function", "options": {"baseline": "leave_one_out", "samples": 2}},
    "gumbel_softmax": {"name": "gumbel_softmax"},
    "disarm": {"name": "disarm"},
    "rebar": {"name": "rebar"},
    "relax": {"name": "relax"},
}


def plain(data: Tensor, estimator: str) -> Steps:
    """The loop written by hand."""
    vae = PlainDiscreteVae(PIXELS, UNITS).to(data.device)
    updates = optimisers(vae, estimator)
    while True:
        for rows in torch.randperm(ROWS, device=data.device).split(BATCH)[:-1]:
            for update in updates:
                update.zero_grad(set_to_none=True)
            ESTIMATORS[estimator](vae, data[rows])
            for update in updates:
                update.step()
            yield


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--estimators", nargs="+", choices=METHODS, default=list(METHODS))
    parser.add_argument("--seeds", type=int, default=1, help="seeds that share one call of the engine")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=50, help="steps per contestant and round")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    device = torch.device(arguments.device)
    data = (torch.rand(ROWS, PIXELS, device=device) < 0.3).float()
    task = tasks.get("discrete_vae")(
        {"data": "random", "units": UNITS}, DataSet("random", data, data[:1], None, (28, 28))
    )
    optimiser = {"name": "adam", "rate": 1e-3}
    print(
        f"{device}, one CPU thread, {arguments.seeds} seeds a call, {arguments.rounds} rounds × {arguments.steps} steps"
    )
    print(f"{'':16}{'plain, ms':>12}{'traced ÷ plain':>18}{'compiled ÷ plain':>20}{'compiling, s':>16}")
    for name in arguments.estimators:
        found = compare(
            {
                "plain": plain(data, name),
                "traced": engine(task, METHODS[name], optimiser, data, BATCH, "traced", arguments.seeds),
                "compiled": engine(task, METHODS[name], optimiser, data, BATCH, "compiled", arguments.seeds),
            },
            "plain",
            arguments.rounds,
            arguments.steps,
            device,
        )
        ratios = {path: found[path].ratio / arguments.seeds for path in ("traced", "compiled")}
        print(
            f"{name:16}{found['plain'].milliseconds:12.2f}{ratios['traced']:18.2f}{ratios['compiled']:20.2f}"
            f"{found['compiled'].first:16.1f}",
            flush=True,
        )


if __name__ == "__main__":
    main()
