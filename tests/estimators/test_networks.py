"""The small networks of estimators: their first weights, what they compute, and what they may look at."""

from __future__ import annotations

import pytest
import torch

from reparam.distributions import Bernoulli
from reparam.estimators.networks import apply_network, context_of, flat_event, init_network
from reparam.noise import generator
from reparam.program import Site, describe


@pytest.mark.parametrize("zero_last", [True, False])
def test_first_weights_have_variance_one_over_inputs_and_the_last_layer_may_be_zero(zero_last: bool) -> None:
    """2,400 and 1,800 weights: a relative error of their standard deviation above 6 % is 4 standard errors."""
    made = init_network("net", (40, 60, 30, 2), generator("test", "networks"), zero_last)
    assert set(made) == {f"net.{layer}.{part}" for layer in range(3) for part in ("weight", "bias")}
    for layer, (inputs, outputs) in enumerate([(40, 60), (60, 30), (30, 2)]):
        weight, bias = made[f"net.{layer}.weight"], made[f"net.{layer}.bias"]
        assert weight.shape == (outputs, inputs) and bias.shape == (outputs,) and not bias.any()
        if layer < 2:
            assert weight.std().item() * inputs**0.5 == pytest.approx(1, rel=0.06)
        else:
            assert bool(weight.any()) is not zero_last


def test_it_is_affine_layers_with_an_activation_between() -> None:
    source = generator("test", "apply")
    tunables = {
        **init_network("a", (3, 4, 5, 2), source, zero_last=False),
        **init_network("b", (3, 2), source, zero_last=False),
    }
    tunables = {name: entry + 0.1 for name, entry in tunables.items()}
    x = torch.linspace(-1, 2, 6).reshape(2, 3)

    def layer(name: str, inputs: torch.Tensor) -> torch.Tensor:
        return inputs @ tunables[f"{name}.weight"].T + tunables[f"{name}.bias"]

    torch.testing.assert_close(apply_network(tunables, "b", x), layer("b.0", x))
    deep = layer("a.2", torch.relu(layer("a.1", torch.relu(layer("a.0", x)))))
    torch.testing.assert_close(apply_network(tunables, "a", x, torch.relu), deep)
    assert apply_network(tunables, "a", x.double()).dtype == torch.float64


def test_context_is_flat_per_datum_and_a_constant() -> None:
    x = torch.arange(12.0).reshape(2, 3, 2).requires_grad_()

    def program(params, sample):
        z = sample("seen", Bernoulli(logits=params["logits"]), context=x)
        return z.sum(-1) + sample("unseen", Bernoulli(logits=params["logits"])).sum(-1)

    sites: dict[str, Site] = dict(describe(program, {"logits": torch.zeros(2, 4)}))
    found = context_of(sites["seen"])
    assert found is not None and torch.equal(found, x.detach().reshape(2, 6)) and not found.requires_grad
    assert context_of(sites["unseen"]) is None
    assert flat_event(torch.zeros(2, 3, 4), 0).shape == (24,)
