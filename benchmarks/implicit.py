"""What the implicit derivative of a sample costs beside torch's own, a value, on one CPU thread.

    python benchmarks/implicit.py [--size 30000] [--rounds 9]

torch's is `torch._standard_gamma_grad` (relative error up to 5e-4 in every dtype). Ours is timed alone (`velocity`),
as it runs in eager mode and compiled, and so is a whole sample with its backward pass. Contestants take turns within
one run; what is printed is the median over rounds, and that of the ratio to torch's time in the same round.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from torch import Tensor

from reparam import Gamma
from reparam.distributions.incomplete_gamma import velocity

Contestants = dict[str, Callable[[], object]]


def derivatives(alpha: Tensor, z: Tensor) -> Contestants:
    """dz/dα of samples that are there."""
    r = (z / alpha).log()
    compiled = torch.compile(velocity, fullgraph=True, dynamic=False)
    compiled(r, alpha)
    return {
        "torch": lambda: torch._standard_gamma_grad(alpha, z),
        "ours, eager": lambda: velocity(r, alpha),
        "ours, compiled": lambda: compiled(r, alpha),
    }


def samples(alpha: Tensor, z: Tensor) -> Contestants:
    """Drawing noise, the sample, and the backward pass."""
    leaf, rate = alpha.clone().requires_grad_(), torch.ones((), dtype=alpha.dtype)

    def ours() -> Tensor:
        u = torch.rand(alpha.shape, dtype=alpha.dtype).clamp(min=torch.finfo(alpha.dtype).eps)
        return torch.autograd.grad(Gamma(leaf, rate).path({"uniform": u}).sum(), leaf)[0]

    return {
        "torch": lambda: torch.autograd.grad(torch.distributions.Gamma(leaf, rate).rsample().sum(), leaf),
        "ours, eager": ours,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=9)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"{arguments.size:,} values, shapes from 1e-2 to 1e3; nanoseconds a value, and times torch's")
    for dtype in (torch.float32, torch.float64):
        alpha = torch.logspace(-2, 3, arguments.size, dtype=dtype)
        z = torch._standard_gamma(alpha).clamp(min=torch.finfo(dtype).tiny)
        for title, make in (("derivative", derivatives), ("sample and backward", samples)):
            print(f"\n{title}, {str(dtype).removeprefix('torch.')}")
            compare(make(alpha, z), arguments.size, arguments.rounds)


def compare(contestants: Contestants, size: int, rounds: int) -> None:
    """Time all contestants in turns and print a line for each."""
    for work in contestants.values():
        work()
    times = [{name: seconds(work) / size for name, work in contestants.items()} for _ in range(rounds)]
    for name in contestants:
        nanoseconds = statistics.median(found[name] for found in times) * 1e9
        ratio = statistics.median(found[name] / found["torch"] for found in times)
        print(f"  {name:16}{nanoseconds:9.1f}{ratio:9.2f}", flush=True)


def seconds(work: Callable[[], object], repeats: int = 10) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        work()
    return (time.perf_counter() - start) / repeats


if __name__ == "__main__":
    main()
