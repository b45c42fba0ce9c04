"""Activities against their closed form, and the bound without units against a model that never had them."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from reparam import measure, tasks
from reparam.distributions import Normal
from reparam.errors import ReparamError
from reparam.noise import draw, generator
from reparam.program import Params, Program, Sample

ROWS, SAMPLES = 800, 4


class Chain:
    """z1 ~ N(a x, 1) and z2 ~ N(b z1, 1): A is a² Var x, and b² (a² Var x + 1 / samples)."""

    log_weight, binarisation = False, "none"
    a, b = torch.tensor([0.0, 0.05, 2.0]), torch.tensor([0.0, 0.2, -0.3])

    def __init__(self) -> None:
        self.train = draw("normal", (ROWS, 1), generator("test", "active"))
        self.test = self.train[:5]

    def program(self, x: torch.Tensor) -> Program:
        def value(params: Params, sample: Sample) -> torch.Tensor:
            one = torch.ones(len(x), 3)
            z1 = sample("z1", Normal(self.a * x, one))
            return sample("z2", Normal(self.b * z1, one)).sum(-1)

        return value


def found(task: object, params: Params | None = None, **options: object) -> measure.Measured:
    where = measure.Context(
        task, None, params or {"some": torch.zeros(1)}, ("test", "active"), torch.device("cpu"), {}, 5
    )
    return measure.get("active_units")(where, options)


def test_activities_are_those_of_a_linear_chain() -> None:
    """A_2 is an average over 800 data: its relative standard error is about √(2 / 800) = 5 %; 30 % are six of them."""
    task = Chain()
    readings = found(task, samples=SAMPLES)
    spread = task.train.double().var(correction=0).item()
    a, b = task.a.double().numpy(), task.b.double().numpy()
    np.testing.assert_allclose(readings.arrays["activity_z1"], a**2 * spread, rtol=1e-5, atol=1e-12)
    expected = b**2 * (a**2 * spread + 1 / SAMPLES)
    np.testing.assert_allclose(readings.arrays["activity_z2"], expected, rtol=0.3, atol=1e-12)
    assert readings.metrics["active/z1"] == 1 and readings.metrics["active"] == 2
    assert set(readings.metrics) == {f"{n}{s}" for n in ("active", "active_code") for s in ("/z1", "/z2", "")}


def test_the_code_takes_one_draw_of_the_first_500_rows() -> None:
    """One draw leaves b² of the second layer's inner unit in: 0.04 > 1e-2; 100 draws leave b² / 100 + b² a² Var x."""
    task = Chain()
    task.train = torch.cat([task.train[:500], torch.zeros(300, 1)])
    readings = found(task, samples=100)
    assert readings.metrics["active/z2"] == 1 and readings.metrics["active_code/z2"] == 2
    first = found(task, points=500, samples=1)
    assert first.metrics["active"] == first.metrics["active_code"]


def test_without_units_that_nothing_uses_the_bound_stays_and_without_others_it_falls() -> None:
    """The second unit's q is its prior and p(x|z) does not see it. Two bounds of 4,000 samples over 60 data differ by
    their noise, √(2 Var[w] / Z² / 240,000) or 0.004 nats while Var[w] / Z² is about 2."""
    train = (draw("uniform", (60, 4), generator("test", "pixels")) < 0.4).float()
    data = SimpleNamespace(name="tiny", train=train, test=train, valid=None, shape=(2, 2))
    task = tasks.get("deep_gaussian_vae")({"data": "tiny", "units": 2, "hidden": 6}, data)
    params = task.init(generator("test", "units"))
    params = {n: p + 0.5 * draw("normal", tuple(p.shape), generator("test", n)) for n, p in params.items()}
    for part in ("weight", "bias"):
        params[f"encoder.z1.log_scale.{part}"] *= 0  # as wide as the prior, so that weights are bounded
        params[f"encoder.z1.mean.{part}"][1] = 0
    params["decoder.x.0.weight"][:, 1] = 0
    readings = found(task, params, removal={"samples": 4000}).metrics
    assert readings["active"] == 1
    assert abs(readings["removal_loss_4000"]) < 0.03
    params["decoder.x.0.weight"][:, 1] = 3
    fewer = found(task, params, removal={"samples": 400, "every": 2}).metrics
    assert fewer["removal_loss_400"] > 0.1


def test_the_most_active_unit_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    train = (draw("uniform", (20, 4), generator("test", "pixels")) < 0.4).float()
    data = SimpleNamespace(name="tiny", train=train, test=train, valid=None, shape=(2, 2))
    task = tasks.get("deep_gaussian_vae")({"data": "tiny", "units": 3, "hidden": 6}, data)
    params = task.init(generator("test", "units"))
    params["encoder.z1.mean.weight"] *= torch.tensor([[1e-3], [1e-2], [1e-3]])
    kept: list[dict] = []
    monkeypatch.setattr(task, "without", lambda params, units: kept.append(units) or params)
    assert found(task, params, removal={"samples": 2}).metrics["active"] == 0
    assert kept[0]["z1"].tolist() == [1]


def test_units_that_cannot_be_taken_out_are_refused() -> None:
    with pytest.raises(ReparamError, match="log weight"):
        found(Chain(), removal={"samples": 2})
    task = Chain()
    task.log_weight = True
    with pytest.raises(ReparamError, match="deep_gaussian_vae"):
        found(task, removal={"samples": 2})
