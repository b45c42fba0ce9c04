"""ARM on one bit by its procedure, a biased estimator in its place, and the figure."""

import pandas as pd
import torch

from reparam.cells import procedures
from reparam.papers.yin2019.figures import FIGURES
from reparam.report.figures import PaperData
from reparam.report.style import theme

GRID = {"probabilities": [0.2, 0.5, 0.9], "targets": [0.499, 0.1], "constants": [0.0], "points": 10_000}


def rows(name: str) -> list:
    spec = {"estimator": "arm", "method": {"name": name, "options": {}}, "evaluation": GRID}
    return procedures.get("yin2019", "one_bit")(spec, 0, torch.device("cpu")).rows


def test_arm_is_unbiased_and_has_its_variance_and_others_do_not() -> None:
    found = {metric: value for step, metric, value in rows("arm") if step == 5}
    assert found["mean_error"] < 1e-9 and found["variance_error"] < 1e-7
    wrong = {metric: value for step, metric, value in rows("straight_through") if step == 5}
    assert wrong["variance_error"] > 0.01


def test_the_figure_draws() -> None:
    table = pd.DataFrame(
        [("one-bit", "arm", "cell", 0, *row) for row in rows("arm")],
        columns=["experiment", "estimator", "cell", "seed", "step", "metric", "value"],
    )
    with theme():
        assert FIGURES[0].draw(PaperData("quick", table, table, lambda *_: {})) is not None
