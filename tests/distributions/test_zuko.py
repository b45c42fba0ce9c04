"""Flows of zuko as laws; without zuko, what is said."""

from __future__ import annotations

import pytest
import torch

from reparam import estimate, from_zuko
from reparam.errors import ReparamError

NAMES = ("MAF", "NICE", "NSF", "RealNVP")


@pytest.fixture
def zuko():
    return pytest.importorskip("zuko")


def made(zuko, name: str, context: int):
    torch.manual_seed(0)
    flow = getattr(zuko.flows, name)(3, context, transforms=2, hidden_features=(16,))
    return flow, {f"q.{key}": p.detach() for key, p in flow.named_parameters()}


@pytest.mark.parametrize("name", NAMES)
def test_densities_and_samples_are_those_of_zuko(zuko, name: str) -> None:
    flow, params = made(zuko, name, 2)
    context = torch.randn(4, 2, generator=torch.Generator().manual_seed(1))
    law = from_zuko(flow, params, context, prefix="q.")
    noise = torch.randn(4, 3, generator=torch.Generator().manual_seed(2))
    z = law.path({"normal": noise})
    assert (law.plate, law.event_dims) == ((4,), 1)
    torch.testing.assert_close(flow(context).transform(z), noise, rtol=1e-4, atol=1e-4)
    for given in (z, z.clone()):
        torch.testing.assert_close(law.log_prob(given), flow(context).log_prob(z), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_the_gradient_is_that_of_plain_autograd(zuko, name: str) -> None:
    flow, params = made(zuko, name, 0)

    def program(params, sample):
        law = from_zuko(flow, params, plate=(5,), prefix="q.")
        z = sample("z", law)
        return z.square().sum(-1) + law.log_prob(z)

    noise = {"z": {"normal": torch.randn(1, 5, 3, generator=torch.Generator().manual_seed(3))}}
    found = estimate(program, params, "pathwise", noise).gradient
    z, log_det = flow().transform.inv.call_and_ladj(noise["z"]["normal"][0])
    base = torch.distributions.Normal(0.0, 1.0).log_prob(noise["z"]["normal"][0]).sum(-1)
    (z.square().sum(-1) + base - log_det).sum().backward()
    for key, parameter in flow.named_parameters():
        expected = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        torch.testing.assert_close(found[f"q.{key}"], expected, rtol=1e-3, atol=1e-4)


def test_what_is_no_flow_of_zuko_is_refused() -> None:
    class Pair(torch.nn.Linear):
        def forward(self, context):
            return context

    module = Pair(2, 2)
    params = dict(module.named_parameters())
    with pytest.raises(ReparamError, match=r"from_zuko takes a normalising flow of zuko.flows \(pip install"):
        from_zuko(module, params)
    with pytest.raises(ReparamError, match=r"from_zuko: params has no 'q.weight'; begin with"):
        from_zuko(module, params, prefix="q.")
