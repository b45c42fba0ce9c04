"""What a choice runs, what stays to be shown, and choices that name nothing."""

from pathlib import Path

import pytest

from reparam.errors import ReparamError
from reparam.plan.config import parse
from reparam.plan.plan import find, make_plan

TOY = Path(__file__).parents[1] / "workflow"
ROOT = Path(__file__).parents[2]


def plan(**choice):
    return make_plan(parse({"scale": "quick", **choice}), TOY)


def chosen(**choice):
    return {(cell.experiment, cell.estimator) for cell in plan(**choice).selected}


def test_everything_is_the_default():
    assert plan().selected == plan().cells and len(plan().cells) == 5


def test_a_choice_limits_what_runs_and_not_what_is_shown():
    limited = plan(estimators="pathwise", seeds="7,")
    assert chosen(estimators="pathwise") == {("curves-latent2", "pathwise"), ("curves-latent3", "pathwise")}
    assert limited.cells == plan().cells
    assert {cell.seeds for cell in limited.selected} == {(7,)}


@pytest.mark.parametrize(
    ("pattern", "count"), [("curves-latent2", 2), ("curves", 4), ("*3", 2), ("c*,asleep", 5)]
)
def test_experiments_by_name_base_or_pattern(pattern, count):
    assert len(chosen(experiments=pattern)) == count


@pytest.mark.parametrize(
    ("choice", "said"),
    [
        ({"papers": "toy2002"}, "unknown paper 'toy2002'; did you mean 'toy2020'"),
        ({"estimators": "pathwise,slee"}, "unknown estimator 'slee'"),
        (
            {"experiments": "curves-latent4"},
            "unknown experiment 'curves-latent4'; did you mean 'curves-latent",
        ),
        ({"experiments": "asleep", "estimators": "pathwise"}, "unknown estimator 'pathwise'"),
        ({"scale": "paper", "experiments": "curves"}, "unknown experiment 'curves'"),
    ],
)
def test_unknown_names_get_the_nearest(choice, said):
    with pytest.raises(ReparamError, match=said):
        plan(**choice)


def test_a_cell_is_found_by_its_folder():
    for cell in plan().cells:
        assert find(Path("results/quick") / cell.path, TOY) == cell


def test_a_folder_of_an_older_spec_says_what_is_current():
    cell = plan().cells[0]
    with pytest.raises(ReparamError, match=f"has the spec {cell.cell} now, not 00000000"):
        find(Path("results/quick") / cell.path.with_name("00000000"), TOY)


def test_a_folder_that_is_no_cell_is_refused():
    with pytest.raises(ReparamError, match="is no cell"):
        find(Path("results"), TOY)
    with pytest.raises(ReparamError, match="unknown scale 'quik'; did you mean 'quick'"):
        find(Path("results/quik") / plan().cells[0].path, TOY)
