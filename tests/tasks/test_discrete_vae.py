"""The discrete VAE's log weight against one written out by hand, and every estimator's mean on it."""

import math
from itertools import product
from types import SimpleNamespace

import pytest
import torch
from small_tasks import in_doubles
from torch.nn.functional import binary_cross_entropy_with_logits, log_softmax

from reparam import estimators, gradient_moments, tasks
from reparam.errors import ReparamError
from reparam.noise import draw, generator
from reparam.oracles import objectives
from reparam.program import run

PIXELS = 4


def dataset(points: int = 5) -> SimpleNamespace:
    train = (draw("uniform", (points, PIXELS), generator("test", "pixels")) < 0.4).float()
    return SimpleNamespace(name="tiny", train=train, test=train[:2], valid=None, shape=(2, 2))


def tiny(**options: object) -> tuple[object, dict[str, torch.Tensor]]:
    task = tasks.get("discrete_vae")(
        {"name": "discrete_vae", "data": "tiny", "units": 2, **options}, dataset()
    )
    return in_doubles(task, "vae")


def at(task: object, params: dict[str, torch.Tensor], samples: dict[str, torch.Tensor]) -> torch.Tensor:
    """The program's value with these samples, hard ones, the same for all data."""
    trace = run(task.program(task.train), params, lambda name, law: samples[name].expand(*law.shape))
    return trace.value


def bits(logits: torch.Tensor, z: torch.Tensor) -> torch.Tensor:
    z = z.double().expand_as(logits)
    return -binary_cross_entropy_with_logits(logits, z, reduction="none").sum(-1)


@pytest.mark.parametrize("hidden", [(), (3,)])
def test_two_layers_of_bits_by_hand(hidden: tuple[int, ...]) -> None:
    task, p = tiny(layers=2, hidden=hidden)
    x, mean = task.train, task.train.mean(0)

    def network(name: str, inputs: torch.Tensor) -> torch.Tensor:
        if hidden:
            inputs = torch.tanh(inputs @ p[f"{name}.0.weight"].T + p[f"{name}.0.bias"])
        last = len(hidden)
        return inputs @ p[f"{name}.{last}.weight"].T + p[f"{name}.{last}.bias"]

    z1, z2 = torch.tensor([1.0, 0.0]).double(), torch.tensor([0.0, 0.0]).double()
    value = bits(network("decoder.x", (2 * z1 - 1).expand(5, 2)), x)
    value += bits(network("decoder.z1", (2 * z2 - 1).expand(5, 2)), z1)
    value += bits(p["prior.logits"].expand(5, 2), z2)
    value -= bits(network("encoder.z1", x - mean), z1)
    value -= bits(network("encoder.z2", (2 * z1 - 1).expand(5, 2)), z2)
    torch.testing.assert_close(at(task, p, {"z1": z1, "z2": z2}), value)


@pytest.mark.parametrize("code", ["signed", "unit"])
def test_choices_by_hand(code: str) -> None:
    """Two variables of four classes: one-hot vectors, or the corners (±1, ±1) of a square."""
    task, p = tiny(classes=4, code=code, centre=False, prior="uniform")
    x, z = task.train, torch.eye(4).double()[[2, 1]]
    seen = torch.tensor([1.0, -1.0, -1.0, 1.0]).double() if code == "signed" else z.flatten()
    q = log_softmax((x @ p["encoder.z1.0.weight"].T + p["encoder.z1.0.bias"]).reshape(5, 2, 4), -1)
    pixels = seen @ p["decoder.x.0.weight"].T + p["decoder.x.0.bias"]
    value = bits(pixels.expand(5, PIXELS), x) - 2 * torch.tensor(4.0).double().log() - (q * z).sum((-1, -2))
    torch.testing.assert_close(at(task, p, {"z1": z}), value)
    assert "prior.logits" not in p


def test_the_log_weights_mean_is_the_likelihood() -> None:
    """Σ_z q(z|x) exp(value) = p(x), and p sums to one over all x: the model is normalised."""
    task, params = tiny(layers=2)
    every = torch.tensor(list(product((0.0, 1.0), repeat=PIXELS))).double()
    log_likelihood = objectives.bound(task.program(every), params, 1)
    assert (log_likelihood.exp().sum() < 1).item()
    total = torch.zeros(len(every)).double()
    for z1, z2 in product(product((0.0, 1.0), repeat=2), repeat=2):
        samples = {"z1": torch.tensor(z1).double(), "z2": torch.tensor(z2).double()}
        trace = run(task.program(every), params, lambda name, law, s=samples: s[name].expand(*law.shape))
        log_q = sum(site.law.log_prob(site.z) for site in trace.sites.values())
        total += (trace.value + log_q).exp()
    torch.testing.assert_close(total.sum(), torch.tensor(1.0).double())


def test_the_start_is_the_papers() -> None:
    task = tasks.get("discrete_vae")({"data": "tiny", "units": 300, "hidden": [200]}, dataset())
    params = task.init(generator("test", "start"))
    assert params["encoder.z1.1.weight"].abs().max() <= (6 / 500) ** 0.5
    assert abs(params["encoder.z1.1.weight"].var().item() / (2 / 500) - 1) < 0.05
    means = task.train.mean(0).clamp(1e-3, 1 - 1e-3)
    torch.testing.assert_close(params["decoder.x.1.bias"].sigmoid(), means)
    assert not params["encoder.z1.0.bias"].any() and not params["prior.logits"].any()
    scaled = tasks.get("discrete_vae")(
        {"data": "tiny", "units": 300, "hidden": [200], "start": "variance_scaling", "decoder_bias": "zero"},
        dataset(),
    ).init(generator("test", "start"))
    assert abs(scaled["encoder.z1.1.weight"].var().item() / (2 / 200) - 1) < 0.05
    assert not scaled["decoder.x.1.bias"].any()


def test_validation_rows_are_held_out_of_the_training_ones() -> None:
    held, _ = tiny(valid_size=2)
    whole, _ = tiny()
    assert torch.equal(torch.cat([held.train, held.valid.double()]), whole.train) and len(held.valid) == 2
    assert whole.valid is None
    for size in (0, 5):
        with pytest.raises(ReparamError, match="5 training rows"):
            tiny(valid_size=size)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"classes": 3}, "corners of a cube"),
        ({"classes": 1}, "at least 2"),
        ({"code": "sign"}, "signed, unit"),
        ({"hidden": 200}, "list of widths"),
        ({"hidden": [0]}, "whole number"),
        ({"prior": "fixed"}, "learned, uniform"),
        ({"unit": 3}, "did you mean 'units'"),
        ({"likelihood": "normal"}, "bernoulli, gaussian"),
        ({"likelihood": "gaussian", "binarisation": "static"}, "grey levels"),
    ],
)
def test_wrong_options_are_refused(options: dict, words: str) -> None:
    with pytest.raises(ReparamError, match=words):
        tiny(**options)


UNBIASED = {
    "score_function": {"baseline": "leave_one_out", "samples": 2},
    "nvil": {},
    "muprop": {"scaled": True, "baseline_units": 3},
    "rebar": {"tuned": "tensor", "adaptive": False, "relaxation": "muprop", "baseline_units": 3},
    "relax": {"hidden": [3, 3], "activation": "relu", "weight_decay": 1e-3},
    "disarm": {},
    "double_control_variates": {},
    "rodeo": {"hidden": 3},
}


@pytest.mark.parametrize("name", UNBIASED)
@pytest.mark.parametrize("layers", [1, 2])
def test_gradients_through_the_task_have_the_exact_mean(name: str, layers: int) -> None:
    """Every parameter's mean of 20,000 draws within 6 standard errors (false alarm below 1e-6 for all entries)."""
    check_means(*tiny(layers=layers, hidden=(3,)), name)


def check_means(task: object, params: dict[str, torch.Tensor], name: str) -> None:
    program = task.program(task.train[:2])
    exact = torch.func.grad(lambda p: objectives.expectation(program, p).sum())(params)
    found = gradient_moments(program, params, estimators.make(name, UNBIASED[name]), draws=20_000)
    for entry, truth in exact.items():
        off = (found.mean[entry] - truth).abs()
        assert (off <= 6 * found.standard_error[entry] + 1e-9).all(), entry


def test_normal_pixels_by_hand() -> None:
    """Grey levels stretched to [−1, 1], and the start at their means."""
    task, p = tiny(likelihood="gaussian", code="unit", prior="uniform", centre=False)
    bare = task.init(generator("test", "vae"))
    torch.testing.assert_close(bare["decoder.x.0.bias"], 2 * dataset().train.mean(0) - 1)
    assert torch.equal(task.train.unique(), torch.tensor([-1.0, 1.0]).double())
    z = torch.tensor([1.0, 0.0]).double()
    mean = z @ p["decoder.x.0.weight"].T + p["decoder.x.0.bias"]
    variance = (1 + p["decoder.x.variance"].exp()).log()
    value = torch.distributions.Normal(mean, variance.sqrt()).log_prob(task.train).sum(-1)
    value -= 2 * math.log(2)
    value -= bits(task.train @ p["encoder.z1.0.weight"].T + p["encoder.z1.0.bias"], z)
    torch.testing.assert_close(at(task, p, {"z1": z}), value)
    torch.testing.assert_close(task.reconstruct(p, task.train, {"z1": z.expand(5, 2)}), mean.expand(5, 4))
    p["decoder.x.variance"] = p["decoder.x.variance"] - 100
    assert at(task, p, {"z1": z}).isfinite().all()


@pytest.mark.parametrize("name", ["rodeo", "double_control_variates"])
def test_gradients_under_normal_pixels_have_the_exact_mean(name: str) -> None:
    """Every parameter's mean of 20,000 draws within 6 standard errors (false alarm below 1e-6 for all entries)."""
    task, params = tiny(likelihood="gaussian")
    check_means(task, params, name)


@pytest.mark.parametrize("name", ["vimco", "nvil", "reweighted_wake_sleep"])
def test_gradients_of_bounds_through_the_task_have_the_exact_mean(name: str) -> None:
    """Three samples of two layers, 12 bits: 20,000 draws within 6 standard errors (false alarm below 1e-6)."""
    task, params = tiny(layers=2)
    program = task.program(task.train[:2])
    options = {"samples": 3} | ({"normalise": False} if name == "nvil" else {})
    target = objectives.wake if name == "reweighted_wake_sleep" else objectives.bound
    exact = torch.func.grad(lambda p: target(program, p, 3).sum())(params)
    found = gradient_moments(program, params, estimators.make(name, options), draws=20_000)
    for entry, truth in exact.items():
        off = (found.mean[entry] - truth).abs()
        assert (off <= 6 * found.standard_error[entry] + 1e-9).all(), entry
