"""The median of several calls, and a step that starts from the same state every time."""

import time

import pytest
import torch

from reparam.measure import step_seconds
from reparam.measure.step_seconds import median_seconds, sampled_by_label, training_step, update_seconds

CPU = torch.device("cpu")
SPEC = {
    "task": {"name": "bits", "target": 0.45, "dimension": 3},
    "method": {"name": "score_function", "options": {}},
    "training": {"batch": 1, "optimiser": {"name": "sgd", "rate": 0.1}},
}


def test_the_first_call_does_not_count_and_the_slowest_does_not_matter() -> None:
    """Of calls that take 50, 5, 40 and 5 milliseconds the last three count: 5, if not less than 4 and more than 30."""
    durations = iter([0.05, 0.005, 0.04, 0.005])

    def burn() -> None:
        until = time.process_time() + next(durations)
        while time.process_time() < until:
            pass

    assert 0.004 < median_seconds(burn, CPU, 3) < 0.03
    assert next(durations, None) is None


def test_a_step_s_start_is_the_same_at_every_call_and_that_of_its_stream() -> None:
    first, again = training_step(SPEC, ("test", 0), CPU), training_step(SPEC, ("test", 0), CPU)
    for (state, _), (other, _) in ((first(), first()), (first(), again())):
        moved, same = state["params"]["bits.logits"], other["params"]["bits.logits"]
        assert torch.equal(moved, same) and moved.any()


def test_streams_share_a_graph_and_not_their_noise() -> None:
    """Of the score function's steps from one start by eight streams of three bits some differ, but for one chance in
    2²¹; as to graphs, only the first of them was traced."""
    step_seconds._ready.cache_clear()
    moved = {training_step(SPEC, ("test", s), CPU)()[0]["params"]["bits.logits"] for s in range(8)}
    assert len({tuple(entry.tolist()) for entry in moved}) > 1
    assert step_seconds._ready.cache_info().misses == 1


@pytest.mark.parametrize(
    ("way", "shape"), [("per_example", (4, 10, 3)), ("shared", (10, 3)), ("local", (4, 10))]
)
def test_an_update_is_timed_with_its_noise(
    way: str, shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The noise of the cell's way is drawn to trace the step, to start from, once per timing, and once before."""
    calls = []
    draw_block = step_seconds.draw_block
    monkeypatch.setattr(step_seconds, "draw_block", lambda *given: calls.append(given) or draw_block(*given))
    spec = {
        "task": {
            "name": "bayesian_network",
            "data": "digits",
            "posterior": "relative",
            "width": 3,
            "depth": 1,
        },
        "training": {"batch": 4, "optimiser": {"name": "adam"}},
        "method": {"name": way},
    }
    assert update_seconds(sampled_by_label(spec), ("test", 0), CPU, 2) > 0
    assert len(calls) == 5
    assert all(given[0]["weights_1"]["normal"].shape[-len(shape) :] == shape for given in calls)
