"""The K-sample bound against enumeration, and how it comes together from chunks."""

from types import SimpleNamespace

import pytest
import torch

from reparam import measure, tasks
from reparam.distributions import Bernoulli
from reparam.errors import ReparamError
from reparam.measure import multi_sample_bound
from reparam.noise import draw, generator
from reparam.oracles import objectives
from reparam.program import Params, Program, Sample, run


def context(name: str = "discrete_vae", **options: object) -> measure.Context:
    train = (draw("uniform", (7, 4), generator("test", "bound")) < 0.4).float()
    data = SimpleNamespace(name="tiny", train=train, test=train[:5], valid=None, shape=(2, 2))
    task = tasks.get(name)({"data": "tiny", **options}, data)
    source = generator("test", "bound", "weights")
    params = {n: p + draw("normal", tuple(p.shape), source) for n, p in task.init(source).items()}
    return measure.Context(task, None, params, ("test", "bound"), torch.device("cpu"), {}, 5)


def sums(x: torch.Tensor) -> Program:
    """Σ of each row, whatever the draw."""

    def value(params: Params, sample: Sample) -> torch.Tensor:
        return x.sum(-1) + 0 * sample("z", Bernoulli(logits=torch.zeros(len(x), 1))).sum(-1)

    return value


def test_the_bound_of_three_samples_is_that_of_enumeration() -> None:
    """The mean of 300 independent readings within 6 of its standard errors (false alarm below 1e-8)."""
    where = context(units=2)
    exact = objectives.bound(where.task.program(where.task.test), where.params, 3).mean()
    found = torch.tensor(
        [
            measure.get("multi_sample_bound")(where._replace(axes=("test", i)), {"samples": 3}).metrics[
                "bound_3/test"
            ]
            for i in range(300)
        ]
    )
    error = found.std() / len(found) ** 0.5
    assert abs(found.mean() - exact) < 6 * error < 0.2


def test_with_many_samples_it_is_the_likelihood() -> None:
    where = context(units=2)
    program = where.task.program(where.task.train)
    # Of four states: q(z) · weight is p(x, z), so that the mean weight under q is p(x).
    exact = torch.zeros(7)
    for z in torch.cartesian_prod(torch.tensor([0.0, 1.0]), torch.tensor([0.0, 1.0])):
        trace = run(program, where.params, lambda n, law, z=z: z.expand(*law.shape))
        exact += (trace.value + trace.sites["z1"].law.log_prob(z)).exp()
    found = measure.get("multi_sample_bound")(where, {"samples": 20_000, "splits": ["train"]}).metrics
    assert found.keys() == {"bound_20000/train"}
    assert abs(found["bound_20000/train"] - exact.log().mean().item()) < 0.02


def test_chunks_leave_no_datum_and_no_draw_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a value that does not depend on the draw, any chunking gives the value itself."""
    monkeypatch.setattr(multi_sample_bound, "AT_ONCE", 2)
    where = context(units=2)
    where = where._replace(task=SimpleNamespace(log_weight=True, test=where.task.test, program=sums))
    found = measure.get("multi_sample_bound")(where, {"samples": 5}).metrics["bound_5/test"]
    assert found == pytest.approx(where.task.test.sum(-1).mean().item())
    three = measure.get("multi_sample_bound")(where, {"samples": 5, "points": 3}).metrics["bound_5/test"]
    assert three == pytest.approx(where.task.test[:3].sum(-1).mean().item())


def test_a_value_that_is_no_log_weight_is_refused() -> None:
    with pytest.raises(ReparamError, match="log weight"):
        measure.get("multi_sample_bound")(context("gaussian_vae", hidden=2, latent=1), {"samples": 3})
    measure.get("multi_sample_bound")(
        context("gaussian_vae", hidden=2, latent=1, kl="sampled"), {"samples": 3}
    )
