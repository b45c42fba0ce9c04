"""Structured prediction: the value by hand, which half is given, and the exact mean of gradients."""

from types import SimpleNamespace

import pytest
import torch
from small_tasks import in_doubles
from torch.nn.functional import binary_cross_entropy_with_logits

from reparam import estimators, gradient_moments, tasks
from reparam.noise import draw, generator
from reparam.oracles import objectives
from reparam.program import describe, run


def tiny(shape: tuple[int, int] = (2, 2), **options: object) -> tuple[object, dict[str, torch.Tensor]]:
    pixels = shape[0] * shape[1]
    train = (draw("uniform", (5, pixels), generator("test", "pixels")) < 0.4).float()
    dataset = SimpleNamespace(name="tiny", train=train, test=train[:2], valid=None, shape=shape)
    task = tasks.get("structured_prediction")({"data": "tiny", "units": 2, **options}, dataset)
    return in_doubles(task, "sbn")


def test_the_value_by_hand() -> None:
    task, p = tiny()
    z1, z2 = torch.tensor([1.0, 0.0]).double(), torch.tensor([0.0, 1.0]).double()
    samples = {"z1": z1, "z2": z2}
    trace = run(task.program(task.train), p, lambda name, law: samples[name].expand(*law.shape))
    upper, lower = task.train[:, :2] - task.train.mean(0)[:2], task.train[:, 2:]
    first = trace.sites["z1"].law.logits
    torch.testing.assert_close(first, upper @ p["layers.z1.0.weight"].T + p["layers.z1.0.bias"])
    second = trace.sites["z2"].law.logits
    expected = (2 * z1 - 1) @ p["layers.z2.0.weight"].T + p["layers.z2.0.bias"]
    torch.testing.assert_close(second, expected.expand(5, 2))
    logits = ((2 * z2 - 1) @ p["pixels.lower.0.weight"].T + p["pixels.lower.0.bias"]).expand(5, 2)
    by_hand = -binary_cross_entropy_with_logits(logits, lower, reduction="none").sum(-1)
    torch.testing.assert_close(trace.value, by_hand)


def test_the_middle_row_of_an_odd_number_is_given() -> None:
    task, params = tiny(shape=(3, 2), layers=1)
    assert params["layers.z1.0.weight"].shape == (2, 4)
    assert params["pixels.lower.0.weight"].shape == (2, 2)
    assert list(describe(task.program(task.train), params)) == ["z1"]


@pytest.mark.parametrize(
    ("name", "options"), [("disarm", {}), ("score_function", {"baseline": "leave_one_out", "samples": 2})]
)
def test_gradients_through_the_task_have_the_exact_mean(name: str, options: dict) -> None:
    """Every parameter's mean of 20,000 draws within 6 standard errors (false alarm below 1e-6 for all entries)."""
    task, params = tiny()
    program = task.program(task.train[:2])
    exact = torch.func.grad(lambda p: objectives.expectation(program, p).sum())(params)
    found = gradient_moments(program, params, estimators.make(name, options), draws=20_000)
    for entry, truth in exact.items():
        off = (found.mean[entry] - truth).abs()
        assert (off <= 6 * found.standard_error[entry] + 1e-9).all(), entry


def test_a_learned_proposal_has_the_same_likelihood() -> None:
    """Σ_z q(z) exp(value) = Σ_z p(z|upper) p(lower|z) = p(lower|upper), whatever q is; it looks at the lower half."""
    learned, params = tiny(proposal="learned")
    plain, _ = tiny()
    found = []
    for task in (learned, plain):
        program = task.program(task.train)
        total = torch.zeros(5).double()
        for bits in torch.cartesian_prod(*4 * [torch.tensor([0.0, 1.0]).double()]):
            samples = {"z1": bits[:2], "z2": bits[2:]}
            trace = run(program, params, lambda name, law, s=samples: s[name].expand(*law.shape))
            log_q = sum(site.law.log_prob(site.z) for site in trace.sites.values())
            total += (trace.value + log_q).exp()
        found.append(total)
    torch.testing.assert_close(*found)
    q = describe(learned.program(learned.train), params)["z1"].law.logits
    whole = learned.train - learned.train.mean(0)
    expected = whole @ params["proposal.z1.0.weight"].T + params["proposal.z1.0.bias"]
    torch.testing.assert_close(q, expected)
    relaxed = describe(learned.relaxed(learned.train, 0.5, 0.4), params)
    assert {float(site.law.temperature) for site in relaxed.values()} == {0.5}
