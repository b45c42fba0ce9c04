"""What a training writes down: which steps, which noise, and when it diverged."""

from __future__ import annotations

import math
import re
import time
from typing import Any

import pytest
import small
import torch

from reparam.cells import train
from reparam.cells.progress import Progress
from reparam.cells.schedule import due_steps
from reparam.cells.train import Outcome, Training
from reparam.engine import replicas
from reparam.errors import ReparamError

STEPS = 10


@pytest.fixture(scope="module")
def trainings() -> dict[str, Training]:
    return {
        method: Training(short(method, 3), torch.device("cpu")) for method in ("pathwise", "score_function")
    }


def short(method: str, points: int) -> dict[str, Any]:
    """Ten steps of minibatch 25, eight of which move the parameters, with a bound at `points` of them."""
    spec = small.spec(method, samples=25 * STEPS)
    spec["measurements"] = {"bound": {"points": 20, "samples": 2, "schedule": {"points": points}}}
    spec["training"]["optimiser"]["warmup"] = 2
    return spec


def outcome(tmp_path, spec: dict[str, Any]) -> Outcome:
    training = Training(spec, torch.device("cpu"))
    with torch.no_grad(), Progress("test", STEPS, tmp_path / "progress.json", (0,)) as progress:
        return training.run((0,), tmp_path / "checkpoint.pt", {}, progress, 1e9)[0]


def stacked(training: Training) -> dict[str, Any]:
    """The first seed's start, in every place."""
    return replicas.stack([training.initial(0)] * training.replicas)


def column(found: Outcome, metric: str) -> dict[int, float]:
    return {step: value for step, name, value in found.rows if name == metric}


def test_rows_count_samples_and_evaluations_and_average_the_objective(tmp_path) -> None:
    """Read at every step and at two of ten: the same training, its objective averaged between readings."""
    (tmp_path / "a").mkdir()
    every, twice = outcome(tmp_path / "a", short("pathwise", STEPS)), outcome(tmp_path, short("pathwise", 2))
    assert column(every, "samples_seen") == {t: 25.0 * t for t in range(1, STEPS + 1)}
    assert column(every, "evaluations") == column(every, "samples_seen")
    one, mean = column(every, "objective"), column(twice, "objective")
    assert mean == pytest.approx(
        {5: sum(one[t] for t in range(1, 6)) / 5, 10: sum(one[t] for t in range(6, 11)) / 5}
    )
    assert column(twice, "elbo/test") == {t: column(every, "elbo/test")[t] for t in (5, 10)}


def test_readings_share_their_noise_along_a_run_and_between_estimators(
    trainings: dict[str, Training],
) -> None:
    readings = []
    for training in trainings.values():
        for step in sorted(due_steps({"points": 3}, STEPS)):
            found = Outcome()
            training.measure(stacked(training), 0, 0, step, found)
            readings.append(column(found, "elbo/test")[step])
    assert len(readings) == 6 and len(set(readings)) == 1


def test_seeds_differ_in_start_and_readings(trainings: dict[str, Training]) -> None:
    training, found = trainings["pathwise"], {}
    for seed in (0, 1):
        found[seed] = Outcome()
        training.measure(stacked(training), 0, seed, STEPS, found[seed])
    assert column(found[0], "elbo/test") != column(found[1], "elbo/test")
    first, second = (training.initial(seed)["params"]["encoder.mean.weight"] for seed in (0, 1))
    assert not torch.equal(first, second)


def test_blocks_of_steps_have_noise_and_pixels_of_their_own(trainings: dict[str, Training]) -> None:
    training = trainings["pathwise"]
    (_, first), (_, second) = training.block((0,), 0), training.block((0,), 1)
    for site, role in (("z", "normal"), ("data", "uniform")):
        assert not torch.equal(first[site][role], second[site][role])
        assert not torch.equal(first[site][role][0], first[site][role][1])
    state, x = training.initial(0), torch.full((25, 64), 0.5)
    readings = set()
    for t in range(2):
        noise = {"z": {"normal": first["z"]["normal"][0]}, "data": {"uniform": first["data"]["uniform"][t]}}
        readings.add(training.step(state, x, torch.arange(25), noise)[1]["objective"].item())
    assert len(readings) == 2, "the pixels of a grey minibatch were not drawn anew"


def test_divergence_is_noted_at_the_step_where_it_happened(tmp_path) -> None:
    """The first objective that is not finite, read step by step, is the step that sparse readings name."""
    (tmp_path / "a").mkdir()
    wild = {"name": "sgd", "rate": 3.0}
    specs = {points: short("pathwise", points) for points in (STEPS, 1)}
    for spec in specs.values():
        spec["training"]["optimiser"] = wild
    every, once = outcome(tmp_path / "a", specs[STEPS]), outcome(tmp_path, specs[1])
    first = min(step for step, value in column(every, "objective").items() if not math.isfinite(value))
    assert once.diverged == every.diverged == first
    assert 1 < every.diverged < STEPS


def test_parameters_that_are_not_finite_diverge_too(tmp_path) -> None:
    """One step of an endless rate: the objective was read before it and is a number."""
    spec = short("pathwise", 1)
    spec["training"] |= {"samples": 25, "optimiser": {"name": "sgd", "rate": 1e38}}
    found = outcome(tmp_path, spec)
    assert found.diverged == 1 and column(found, "elbo/test") == {}


def interrupted(tmp_path, monkeypatch: pytest.MonkeyPatch, key: dict[str, str]) -> Outcome:
    """A training of `short` that breaks down in its seventh step, and what a run with this key makes of it."""
    spec, calls, original = short("pathwise", 2), [], Training.call

    def breaks(self, *arguments):
        calls.append(1)
        if len(calls) == 7:
            raise InterruptedError
        return original(self, *arguments)

    def run(training: Training, key: dict[str, str]) -> Outcome:
        with torch.no_grad(), Progress("test", STEPS, tmp_path / "progress.json", (0,)) as progress:
            return training.run((0,), tmp_path / "checkpoint.pt", key, progress, 0.0)[0]

    monkeypatch.setattr(Training, "call", breaks)
    with pytest.raises(InterruptedError):
        run(Training(spec, torch.device("cpu")), {"source": "now"})
    found = run(Training(spec, torch.device("cpu")), key)
    monkeypatch.undo()
    assert len(calls) == 7 + (4 if key == {"source": "now"} else STEPS)
    return found


@pytest.mark.parametrize("source", ["now", "another"])
def test_it_resumes_from_its_own_checkpoint_and_from_no_other(tmp_path, monkeypatch, source: str) -> None:
    """Six steps are kept under the same key, none under another; the rows are the same either way. Step seven
    lies in the second block of noise."""
    monkeypatch.setattr(train, "BLOCK", 4)
    (tmp_path / "whole").mkdir()
    whole = outcome(tmp_path / "whole", short("pathwise", 2))
    assert interrupted(tmp_path, monkeypatch, {"source": source}).rows == whole.rows


def swapped(points: int, then: dict[str, Any], after: int = 4) -> dict[str, Any]:
    """`short`, whose last steps are another method's."""
    spec = short("pathwise", points)
    spec["training"]["then"] = {"after": 25 * after, "by": {"pathwise": then}}
    return spec


def test_another_method_goes_on_from_the_state_of_the_first(tmp_path, monkeypatch) -> None:
    """The same method following itself changes nothing, also in the middle of a block; another one only what follows,
    and its evaluations are counted by its own samples."""
    monkeypatch.setattr(train, "BLOCK", 3)
    alone, itself, other = (
        outcome(tmp_path / name, spec)
        for name, spec in {
            "a": short("pathwise", 5),
            "b": swapped(5, {"name": "pathwise"}),
            "c": swapped(5, {"name": "pathwise", "samples": 3}),
        }.items()
        if not (tmp_path / name).mkdir()
    )
    assert itself.rows == alone.rows
    objectives = [column(found, "objective") for found in (alone, other)]
    assert [objectives[0][t] == objectives[1][t] for t in (2, 4, 6, 8, 10)] == [
        True,
        True,
        False,
        False,
        False,
    ]
    assert column(other, "evaluations") == {2: 50, 4: 100, 6: 250, 8: 400, 10: 550}


def test_a_swapped_training_resumes_with_the_same_bits(tmp_path) -> None:
    """What six of ten steps leave behind, two of them under the second method, is gone on from."""
    key, then = {"source": "now"}, {"name": "pathwise", "samples": 3}

    def run(spec: dict[str, Any], folder) -> Outcome:
        folder.mkdir(exist_ok=True)
        training = Training(spec, torch.device("cpu"))
        with torch.no_grad(), Progress("test", STEPS, folder / "progress.json", (0,)) as progress:
            return training.run((0,), folder / "checkpoint.pt", key, progress, 0.0)[0]

    shorter = swapped(5, then)
    shorter["training"]["samples"] = 25 * 6
    run(shorter, tmp_path / "a")
    resumed, whole = run(swapped(5, then), tmp_path / "a"), run(swapped(5, then), tmp_path / "b")
    for metric in ("objective", "evaluations", "elbo/test"):
        assert column(resumed, metric)[10] == column(whole, metric)[10]


def test_a_method_that_carries_something_else_cannot_follow() -> None:
    with pytest.raises(ReparamError, match=r"training\.then: nvil and pathwise carry different things"):
        Training(swapped(2, {"name": "nvil"}), torch.device("cpu"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"samples": 2, "point": 60}, "measurement 'bound' has no option 'point'; did you mean 'points'?"),
        ({"points": 60}, "measurement 'bound' lacks its option 'samples'"),
    ],
)
def test_a_misspelt_or_missing_option_of_a_measurement_is_refused(options: dict, said: str) -> None:
    spec = small.spec()
    spec["measurements"] = {"bound": options}
    with pytest.raises(ReparamError, match=re.escape(said)):
        Training(spec, torch.device("cpu"))


@pytest.mark.parametrize("key", ["batch", "samples", "optimiser"])
def test_a_training_that_lacks_a_key_is_refused(key: str) -> None:
    spec = small.spec()
    del spec["training"][key]
    with pytest.raises(ReparamError, match=f"training of small lacks '{key}'"):
        Training(spec, torch.device("cpu"))


def toy(seeds: tuple[int, ...], folder, **training: Any) -> dict[int, Outcome]:
    """Thirty steps, or `samples`, of tuned REBAR on a single bit; what is in the folder goes on."""
    spec = {
        "paper": "test",
        "experiment": "toy",
        "method": {"name": "rebar", "options": {"tuned": "site"}},
        "task": {"name": "bits", "target": 0.2},
        "training": {"batch": 1, "samples": 30, "optimiser": {"name": "sgd", "rate": 0.1}, **training},
        "measurements": {"relaxation": {"points": 3}, "expectation": {"schedule": {"steps": [7, 20, 99]}}},
    }
    trained = Training(spec, torch.device("cpu"))
    folder.mkdir(exist_ok=True)
    with torch.no_grad(), Progress("test", 30, folder / "progress.json", seeds) as progress:
        return trained.run(seeds, folder / "checkpoint.pt", {}, progress, 1e9)


def test_a_stacked_seed_has_the_same_bits_whoever_else_is_asked_for(tmp_path) -> None:
    several, alone = toy((0, 2, 5), tmp_path / "a"), toy((2,), tmp_path / "b")
    assert several[2].rows == alone[2].rows and several[2].rows != several[5].rows
    assert sorted(column(alone[2], "expectation")) == [7, 20, 30]


def test_tunables_have_an_optimiser_of_their_own(tmp_path) -> None:
    """With rate 0 they stay where they start while the parameters move, and the other way round."""
    held = toy((0,), tmp_path / "a", tunable_optimiser={"name": "sgd", "rate": 0.0})[0]
    assert (
        column(held, "eta")[30] == 1.0 and column(held, "expectation")[30] != column(held, "expectation")[7]
    )
    free = toy(
        (0,), tmp_path / "b", optimiser={"name": "sgd", "rate": 0}, tunable_optimiser={"name": "adam"}
    )[0]
    assert column(free, "eta")[30] != 1.0 and len(set(column(free, "expectation").values())) == 1


def test_a_stack_goes_on_from_its_checkpoint_with_the_same_bits(tmp_path) -> None:
    """Fifteen steps, then fifteen more: the rows after step 15 are those of thirty at once."""
    toy((0, 5), tmp_path / "a", samples=15)
    resumed, whole = toy((0, 5), tmp_path / "a"), toy((0, 5), tmp_path / "b")
    for seed in (0, 5):
        late = {metric: column(whole[seed], metric)[30] for metric in ("expectation", "eta", "temperature")}
        assert {metric: column(resumed[seed], metric)[30] for metric in late} == late
        assert 15 in column(resumed[seed], "expectation") and 15 not in column(whole[seed], "expectation")


def test_the_time_of_a_step_is_that_of_one_replica(tmp_path) -> None:
    """Neither the first step, which is made ready, nor measurements, which take far longer here, are in it."""
    training = Training(short("pathwise", STEPS), torch.device("cpu"))
    assert training.step_seconds is None
    with torch.no_grad(), Progress("test", STEPS, tmp_path / "progress.json", (0,)) as progress:
        start = time.process_time()
        training.run((0,), tmp_path / "checkpoint.pt", {}, progress, 1e9)
        whole = time.process_time() - start
    assert 0 < training.step_seconds * (STEPS - 1) * training.replicas < 0.9 * whole


def test_rows_are_those_of_their_step(tmp_path_factory) -> None:
    """With parameters that stay where they are, KL weights 2^(M−i) take M times their part off the mean value."""
    plain, even, halving = (
        column(outcome(tmp_path_factory.mktemp("rows"), at_rest(**options)), "objective")
        for options in ({}, {"prior": "gaussian"}, {"prior": "gaussian", "kl_weights": "geometric"})
    )
    divergence = [plain[t] - even[t] for t in range(1, STEPS + 1)]
    assert divergence == pytest.approx([divergence[0]] * STEPS, rel=1e-4)
    shares = [4 * 2 ** (3 - t % 4) / 15 for t in range(STEPS)]
    found = [(plain[t] - halving[t]) / divergence[0] for t in range(1, STEPS + 1)]
    assert found == pytest.approx(shares, rel=1e-3)


def at_rest(**options: Any) -> dict[str, Any]:
    """A network of random weights in four minibatches an epoch, at a rate of 0, read at every step."""
    spec = small.spec("pathwise", samples=250 * STEPS)
    task = {"name": "bayesian_network", "data": "digits", "valid_size": 297, "width": 3, "depth": 1}
    training = {"samples": 250 * STEPS, "batch": 250, "optimiser": {"name": "sgd", "rate": 0.0}}
    read = {"predictions": {"points": 1, "schedule": {"points": STEPS}}}
    return {**spec, "task": task | options, "training": training, "measurements": read}
