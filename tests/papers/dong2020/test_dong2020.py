"""What the one-bit procedure says of right, swapped and noisy estimators, and the figures on its rows."""

import pandas as pd
import pytest
import torch

from reparam import estimators, tasks
from reparam.cells import procedures
from reparam.papers.dong2020.figures import FIGURES
from reparam.plan import experiments
from reparam.program import describe
from reparam.report.figures import PaperData
from reparam.report.style import theme

GRID = {"probabilities": [0.2, 0.5, 0.9], "targets": [0.1, 0.45], "constants": [0.0, 1.0], "points": 10_000}


def rows(label: str, name: str | None = None, **options: object) -> list:
    spec = {"estimator": label, "method": {"name": name or label, "options": options}, "evaluation": GRID}
    return procedures.get("dong2020", "one_bit")(spec, 0, torch.device("cpu")).rows


def last(found: list) -> dict[str, float]:
    return {metric: value for step, metric, value in found if step == 11}


def test_disarm_is_below_arm_and_leave_one_out() -> None:
    found = last(rows("disarm"))
    assert found["below_arm"] > 0 and found["below_loo"] > 0
    assert found["mean_error"] < 1e-12 and found["variance_error"] < 1e-9


def test_another_estimator_under_disarm_s_label_fails() -> None:
    found = last(rows("disarm", "arm"))
    assert found["variance_error"] > 1e-3 and found["mean_error"] < 1e-9
    assert last(rows("score_function"))["below_arm"] < -1


def test_an_estimator_without_a_closed_form_has_no_error_of_its_variance() -> None:
    found = last(rows("rebar"))
    assert "variance_error" not in found and found["mean_error"] < 1e-3


@pytest.mark.parametrize("figure", FIGURES, ids=lambda figure: figure.name)
def test_every_figure_draws(figure) -> None:
    table = pd.DataFrame(
        [
            ("one-bit", label, "cell", 0, step, metric, value)
            for label, name, options in (
                ("disarm", None, {}),
                ("arm", None, {}),
                ("score_function_loo", "score_function", {"baseline": "leave_one_out", "samples": 2}),
            )
            for step, metric, value in rows(label, name, **options)
        ],
        columns=["experiment", "estimator", "cell", "seed", "step", "metric", "value"],
    )
    training = pd.DataFrame(
        [
            (experiment, "disarm", "cell", seed, step, metric, -1.0 * step - seed)
            for experiment in ("linear", "nonlinear", "multi-sample")
            for metric in ("elbo/train", "bound_20/train", "running_log_variance/own/encoder")
            for seed in (0, 1)
            for step in (1, 2)
        ],
        columns=table.columns,
    )
    table = pd.concat([table, training])
    with theme():
        assert figure.draw(PaperData("quick", table, table, lambda *_: {})) is not None


def test_local_disarm_and_vimco_evaluate_f_equally_often() -> None:
    task = tasks.make({"name": "bits", "target": 0.4, "dimension": 3})
    sites = describe(task.program(task.train), task.init(None))
    for scale in ("quick", "standard", "paper"):
        cells = [c for e in experiments.expand("dong2020", scale) for c in e.cells]
        for name in ("multi-sample", "multi-sample-nonlinear"):
            methods = [c.spec["method"] for c in cells if c.experiment == name]
            found = [estimators.make(m["name"], m["options"]) for m in methods]
            assert len({e.card.evaluations(e, sites) for e in found}) == min(len(found), 1)
