"""Putting a fault into the running code, and asking the tests of an estimator whether they see it."""

from __future__ import annotations

import ast
import contextlib
import importlib
import inspect
import io
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any

import pytest
import test_formulas

from reparam import estimators
from reparam.measure import contract
from reparam.measure.contract import Case
from reparam.measure.contract.cases import by_setting
from reparam.measure.contract.means import LEAST, measure
from reparam.measure.contract.moments import BOUND

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "reparam"
QUICK = ("plates", "evaluations", "own parameters", "derivative", "signals")
SLOW = ("means", "refusals", "nested")
"""The contract's checks, those first that see most faults in a second."""


@contextlib.contextmanager
def planted(file: Path, tree: ast.Module) -> Iterator[None]:
    """The functions of a module of the package with the code of `tree` in the place of their own."""
    module = importlib.import_module(".".join(["reparam", *file.relative_to(PACKAGE).with_suffix("").parts]))
    found = ((_function(module, name), code) for name, code in _codes(tree, file).items())
    changed = [(f, f.__code__, code) for f, code in found if f is not None and f.__code__ != code]
    assert changed, f"{file.name}: this changes nothing"
    try:
        for function, _, code in changed:
            function.__code__ = code
        yield
    finally:
        for function, code, _ in changed:
            function.__code__ = code


def first_means_are_red(names: Iterable[str]) -> bool:
    """Whether an unbiased one of these estimators is not, by LEAST draws on its first two problems."""

    def off(case: Case) -> bool:
        found = measure(case, case.state, LEAST)
        return not max(found.gradient.z, found.value.z) <= BOUND

    return _any(
        off(case) for name in names if estimators.get(name).card.unbiased for case in _cases(name)[:2]
    )


def formulas_are_red(names: Collection[str]) -> bool:
    """Whether an estimate of one of these estimators is not what its card's formula says."""
    try:
        for name, i, key in test_formulas.CASES:
            if name in names:
                test_formulas.test_the_estimate_is_the_formula(name, i, key)
    except Exception:
        return True
    return False


def contract_is_red(names: Iterable[str], checks: Iterable[str] = QUICK + SLOW) -> bool:
    """Whether a check of the contract fails, or breaks down, for one of these estimators; it stops at the first."""
    every = [_cases(name) for name in names]
    return _any(
        _fails(check, cases) for check in checks for found in every for cases in _groups(check, found)
    )


@cache
def admitted(name: str) -> list[tuple[Mapping[str, Any], str]]:
    """Options and problem of every case of an estimator: found once, and before any fault is planted."""
    return [(case.options, case.title) for case in contract.cases(estimators.get(name))]


def _groups(check: str, every: list[Case]) -> list[list[Case]]:
    """Cases to check together: an exact mean is checked alone, a bias has to show on one problem of its setting."""
    if check != "means":
        return [every]
    groups: list[list[Case]] = []
    for setting in by_setting(every):
        groups += [[case] for case in setting] if setting[0].estimator.card.unbiased else [setting]
    return groups


def _cases(name: str) -> list[Case]:
    """Cases with estimators yet to be made."""
    return [Case(estimators.get(name), *place) for place in admitted(name)]


def _any(red: Iterable[bool]) -> bool:
    """Whether any is, or finding out breaks down."""
    try:
        return any(red)
    except Exception:
        return True


def _fails(check: str, cases: list[Case]) -> bool:
    return not all(finding.passed for finding in contract.CHECKS[check](cases))


class KillersFirst:
    """A pytest plug-in: the tests that saw an earlier fault come before the others of their file."""

    def __init__(self) -> None:
        self.killers: set[str] = set()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.killers.add(report.nodeid)

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: item.nodeid not in self.killers)


ORDER = KillersFirst()


def suite_is_red(file: Path) -> bool:
    """Whether a file of tests, run in this process, has a test that fails."""
    arguments = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-m", "not slow"]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        return file.exists() and pytest.main([*arguments, str(file)], [ORDER]) == pytest.ExitCode.TESTS_FAILED


def _codes(tree: ast.Module, file: Path) -> dict[str, CodeType]:
    """Qualified name → code of every function and method of the module; nested functions are part of theirs."""
    found: dict[str, CodeType] = {}

    def visit(code: CodeType) -> None:
        for constant in code.co_consts:
            if isinstance(constant, CodeType):
                if "<" not in constant.co_qualname:
                    found[constant.co_qualname] = constant
                visit(constant)

    visit(compile(tree, str(file), "exec"))
    return found


def _function(module: Any, name: str) -> FunctionType | None:
    found = module
    for part in name.split("."):
        found = found.__dict__.get(part)
    if isinstance(found, property):
        found = found.fget
    if isinstance(found, staticmethod):
        found = found.__func__
    if callable(found):
        found = inspect.unwrap(found)
    return found if isinstance(found, FunctionType) else None
