"""What is measured along the training of a toy: exact mean, variance, and the shape of a control variate."""

import math

import pytest
import torch

from reparam import tasks
from reparam.cells.train import Outcome, Training
from reparam.engine import replicas
from reparam.errors import ReparamError
from reparam.oracles import one_bit, variance


def spec(name: str, measurements: dict, dimension: int = 1, **options: object) -> dict:
    return {
        "paper": "test",
        "experiment": "along",
        "procedure": "train",
        "method": {"name": name, "options": options},
        "task": {"name": "bits", "target": 0.2, "dimension": dimension, "start": 0.7},
        "training": {"batch": 1, "samples": 5, "optimiser": {"name": "sgd", "rate": 0.1}},
        "measurements": measurements,
    }


def measured(given: dict, tunables: dict | None = None) -> Outcome:
    training, found = Training(given, torch.device("cpu")), Outcome()
    state = training.initial(0)
    state["tunables"] |= {name: torch.tensor(value) for name, value in (tunables or {}).items()}
    one = replicas.stack([state] * training.replicas)
    training.measure(one, 0, 0, 5, found)
    return found


def rows(found: Outcome) -> dict[str, float]:
    return {metric: value for _, metric, value in found.rows}


@pytest.mark.parametrize("dimension", [1, 4])
def test_variance_is_the_exact_one_per_entry(dimension: int) -> None:
    """Against enumeration; 20,000 draws of a bounded estimate, 4 % being 6 standard errors or more."""
    given = spec("score_function", {"log_variance": {"draws": 20_000}}, dimension)
    task = tasks.make(given["task"])
    params = {"bits.logits": torch.full((dimension,), 0.7, dtype=torch.float64)}
    exact = variance.score_function(task.program(task.train), params).variance["bits.logits"].mean().item()
    found = rows(measured(given))
    assert found["variance/bits"] == pytest.approx(exact, rel=0.04)
    assert found["log_variance/bits"] == pytest.approx(math.log(found["variance/bits"]), rel=1e-12)


def test_what_has_no_variance_has_no_logarithm() -> None:
    found = rows(measured(spec("exact", {"log_variance": {"draws": 10}, "expectation": {}})))
    p = 1 / (1 + math.exp(-0.7))
    assert found["variance/bits"] == 0 and "log_variance/bits" not in found
    assert found["expectation"] == pytest.approx(p * 0.64 + (1 - p) * 0.04, rel=1e-6)


def test_tunables_of_the_training_are_measured() -> None:
    """REBAR with η = 0 is the score function: 3 % are 6 standard errors of REINFORCE's variance."""
    p, t = torch.tensor(0.7, dtype=torch.float64).sigmoid(), torch.tensor(0.2, dtype=torch.float64)
    given = spec("rebar", {"log_variance": {"draws": 20_000}}, tuned="site")
    assert rows(measured(given, {"eta.b": 0.0}))["variance/bits"] == pytest.approx(
        one_bit.reinforce(p, t).item(), rel=0.03
    )


def test_shape_of_a_relaxation() -> None:
    """η f(σ(g/τ)) for REBAR; an untrained RELAX adds 0."""
    tunables = {"eta.b": 0.5, "log_temperature.b": math.log(0.25)}
    found = measured(spec("rebar", {"relaxation": {"points": 7}}, tuned="site"), tunables)
    g = torch.linspace(-6, 6, 7)
    expected = 0.5 * (torch.sigmoid(g / 0.25) - 0.2) ** 2
    torch.testing.assert_close(torch.from_numpy(found.arrays["relaxation_c"]), expected)
    torch.testing.assert_close(torch.from_numpy(found.arrays["relaxation_g"]), g)
    assert rows(found) == pytest.approx({"eta": 0.5, "temperature": 0.25})
    other = measured(spec("relax", {"relaxation": {"points": 7}}), tunables)
    assert other.arrays["relaxation_c"].tolist() == found.arrays["relaxation_c"].tolist()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (spec("disarm", {"relaxation": {"points": 3}}), "one η a site"),
        (spec("rebar", {"relaxation": {"points": 3}}, tuned="tensor"), "one η a site"),
        (spec("rebar", {"relaxation": {"points": 3}}, 2, tuned="site"), "one bit's control variate"),
    ],
)
def test_what_has_no_such_curve_is_refused(given: dict, says: str) -> None:
    with pytest.raises(ReparamError, match=says):
        measured(given)


def test_running_moments_are_read_by_estimator_and_group() -> None:
    """Two gradients 1 and 3 apart in every entry, in equal parts: variance 1 for b, and 4 alongside."""
    given = spec(
        "score_function", {"running_variance": {}, "running_signal_to_noise": {}, "tuned_numbers": {}}
    )
    given["training"] |= {"moments": 0.5, "alongside": {"rebar": {"tuned": "site", "temperature": 0.25}}}
    training, found = Training(given, torch.device("cpu")), Outcome()
    state = training.initial(0)

    def moments(square: float) -> dict:
        mean, second = torch.full((1,), 2.0), torch.full((1,), square)
        return {
            "mean": {"bits.logits": mean / 2},
            "square": {"bits.logits": second / 2},
            "weight": torch.tensor(0.5),
        }

    state["moments"], state["alongside"]["rebar"]["moments"] = moments(5.0), moments(8.0)
    training.measure(replicas.stack([state] * training.replicas), 0, 0, 5, found)
    read = rows(found)
    for group in ("", "/bits"):
        assert read[f"running_log_variance/own{group}"] == pytest.approx(0.0, abs=1e-6)
        assert read[f"running_log_variance/rebar{group}"] == pytest.approx(math.log(4), rel=1e-6)
    assert read["running_squared_snr/own/bits"] == pytest.approx(4, rel=1e-6)
    assert read["running_squared_snr/rebar/bits"] == pytest.approx(1, rel=1e-6)
    assert read["tuned/rebar/temperature.b"] == pytest.approx(0.25) and read["tuned/rebar/eta.b"] == 1


@pytest.mark.parametrize("name", ["running_variance", "running_signal_to_noise"])
def test_without_running_moments_there_is_nothing_to_read(name: str) -> None:
    with pytest.raises(ReparamError, match=f"{name} needs running moments"):
        measured(spec("score_function", {name: {}}))


def test_the_signal_to_noise_ratio_is_the_exact_one() -> None:
    """Of one bit, by enumeration; with 20,000 draws 5 % are six standard errors."""
    given = spec("score_function", {"gradient_snr": {"draws": 20_000}})
    task = tasks.make(given["task"])
    exact = variance.score_function(
        task.program(task.train), {"bits.logits": torch.full((1,), 0.7, dtype=torch.float64)}
    )
    ratio = (exact.mean["bits.logits"].abs() / exact.variance["bits.logits"].sqrt()).item()
    assert rows(measured(given))["snr/bits"] == pytest.approx(ratio, rel=0.05)


def test_noise_is_no_signal() -> None:
    """(b − ½)² is a constant, so that all of the mean of 16 draws is noise."""
    given = spec("score_function", {"gradient_snr": {"draws": 16}})
    given["task"] |= {"target": 0.5}
    assert rows(measured(given))["snr/bits"] < 0.5


def test_paired_draws_show_a_bias_and_no_other() -> None:
    """20,000 draws: below 6 for a baseline (a false alarm in 5e8), some 100 for straight-through; 0 against itself."""
    estimators = {"loo": {"name": "score_function", "samples": 2, "baseline": "leave_one_out"}}
    estimators |= {"straight_through": {}, "score_function": {}}
    options = {"estimators": estimators, "reference": {"name": "score_function"}, "draws": 20_000}
    read = rows(measured(spec("score_function", {"paired_bias": options})))
    assert read["paired_t/score_function/bits"] == 0
    assert 0 < read["paired_t/loo/bits"] < 6 < 20 < read["paired_t/straight_through/bits"]
