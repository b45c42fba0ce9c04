"""Paths of execution: graphs have no guards, may only take what they were made for, and do what the functions do."""

import pytest
import torch
from torch.utils._pytree import tree_map

from reparam.distributions import Bernoulli
from reparam.engine import paths
from reparam.engine.gradient import estimate_gradient
from reparam.estimators import make
from reparam.noise import draw_block, generator
from reparam.program import Params, Program, Sample, describe


def double(x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    return (2 * x * scale).sum(-1)


@pytest.mark.slow
def test_a_compiled_graph_never_answers_wrongly_for_arguments_of_another_shape() -> None:
    """It refuses them; a layout of the right shape it may compile for once more."""
    x, scale = torch.arange(6.0).reshape(2, 3), torch.ones(3)
    call = paths.build(double, (x, scale), "compiled")
    torch.testing.assert_close(call(x + 1, scale), double(x + 1, scale))
    with pytest.raises((AssertionError, RuntimeError)):
        call(torch.arange(8.0).reshape(2, 4), scale)
    turned = torch.arange(6.0).reshape(3, 2).T
    try:
        found = call(turned, scale)
    except (AssertionError, RuntimeError):
        return
    torch.testing.assert_close(found, double(turned, scale))


@pytest.mark.parametrize("path", ["traced", pytest.param("compiled", marks=pytest.mark.slow)])
def test_inputs_that_start_as_one_tensor_stay_two(path: paths.Path) -> None:
    zero = torch.zeros(())
    start = {"a": zero, "b": zero}
    call = paths.build(lambda s: {"a": s["a"] + s["b"], "b": 10 * s["b"]}, (start,), path)
    assert call(start) == start
    found = call({"a": torch.tensor(1.0), "b": torch.tensor(5.0)})
    assert found == {"a": torch.tensor(6.0), "b": torch.tensor(50.0)}


def called(graph: torch.fx.GraphModule, name: str) -> int:
    return sum(str(node.target).startswith(f"aten.{name}.") for node in graph.graph.nodes)


def test_an_operation_on_the_same_values_is_made_once() -> None:
    x = torch.tensor([0.3, 2.0])
    graph = paths.trace(lambda x: {"a": x.exp() + x.exp() + x, "b": (x.exp() * 2).sum()}, (x,))
    assert called(graph, "exp") == 1
    torch.testing.assert_close(graph(x), {"a": 2 * x.exp() + x, "b": (2 * x.exp()).sum()})


def test_what_is_written_into_is_nobody_elses() -> None:
    """Two equal tensors stay two where one is overwritten."""

    def step(x: torch.Tensor) -> torch.Tensor:
        one, other = torch.exp(x), torch.exp(x)
        one.add_(1.0)
        return one * 2.0 + other * 3.0

    x = torch.tensor([0.3, 2.0])
    torch.testing.assert_close(paths.trace(step, (x,))(x), 5 * x.exp() + 2)


def test_equal_outputs_do_not_share_memory() -> None:
    x = torch.tensor([0.3, 2.0])
    one, other = paths.trace(lambda x: (x * 2.0, x * 2.0), (x,))(x)
    one.zero_()
    torch.testing.assert_close(other, 2 * x)


def cost(x: torch.Tensor) -> Program:
    def value(params: Params, sample: Sample) -> torch.Tensor:
        b = sample("b", Bernoulli(logits=params["q.logits"].expand(len(x), -1)), context=x)
        return (b - 0.3).square().sum(-1) * x.sum(-1)

    return value


def test_running_averages_go_on_as_without_tracing() -> None:
    """Five steps of NVIL, whose averages all start at zero, from the same state and noise."""
    x = torch.arange(6.0).reshape(3, 2)
    params = {"q.logits": torch.tensor([0.2, -0.4])}
    estimator, sites = make("nvil"), describe(cost(x), params)
    tunables, start = estimator.start(params, sites, generator("test", "paths"))
    noise = draw_block(estimator.noise(sites), ("test", "paths"), 5)

    def step(memory: object, noise: object) -> object:
        return estimate_gradient(estimator, cost(x), params, noise, tunables, memory).memory

    each = [tree_map(lambda leaf, t=t: leaf[t], noise) for t in range(5)]
    traced = paths.trace(step, (start, each[0]))
    eager = other = start
    for one in each:
        eager, other = step(eager, one), traced(other, one)
    torch.testing.assert_close(other, eager)
