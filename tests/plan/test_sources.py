"""Source digests: what changes them and what does not, and that a cell hangs only on its own method."""

import ast
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from reparam.errors import ReparamError
from reparam.plan import sources
from reparam.plan.config import parse
from reparam.plan.plan import make_plan
from reparam.plan.sources import cell_digest, closure, digest, oracle_digest, tree_digest

CODE = '''"""A module."""
import os


def f(x):
    """Says something."""
    return x + 1  # one more


class C:
    """Kept."""

    a: int = 2
'''


def forget():
    """What was read of files stays read within a process."""
    for known in (sources.tree_digest, sources._parse, sources._direct, sources._names, sources._plugins):
        known.cache_clear()


@pytest.fixture
def fresh():
    forget()
    yield
    forget()


@pytest.fixture
def package(tmp_path, fresh):
    def write(**files):
        for name, text in files.items():
            file = tmp_path / "pkg" / (name.replace("__", "/") + ".py")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
        forget()
        return tmp_path / "pkg"

    write(init="")
    (tmp_path / "pkg" / "init.py").rename(tmp_path / "pkg" / "__init__.py")
    return write


def of(package, code):
    return tree_digest(package(m=code) / "m.py")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("# one more", "# and one"),
        ('"""Says something."""', '"""Says another thing."""'),
        ('    """Says something."""\n', ""),
        ('"""A module."""\n', ""),
        ('    """Kept."""\n', ""),
        ("x + 1", "(x +\n        1)"),
    ],
)
def test_comments_docstrings_and_layout_change_nothing(package, old, new):
    assert CODE.replace(old, new) != CODE
    assert of(package, CODE) == of(package, CODE.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("x + 1", "x - 1"),
        ("x + 1", "x + 2"),
        ("x + 1", "x + 1.0"),
        ("x + 1", "x + True"),
        ("x + 1", "None"),
        ("x + 1", "'1'"),
        ("return x + 1", "return"),
        ("import os", "import sys"),
        ("def f(x)", "def f(x=0)"),
        ("def f(x)", "def g(x)"),
        ("def f(x)", "def f(*x)"),
        ("def f(x)", "async def f(x)"),
        ("a: int = 2", "a: int"),
    ],
)
def test_code_changes_it(package, old, new):
    assert CODE.replace(old, new) != CODE
    ast.parse(CODE.replace(old, new))
    assert of(package, CODE) != of(package, CODE.replace(old, new))


def test_imports_are_followed_wherever_they_stand(package):
    folder = package(
        a="from pkg import b\nimport numpy",
        b="def f():\n    from .sub import c",
        sub__c="from ..d import thing",
        d="thing = 1",
        unused="",
    )
    (folder / "sub" / "__init__.py").write_text("from . import e")
    (folder / "sub" / "e.py").write_text("")
    names = {"pkg", "pkg.a", "pkg.b", "pkg.sub", "pkg.sub.c", "pkg.sub.e", "pkg.d"}
    assert closure(["pkg.a"], folder) == names
    before = digest(["pkg.a"], package=folder)
    assert digest(["pkg.a"], package=package(unused="x = 1")) == before
    assert digest(["pkg.a"], package=package(d="thing = 2")) != before


def test_cycles_end(package):
    assert closure(["pkg.a"], package(a="import pkg.b", b="import pkg.a")) == {"pkg", "pkg.a", "pkg.b"}


def test_a_missing_module_is_named(package):
    with pytest.raises(ReparamError, match=r"no module 'pkg\.nothing'"):
        digest(["pkg.nothing"], package=package())


def test_files_count_by_content(package, tmp_path):
    file = tmp_path / "claims.yaml"
    file.write_text("a")
    before = digest(["pkg"], [file], package=package())
    file.write_text("b")
    assert digest(["pkg"], [file], package=package()) != before


def test_what_is_not_there_is_named_with_its_place():
    (cell, *_) = make_plan(parse({"scale": "quick"}), Path(__file__).parents[1] / "workflow").cells
    lost = replace(cell, spec={**cell.spec, "task": {"name": "discrte_vae"}})
    place = f"{cell.paper}/experiments.yaml: experiment {cell.experiment}: unknown task 'discrte_vae'"
    with pytest.raises(ReparamError, match=f"^{place}; did you mean 'discrete_vae'"):
        cell_digest(lost)


def test_a_cell_hangs_on_its_own_method_task_and_measurements_only():
    toy = Path(__file__).parents[1] / "workflow"
    by_method = {cell.estimator: cell for cell in make_plan(parse({"scale": "quick"}), toy).cells}
    found = {label: cell_digest(cell) for label, cell in by_method.items()}
    assert len(set(found.values())) == len(found)

    def roots(label):
        modules = [sources.CELL_RUNNER, *sources._registered("estimator", label, FOLDERS, sources.PACKAGE)]
        return closure(modules)

    FOLDERS = ("estimators", "engine/learners")
    assert "reparam.estimators.pathwise" in roots("pathwise")
    assert "reparam.estimators.score_function" not in roots("pathwise")
    assert "reparam.engine.learners.wake_sleep" not in roots("pathwise")
    assert "reparam.engine.learners.wake_sleep" in roots("wake_sleep")
    for module in ("noise", "cells.train", "engine.gradient", "data.loading"):
        assert f"reparam.{module}" in roots("pathwise")
    for layer in ("plan", "evidence", "report", "cli"):
        assert not any(name.startswith(f"reparam.{layer}") for name in roots("pathwise"))


def test_a_cell_hangs_on_the_estimators_that_its_measurements_look_at_too():
    """Under their label or their name, with those that their options name; a dropped one does not count."""
    toy = Path(__file__).parents[1] / "workflow"
    cell = next(c for c in make_plan(parse({"scale": "quick"}), toy).cells if c.estimator == "pathwise")
    before = cell_digest(cell)
    cell.spec["measurements"] = {
        "gradient_moments": {
            "estimators": {"disarm": {}, "mine": {"name": "rebar", "eta": 1.0}, "exact": None},
            "reference": {"name": "score_function", "draws": 10},
        }
    }
    assert sources.methods(cell) == {"pathwise", "disarm", "rebar", "score_function"}
    assert cell_digest(cell) != before
    cell.spec["measurements"]["gradient_moments"]["reference"] = "oracle"
    assert sources.methods(cell) == {"pathwise", "disarm", "rebar"}


def test_a_cell_hangs_on_the_estimator_that_goes_on_with_its_training_too():
    toy = Path(__file__).parents[1] / "workflow"
    cell = next(c for c in make_plan(parse({"scale": "quick"}), toy).cells if c.estimator == "pathwise")
    then = {"pathwise": {"name": "iwae", "samples": 50}, "other": {"name": "dreg"}}
    cell.spec["training"] = {**cell.spec["training"], "then": {"after": 10, "by": then}}
    assert sources.methods(cell) == {"pathwise", "iwae"}


@pytest.mark.parametrize(
    "module", ["measure.pictures", "tasks.gaussian_vae", "estimators.pathwise", "cells.run"]
)
def test_a_cell_is_retrained_when_its_code_changes(monkeypatch, module):
    """Its measurements, task, method and runner; the digest of any other cell's own code is none of its business."""
    toy = Path(__file__).parents[1] / "workflow"
    cell = next(c for c in make_plan(parse({"scale": "quick"}), toy).cells if c.estimator == "pathwise")
    cell.spec["measurements"] = {"pictures": {"samples": 1}}
    before, original = cell_digest(cell), sources.tree_digest
    monkeypatch.setattr(
        sources,
        "tree_digest",
        lambda file: original(file) + module * (file == sources.module_file(f"reparam.{module}")),
    )
    assert cell_digest(cell) != before


@pytest.mark.parametrize(("file", "own"), [("procedures.py", True), ("figures.py", False)])
def test_a_procedure_s_cell_hangs_on_its_module(monkeypatch, file, own):
    (cell, *_) = [
        c for c in make_plan(parse({"scale": "smoke"})).cells if c.spec["procedure"] == "kl_identity"
    ]
    before, original = cell_digest(cell), sources.tree_digest
    changed = sources.PACKAGE / "papers" / "kingma2014" / file
    monkeypatch.setattr(sources, "tree_digest", lambda f: original(f) + "new" * (f == changed))
    assert (cell_digest(cell) != before) == own


@pytest.mark.parametrize(
    "method",
    [
        {"name": "foreign", "options": {}},
        {"name": "mixed", "options": {"sites": {"z": {"name": "foreign", "rate": 1}}}},
    ],
)
def test_a_plug_in_s_code_counts(monkeypatch, tmp_path, method, fresh):
    toy = Path(__file__).parents[1] / "workflow"
    cell = make_plan(parse({"scale": "quick"}), toy).cells[0]
    cell.spec["method"] = method
    (tmp_path / "foreign_estimator.py").write_text("RATE = 1")
    monkeypatch.syspath_prepend(str(tmp_path))
    plugin = EntryPoint("foreign", "foreign_estimator:Foreign", "reparam.estimators")
    monkeypatch.setattr(sources, "entry_points", lambda group: [plugin])
    before = cell_digest(cell), oracle_digest("foreign")
    assert "foreign" in sources.estimators() and "foreign" in sources.methods(cell)
    (tmp_path / "foreign_estimator.py").write_text("RATE = 2")
    forget()
    assert cell_digest(cell) != before[0] and oracle_digest("foreign") != before[1]


def changed_by(monkeypatch, module, digest):
    """Whether `digest()` is another one when the code of `module` is."""
    before, original = digest(), sources.tree_digest
    file = sources.module_file(f"reparam.{module}")
    assert file is not None
    with monkeypatch.context() as patch:
        patch.setattr(sources, "tree_digest", lambda f: original(f) + "new" * (f == file))
        return digest() != before


def test_a_mixed_cell_hangs_on_its_members(monkeypatch):
    toy = Path(__file__).parents[1] / "workflow"
    cell = make_plan(parse({"scale": "quick"}), toy).cells[0]
    nested = {
        "name": "mixed",
        "options": {"sites": {"a": {"name": "mixed", "sites": {"b": "exact"}}}},
    }
    cell.spec["method"] = nested
    assert sources.methods(cell) == {"mixed", "exact"}
    for module, changes in (("mixed", True), ("exact", True), ("score_function", False)):
        found = changed_by(monkeypatch, f"estimators.{module}", lambda: cell_digest(cell))
        assert found == changes, module


@pytest.mark.parametrize(
    ("name", "module", "changes"),
    [
        ("pathwise", "estimators.pathwise", True),
        ("pathwise", "estimators.paths", True),
        ("pathwise", "distributions.normal", True),
        ("pathwise", "measure.problems.continuous", True),
        ("pathwise", "measure.contract.means", True),
        ("pathwise", "estimators.score_function", True),  # it is checked beside it, in one program
        ("pathwise", "estimators.exact", False),
        ("pathwise", "plan.plan", False),
        ("mixed", "estimators.exact", True),  # a member in its card's settings
        ("mixed", "estimators.arm", False),
    ],
)
def test_an_oracle_check_hangs_on_what_it_imports(monkeypatch, name, module, changes):
    assert changed_by(monkeypatch, module, lambda: oracle_digest(name)) == changes


def test_an_oracle_check_of_an_unknown_estimator_gets_the_nearest():
    with pytest.raises(ReparamError, match="unknown estimator 'pathwize'; did you mean 'pathwise'"):
        oracle_digest("pathwize")


def test_nothing_within_the_package_imports_through_its_top_module():
    for file in sources.PACKAGE.rglob("*.py"):
        for name in sources._imports(file, "reparam.any.module"):
            head, _, rest = name.partition(".")
            if head == "reparam" and rest and "." not in rest and file.parent != sources.PACKAGE:
                assert sources.module_file(name) is not None, f"{file.name} imports {name}"


def test_what_is_registered_statically_is_what_is_registered():
    from reparam import estimators
    from reparam.engine import learners

    assert set(sources.estimators()) == set(estimators.names())
    assert {*sources.learners(), *sources.estimators()} == set(learners.names())


def test_an_unknown_method_gets_the_nearest():
    toy = Path(__file__).parents[1] / "workflow"
    cell = make_plan(parse({"scale": "quick"}), toy).cells[0]
    cell.spec["method"]["name"] = "pathwize"
    with pytest.raises(ReparamError, match="unknown estimator 'pathwize'; did you mean 'pathwise'"):
        cell_digest(cell)
