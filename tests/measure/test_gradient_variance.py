"""The split of a gradient's variance into its data part and its noise part."""

from types import SimpleNamespace

import pytest
import torch

from reparam import measure, tasks
from reparam.engine import learners
from reparam.errors import ReparamError
from reparam.measure.gradient_variance import split_variance
from reparam.noise import draw, generator
from reparam.program import follow, run


def test_split_recovers_known_parts() -> None:
    """Data variance 2 and noise variance 3 in each of 4 entries: both sums within 4.5 standard errors."""
    batches, draws, entries = 400, 10, 4
    source = generator("test", "split")
    across = 2**0.5 * draw("normal", (batches, 1, entries), source, torch.float64)
    within = 3**0.5 * draw("normal", (batches, draws, entries), source, torch.float64)
    data, noise = split_variance(across + within)
    assert abs(noise - 12) < 4.5 * 3 * (2 * entries / (batches * (draws - 1))) ** 0.5
    assert abs(data - 8) < 4.5 * (2 + 3 / draws) * (2 * entries / batches) ** 0.5


def context(
    method: str, batch: int = 20, grey: float | None = None, binarisation: str = "none", **options: object
) -> measure.Context:
    """Sixty rows of bits, or of one grey level."""
    train = (draw("uniform", (60, 6), generator("test", "variance")) < 0.4).float()
    train = train if grey is None else torch.full_like(train, grey)
    dataset = SimpleNamespace(name="tiny", train=train, test=train[:10], shape=(2, 3))
    given = {"data": "tiny", "hidden": 5, "latent": 2, "binarisation": binarisation}
    task = tasks.get("gaussian_vae")(given, dataset)
    training = {"optimiser": {"name": "sgd"}}
    learner = learners.make(task, {"name": method, "options": options}, training)
    params = {n: 50 * p for n, p in task.init(generator("test", "variance", "init")).items()}
    state = learner.init(params, train[:20], generator("test", "method"))
    return measure.Context(task, learner, params, ("test", "variance"), torch.device("cpu"), state, batch)


def test_more_samples_divide_the_noise_part_only() -> None:
    """Four samples: a quarter of the noise part within 15 %; the data part unchanged within 25 %."""
    options = {"minibatches": 100, "draws": 20}
    one, four = (
        measure.get("gradient_variance")(context("pathwise", samples=samples), options).metrics
        for samples in (1, 4)
    )
    for group in ("encoder", "decoder"):
        ratio = one[f"gradient_variance/{group}/noise"] / four[f"gradient_variance/{group}/noise"]
        assert abs(ratio / 4 - 1) < 0.15
        ratio = one[f"gradient_variance/{group}/data"] / four[f"gradient_variance/{group}/data"]
        assert abs(ratio - 1) < 0.25


def test_minibatches_of_all_data_leave_no_data_part_and_the_whole_gradient() -> None:
    """No data part within half of what the noise part would leave behind uncorrected (3.5 standard errors); the
    mean gradient is that of the mean bound, by backward() on 4,000 other draws, within 5 %."""
    where = context("pathwise", batch=60)
    found = measure.get("gradient_variance")(where, {"minibatches": 100, "draws": 10}).metrics
    params = {n: p.clone().requires_grad_() for n, p in where.params.items()}
    x = where.task.train.expand(4000, -1, -1)
    z = draw("normal", (4000, 60, 2), generator("test", "variance", "z"))
    run(where.task.program(x), params, follow({"z": {"normal": z}})).value.mean().backward()
    for group in ("encoder", "decoder"):
        noise = found[f"gradient_variance/{group}/noise"]
        assert abs(found[f"gradient_variance/{group}/data"]) < 0.5 * noise / 10
        norm = sum(p.grad.square().sum().item() for n, p in params.items() if n.startswith(group))
        assert abs(found[f"gradient_norm/{group}"] - noise / 1000 - norm) < 0.05 * norm


def test_dynamic_pixels_are_part_of_the_data() -> None:
    """Rows of one grey level differ only by their bits; without binarisation there is no data part, and each
    minibatch has noise of its own (with the same for all, the correction would leave −noise / draws)."""
    options = {"minibatches": 100, "draws": 10}
    still, moving = (
        measure.get("gradient_variance")(context("pathwise", grey=0.5, binarisation=rule), options).metrics
        for rule in ("none", "dynamic")
    )
    for group in ("encoder", "decoder"):
        name = f"gradient_variance/{group}/data"
        assert moving[name] > 0.1 * moving[f"gradient_variance/{group}/noise"]
        assert abs(still[name]) < 0.5 * still[f"gradient_variance/{group}/noise"] / 10


def test_the_baseline_s_memory_counts() -> None:
    options = {"minibatches": 20, "draws": 10}
    where = context("score_function", baseline="moving_average")
    before = measure.get("gradient_variance")(where, options).metrics
    where.state["memory"] = {"total": {"z": torch.tensor(-4.5)}, "weight": torch.tensor(1.0)}
    after = measure.get("gradient_variance")(where, options).metrics
    assert after["gradient_variance/encoder/noise"] < before["gradient_variance/encoder/noise"] / 2


def test_wake_sleep_has_no_gradient_of_the_bound() -> None:
    with pytest.raises(ReparamError, match="needs a gradient estimator"):
        measure.get("gradient_variance")(context("wake_sleep"), {"minibatches": 2, "draws": 2})
