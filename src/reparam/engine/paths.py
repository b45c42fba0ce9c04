"""How a pure step is executed: traced once into plain tensor operations, or compiled on top of that.

Tracing (make_fx) runs the function transforms once and keeps what they do to tensors; it needs no
compiler and replaces most of the per-step overhead. Compiling pays on a CPU once millions of small operations
have been made, and almost at once on a GPU. Tracing comes first either way, because compiling a transformed
custom autograd function directly returns zero gradients.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any, Literal

import torch
from torch import Tensor
from torch.fx import GraphModule, Node
from torch.utils._pytree import tree_map

Path = Literal["traced", "compiled"]
COMPILE_FROM_OPERATIONS = 2_000_000
"""On a CPU core compiling takes up to half a minute, and each operation of the graph costs some 10 µs to call."""
COMPILE_FROM_STEPS = 1000
"""Compiling takes the longer the larger the graph: some ten minutes for five estimators side by side."""
UNGUARDED: dict[str, Any] = {"guard_filter_fn": torch.compiler.skip_all_guards_unsafe}
"""A graph always meets arguments shaped like those that it was traced on, and compiled code asserts it; guards
would ask the same at every call, which costs a small step a tenth of its time."""


def choose_path(device: torch.device, graph: GraphModule, steps: int) -> Path:
    """The path for a cell that calls this graph so many times in all."""
    if device.type == "cuda":
        return "compiled"
    operations = steps * len(graph.graph.nodes)
    pays = operations >= COMPILE_FROM_OPERATIONS and steps >= COMPILE_FROM_STEPS
    return "compiled" if pays and has_compiler() else "traced"


def has_compiler() -> bool:
    """Whether there is a C++ compiler, without which nothing can be compiled for a CPU."""
    return any(shutil.which(name) for name in ("c++", "g++", "clang++"))


def trace(step: Callable[..., Any], example: tuple[Any, ...]) -> GraphModule:
    """The tensor operations of `step` on arguments shaped like `example` (pytrees of tensors), each made once."""
    from torch._functorch.compile_utils import fx_graph_cse
    from torch._guards import TracingContext, tracing
    from torch._subclasses.fake_tensor import FakeTensorMode
    from torch.fx.experimental.proxy_tensor import make_fx

    # make_fx notes every result as a fake tensor; with no mode at hand it makes one for each: half of its time.
    with torch.no_grad(), tracing(TracingContext(FakeTensorMode(allow_fallback_kernels=True))):
        graph = make_fx(lambda *arguments: step(*arguments))(
            *_distinct(example)
        )  # tracing counts a method's self
    graph.graph.eliminate_dead_code()
    # two results of one operation may part only where one is overwritten
    if not any(map(_mutates, graph.graph.nodes)):
        once = fx_graph_cse(graph.graph)
        once.set_codegen(graph.graph._codegen)
        graph.graph = once
    graph.recompile()
    return graph


def _mutates(node: Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return schema is not None and schema.is_mutable


def _distinct(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """The same with a tensor for each: tracing and compiling would take two inputs that start as one for one input."""
    return tree_map(lambda leaf: leaf.clone() if isinstance(leaf, Tensor) else leaf, arguments)


def ready(graph: GraphModule, path: Path) -> Callable[..., Any]:
    """The graph on this path."""
    if path == "traced":
        return graph
    compiled = torch.compile(graph, fullgraph=True, dynamic=False, options=UNGUARDED)
    fresh = True

    def call(*arguments: Any) -> Any:
        nonlocal fresh
        if fresh:
            arguments, fresh = _distinct(arguments), False
        return compiled(*arguments)

    return call


def build(step: Callable[..., Any], example: tuple[Any, ...], path: Path) -> Callable[..., Any]:
    """`step` traced on `example` and made ready on this path."""
    return ready(trace(step, example), path)
