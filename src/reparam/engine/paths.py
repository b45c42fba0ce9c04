"""How a pure step is executed: traced once into plain tensor operations, or compiled on top of that.

Tracing (make_fx) runs the function transforms once and keeps what they do to tensors; it needs no
compiler and replaces most of the per-step overhead. Compiling pays from tens of thousands of steps on
a CPU and almost at once on a GPU. Tracing comes first either way, because compiling a transformed
custom autograd function directly returns zero gradients.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any, Literal

import torch

Path = Literal["traced", "compiled"]
COMPILE_FROM_STEPS = 40_000
"""On a CPU core compiling takes up to half a minute and saves about 0.7 ms a step."""


def choose_path(device: torch.device, steps: int) -> Path:
    """The path for a cell that makes this many steps in all."""
    if device.type == "cuda":
        return "compiled"
    return "compiled" if steps >= COMPILE_FROM_STEPS and has_compiler() else "traced"


def has_compiler() -> bool:
    """Whether there is a C++ compiler, without which nothing can be compiled for a CPU."""
    return any(shutil.which(name) for name in ("c++", "g++", "clang++"))


def build(step: Callable[..., Any], example: tuple[Any, ...], path: Path) -> Callable[..., Any]:
    """`step` made ready for calls with arguments shaped like `example` (pytrees of tensors)."""
    from torch.fx.experimental.proxy_tensor import make_fx

    with torch.no_grad():
        graph = make_fx(lambda *arguments: step(*arguments))(*example)  # tracing counts a method's self
    graph.graph.eliminate_dead_code()
    graph.recompile()
    if path == "compiled":
        return torch.compile(graph, fullgraph=True, dynamic=False)
    return graph
