"""experiments.yaml: precedence, grids, names, and mistakes in it."""

import json

import pytest

from reparam.errors import ReparamError
from reparam.plan.cells import canonical
from reparam.plan.experiments import PAPERS, expand, papers

PAPER = """
defaults:
  seeds: 5
  task: {name: gaussian_vae, data: digits, latent: 20, hidden: 500}
  training: {batch: 100, optimiser: {name: adagrad, rate: 1e-2}}
  scales:
    smoke: {seeds: 2, training: {batch: 10}, task: {hidden: 8}}
experiments:
  fig2:
    title: Bound
    task: {hidden: 16}
    estimators:
      pathwise: {}
      loo: {name: score_function, baseline: leave_one_out, samples: 2}
    grid: {task.latent: [3, 10]}
    scales:
      quick: {grid: {task.latent: [2]}, estimators: {loo: null}, seeds: [0, 4]}
      paper: null
"""


@pytest.fixture
def folder(tmp_path):
    def write(text, paper="toy2020"):
        (tmp_path / paper).mkdir(exist_ok=True)
        (tmp_path / paper / "experiments.yaml").write_text(text)
        return tmp_path

    return write


def cells(folder, scale):
    return [cell for entry in expand("toy2020", scale, folder) for cell in entry.cells]


def test_an_axis_of_several_paths_sets_them_together(folder):
    grid = '{"task.latent, task.hidden": [[3, 5], [10, 4]], "estimators.a.samples, estimators.b.samples": [2, 3]}'
    where = folder((ONE % f"grid: {grid}").replace("{pathwise: {}}", "{a: {}, b: {}}"))
    found = [c for e in expand("toy2020", "quick", where) for c in e.cells if c.estimator == "b"]
    assert [
        (c.experiment, c.spec["task"]["latent"], c.spec["task"]["hidden"], c.spec["method"]["options"])
        for c in found
    ] == [
        ("one-latent3-hidden5-samples2", 3, 5, {"samples": 2}),
        ("one-latent3-hidden5-samples3", 3, 5, {"samples": 3}),
        ("one-latent10-hidden4-samples2", 10, 4, {"samples": 2}),
        ("one-latent10-hidden4-samples3", 10, 4, {"samples": 3}),
    ]


def test_layers_merge_in_order(folder):
    smoke = cells(folder(PAPER), "smoke")
    assert [(c.experiment, c.estimator) for c in smoke] == [
        ("fig2-latent3", "pathwise"),
        ("fig2-latent3", "loo"),
        ("fig2-latent10", "pathwise"),
        ("fig2-latent10", "loo"),
    ]
    spec = smoke[1].spec
    # The experiment stands above the defaults' scale; the batch is the scale's; the rate the defaults'.
    assert spec["task"] == {"name": "gaussian_vae", "data": "digits", "latent": 3, "hidden": 16}
    assert spec["training"] == {"batch": 10, "optimiser": {"name": "adagrad", "rate": 0.01}}
    assert spec["method"] == {
        "name": "score_function",
        "options": {"baseline": "leave_one_out", "samples": 2},
    }
    assert smoke[0].seeds == (0, 1)


def test_a_scale_replaces_lists_and_drops_what_is_null(folder):
    quick = cells(folder(PAPER), "quick")
    assert [(c.experiment, c.estimator, c.seeds) for c in quick] == [("fig2-latent2", "pathwise", (0, 4))]
    measured = "measurements: {bound: {points: 5}, tuned_numbers: {}}, scales: {quick: {measurements: {bound: null}}}"
    (one,) = cells(folder(ONE % measured), "quick")
    assert one.spec["measurements"] == {"tuned_numbers": {}}


def test_a_null_scale_is_not_run(folder):
    assert cells(folder(PAPER), "paper") == []


def test_a_null_scale_of_the_defaults_gives_way_to_the_experiments_own(folder):
    text = "defaults: {task: {a: 1}, scales: {paper: null}}\nexperiments:\n"
    text += "  one: {title: t, estimators: {pathwise: {}}}\n"
    text += "  two: {title: t, estimators: {pathwise: {}}, scales: {paper: {task: {a: 2}}}}\n"
    assert [(c.experiment, c.spec["task"]) for c in cells(folder(text), "paper")] == [("two", {"a": 2})]


def test_specs_have_the_same_keys_and_no_scale_or_seed(folder):
    spec = cells(folder(PAPER), "quick")[0].spec
    assert list(spec) == [
        *("format", "paper", "experiment", "estimator", "procedure", "method"),
        *("task", "training", "evaluation", "measurements"),
    ]


def test_the_hash_is_that_of_the_canonical_text(folder):
    cell = cells(folder(PAPER), "quick")[0]
    shuffled = json.loads(json.dumps(cell.spec, sort_keys=True))
    assert canonical(shuffled) == canonical(cell.spec)
    assert cell.path.as_posix() == f"toy2020/fig2-latent2/pathwise/{cell.spec_hash[:8]}"
    assert len(cell.spec_hash) == 64


def test_equal_specs_at_two_scales_are_told_apart_by_the_scale_only(folder):
    text = "experiments: {one: {title: t, estimators: {pathwise: {}}}}"
    smoke, quick = cells(folder(text), "smoke"), cells(folder(text), "quick")
    assert smoke[0].spec_hash == quick[0].spec_hash and smoke[0] != quick[0]


ONE = "experiments: {one: {title: t, task: {data: digits}, estimators: {pathwise: {}}, %s}}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            ONE % "grid: {tsak.latent: [1]}",
            "grid.tsak.latent: .* unknown section 'tsak'; did you mean 'task'",
        ),
        (ONE % "grid: {task: [1]}", "a grid path is <section>.<key>"),
        (ONE % "grid: {training.optimizer.rate: [1]}, training: {optimiser: {rate: 1}}", "'optimiser'"),
        (ONE % "grid: {task.latent: [3, 3]}", "two experiments are called 'one-latent3'"),
        (ONE % "grid: {task.latent: 3}", "experiments.one.grid.task.latent: expected array or null, got 3"),
        (
            ONE % "grid: {'task.latent, task.hidden': [[3, 4, 5]]}",
            r"grid.task.latent, task.hidden: \[3, 4, 5\] has 3 values for 2 options",
        ),
        (ONE % "grid: {task.name: ['../x']}", "cannot be part of a path"),
        (ONE % "grid: {task.data: [mnits]}", "unknown data set 'mnits'; did you mean 'mnist'"),
        (ONE % "scales: {fast: {}}", "experiments.one.scales: unknown key 'fast'"),
        (ONE % "training: {bacth: 3}", "experiments.one.training: unknown key 'bacth'; did you mean 'batch'"),
        (
            ONE % "training: {optimiser: {rate: -1}}",
            "optimiser.rate: -1 is less than the minimum of 0",
        ),
        (ONE % "training: {batch: '100'}", "training: batch: expected integer, got '100'"),
        (
            ONE % "measurements: {bound: 5}",
            "experiments.one.measurements.bound: expected object or null, got 5",
        ),
        (ONE % "sead: 3", "experiments.one: unknown key 'sead'; did you mean 'seeds'"),
        (ONE % "seeds: [1, 1]", "experiments.one.seeds: .*"),
        (ONE % "seeds: 0", "experiments.one.seeds: .*"),
        (ONE % "title: again", "given twice"),
        ("experiments: {'<b>': {title: t, estimators: {pathwise: {}}}}", "'<b>' cannot be part of a path"),
        ("experiments: {one: {title: t, estimators: {a/b: {}}}}", "'a/b' cannot be part of a path"),
        ("experiments: {1: {title: t, estimators: {a: {}}}}", "1 cannot be part of a path"),
        ("experiments: {one: {title: t}}", "'one' has no estimators at scale quick"),
        ("experiments: [", "not valid YAML"),
        ("nothing", "expected object, got 'nothing'"),
        ("experiments: {}", "experiments: "),
    ],
)
def test_mistakes_are_said_in_one_line_with_their_place(folder, text, said):
    with pytest.raises(ReparamError, match=said) as error:
        cells(folder(text), "quick")
    assert str(error.value).startswith("toy2020/experiments.yaml: ") and "\n" not in str(error.value)


def test_numbers_with_exponents_are_numbers(folder):
    text = ONE % "evaluation: {a: 1e-3, b: 1E+5, c: 2.5e2, d: '1e-3'}"
    assert cells(folder(text), "quick")[0].spec["evaluation"] == {
        "a": 1e-3,
        "b": 1e5,
        "c": 250.0,
        "d": "1e-3",
    }


@pytest.mark.parametrize("paper", papers())
@pytest.mark.parametrize("scale", ["smoke", "quick", "standard", "paper"])
def test_every_paper_of_the_suite_expands(paper, scale):
    assert all(entry.cells for entry in expand(paper, scale, PAPERS))
