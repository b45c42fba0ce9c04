"""The K-sample bound against enumeration, and how it comes together from chunks."""

import weakref
from types import SimpleNamespace

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from reparam import measure, tasks
from reparam.distributions import Bernoulli
from reparam.errors import ReparamError
from reparam.measure import multi_sample_bound
from reparam.models import linear_gaussian
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


def test_several_bounds_are_read_as_each_alone() -> None:
    read = measure.get("multi_sample_bound")
    both = read(context(units=2), {"samples": [2, 30]}).metrics
    assert both == {
        **read(context(units=2), {"samples": 2}).metrics,
        **read(context(units=2), {"samples": 30}).metrics,
    }


def test_chunks_leave_no_datum_and_no_draw_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a value that does not depend on the draw, any chunking gives the value itself."""
    monkeypatch.setattr(multi_sample_bound, "AT_ONCE", 2)
    where = context(units=2)
    where = where._replace(task=SimpleNamespace(log_weight=True, test=where.task.test, program=sums))
    found = measure.get("multi_sample_bound")(where, {"samples": 5}).metrics["bound_5/test"]
    assert found == pytest.approx(where.task.test.sum(-1).mean().item())
    three = measure.get("multi_sample_bound")(where, {"samples": 5, "points": 3}).metrics["bound_5/test"]
    assert three == pytest.approx(where.task.test[:3].sum(-1).mean().item())


def test_parts_of_the_data_have_noise_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first of two equal rows is read as if it were alone, the second one otherwise."""
    monkeypatch.setattr(multi_sample_bound, "AT_ONCE", 1)
    where = context("gaussian_vae", hidden=2, latent=1, kl="sampled")
    alone, both = (
        multi_sample_bound.mean_bound(where, where.task.program, where.task.test[:1].repeat(n, 1), 1, ())
        for n in (1, 2)
    )
    assert abs(alone - both) > 1e-3


@pytest.mark.parametrize("perturbation", [0.0, 0.05])
def test_with_5000_samples_it_is_the_evidence_of_a_linear_gaussian_model(perturbation: float) -> None:
    """The gap of K samples is Var[w] / (2 Z² K), about 1e-5 nats in two dimensions, and the noise is greater.

    Its standard error is √(Var[w] / Z² / 5000 / 40), below 7e-4 while Var[w] / Z² is below 0.1.
    """
    source = generator("test", "bound", "linear")
    x = linear_gaussian.data(40, 2, source)
    params = linear_gaussian.perturbed(linear_gaussian.best(x), perturbation, source)
    task = SimpleNamespace(log_weight=True, test=x, program=linear_gaussian.log_weight)
    where = measure.Context(task, None, params, ("test", "linear"), torch.device("cpu"), {}, 5)
    found = measure.get("multi_sample_bound")(where, {"samples": 5000}).metrics["bound_5000/test"]
    exact = linear_gaussian.log_evidence(x, params["prior.mean"]).mean().item()
    assert found == pytest.approx(exact, abs=5e-3)


class Peak(TorchDispatchMode):
    """The most bytes of tensors that were alive at one time, of those made under this mode."""

    def __init__(self) -> None:
        super().__init__()
        self.live, self.now, self.most = weakref.WeakKeyDictionary(), 0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        found = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(found):
            if isinstance(leaf, torch.Tensor) and leaf.untyped_storage() not in self.live:
                storage = leaf.untyped_storage()
                self.live[storage] = size = storage.nbytes()
                self.now += size
                weakref.finalize(storage, self.free, size)
        self.most = max(self.most, self.now)
        return found

    def free(self, size: int) -> None:
        self.now -= size


def test_memory_does_not_grow_with_data_or_samples() -> None:
    """Images of 28 × 28 under Burda's nets: 35 MB at 50 of them and 50 samples, as at 100 and 100.

    So 10,000 images at 5,000 samples take that, and 31 MB for the images themselves.
    """
    images = torch.zeros(100, 784)
    data = SimpleNamespace(name="blank", train=images, test=images, valid=None, shape=(28, 28))
    task = tasks.get("deep_gaussian_vae")({"data": "blank"}, data)
    params = task.init(generator("test", "memory"))
    where = measure.Context(task, None, params, ("test", "memory"), torch.device("cpu"), {}, 5)
    peaks = []
    for points, samples in ((50, 50), (100, 100)):
        with torch.no_grad(), Peak() as peak:
            measure.get("multi_sample_bound")(where, {"samples": samples, "points": points})
        peaks.append(peak.most)
    assert peaks[0] < 40e6 and peaks[1] == pytest.approx(peaks[0], rel=0.01)


def test_each_nth_row_and_the_gap_between_splits() -> None:
    where = context(units=2)
    own = SimpleNamespace(
        log_weight=True, binarisation="none", train=where.task.train, test=where.task.test, program=sums
    )
    where = where._replace(task=own)
    found = measure.get("multi_sample_bound")(where, {"samples": 2, "every": 2}).metrics
    assert found["bound_2/test"] == pytest.approx(own.test[[0, 2, 4]].sum(-1).mean().item())
    gap = measure.get("train_test_gap")(where, {"samples": 2}).metrics
    assert gap == {"gap_2": pytest.approx((own.train.sum(-1).mean() - own.test.sum(-1).mean()).item())}


def test_a_value_that_is_no_log_weight_is_refused() -> None:
    with pytest.raises(ReparamError, match="log weight"):
        measure.get("multi_sample_bound")(context("gaussian_vae", hidden=2, latent=1), {"samples": 3})
    measure.get("multi_sample_bound")(
        context("gaussian_vae", hidden=2, latent=1, kl="sampled"), {"samples": 3}
    )
