"""The median of several calls, and a step that starts from the same state every time."""

import time

import torch

from reparam.measure.step_seconds import median_seconds, training_step

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
