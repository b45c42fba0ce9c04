"""The trained auto-encoders: budgets that fit their schedules, the paper's nets, and what figures make of cells."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import torch
from findings import as_data

from reparam.noise import generator
from reparam.papers.burda2016 import figures, tables
from reparam.plan import experiments
from reparam.plan.cells import SCALES, Cell
from reparam.report.style import theme
from reparam.tasks.deep_gaussian_vae import DeepGaussianVae

ROWS = {"mnist": 60_000, "omniglot": 24_345, "static_mnist": 50_000}


def trained(scale: str) -> list[Cell]:
    found = [c for e in experiments.expand("burda2016", scale) for c in e.cells]
    return [cell for cell in found if cell.spec["procedure"] == "train"]


@pytest.mark.parametrize("scale", SCALES)
def test_the_schedule_ends_with_the_training_or_its_first_stage(scale: str) -> None:
    for cell in trained(scale):
        training, measured = cell.spec["training"], cell.spec["measurements"]
        then = training.get("then", {}).get("after")
        assert training["optimiser"]["tripling"] * training["batch"] == (then or training["samples"]), (
            cell.path
        )
        if then:
            assert training["samples"] / then == pytest.approx(1 + 3**7 / 3280, abs=3e-3)
            ends = {m["schedule"]["steps"][0] for m in measured.values()}
            assert ends == {then // training["batch"]}


def test_the_paper_s_budgets_are_3280_passes() -> None:
    for cell in trained("paper"):
        training = cell.spec["training"]
        rows = ROWS[cell.spec["task"]["data"]]
        assert training.get("then", {}).get("after", training["samples"]) == 3280 * rows
        assert training["optimiser"]["eps"] == 1e-4 and training["batch"] == 20


def test_the_nets_have_as_many_parameters_as_the_paper_s() -> None:
    """784-200-200-[50] with two heads and its mirror; with two layers [100]-100-100-[50] on top."""
    images = torch.zeros(3, 784)
    data = type(
        "Data", (), {"name": "m", "train": images, "test": images, "valid": None, "shape": (28, 28)}
    )()

    def count(layers: int) -> int:
        params = DeepGaussianVae({"data": "m", "layers": layers}, data).init(generator("test"))
        return sum(p.numel() for p in params.values())

    def dense(*widths: int) -> int:
        return sum((i + 1) * o for i, o in pairwise(widths))

    one = dense(784, 200, 200) + 2 * dense(200, 50) + dense(50, 200, 200, 784)
    two = dense(784, 200, 200) + 2 * dense(200, 100) + dense(100, 200, 200, 784)
    two += dense(100, 100, 100) + 2 * dense(100, 50) + dense(50, 100, 100) + 2 * dense(100, 100)
    assert count(1) == one and count(2) == two


def test_labels_give_methods_and_samples() -> None:
    frame = figures.with_samples(pd.DataFrame({"estimator": ["pathwise", "iwae_50", "some_other_5"]}))
    assert frame["method"].tolist() == ["pathwise", "iwae", "some_other"]
    assert frame["samples"].tolist() == [1, 50, 5]


def test_the_tables_are_whole_and_say_what_the_paper_says_of_them() -> None:
    """Table 1's gains from 1 sample to 50 in §5.1, and the first stages of Table 2 are Table 1's."""
    one, omniglot = tables.NLL["one layer"], tables.NLL["Omniglot, one layer"]
    assert all(set(row) == set(tables.KS) for row in tables.NLL.values())
    assert one["pathwise"] - one["iwae_50"] == pytest.approx(1.98)
    assert omniglot["pathwise"] - omniglot["iwae_50"] == pytest.approx(3.44)
    for first, stages in tables.SWAP.items():
        assert stages[0][0] == one[first]
    assert tables.ACTIVE["one layer"]["iwae"][1][-1] == tables.SWAP["iwae_50"][0][1]


def test_the_histogram_counts_units_of_a_seed() -> None:
    """Two units far below the threshold and one above, in each of two seeds."""
    data = as_data([("table1-datadigits-layers1", "iwae_5", {(1, "active"): 1.0})])
    arrays = {"activity_z1": np.array([1e-5, 1.1e-5, 0.5])}
    data = type(data)(data.scale, data.metrics, data.cells, lambda *_: arrays)
    with theme():
        canvas = figures.activities(data)
    counts, edges, _ = canvas.axes[0].patches[0].get_data()
    below = edges[1:] <= -2
    assert counts[below].sum() == 2 and counts[~below].sum() == 1


def test_gaps_are_of_the_cells_that_their_rows_name() -> None:
    parts = [
        ("table1-datamnist-layers1", "iwae_5", {(1, "gap_20"): 0.7, (1, "removal_loss_500"): 0.01}),
        ("fixed-layers1", "pathwise", {(1, "gap_20"): 3.5, (1, "removal_loss_500"): 0.02}),
    ]
    with theme():
        canvas = figures.gaps(as_data(parts))
    left = canvas.axes[0]
    assert [text.get_text() for text in left.get_yticklabels()] == [
        "one layer, IWAE 5",
        "fixed pixels, one layer, pathwise",
    ]
    points = {
        float(line.get_ydata()[0]): float(line.get_xdata()[0])
        for line in left.lines
        if line.get_marker() == "o"
    }
    assert points == {0.0: 0.7, 1.0: 3.5}
