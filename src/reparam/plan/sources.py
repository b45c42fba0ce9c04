"""Digests of the source that a step imports: code changes them, comments and docstrings do not.

Imports are followed by reading syntax trees; nothing is imported.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib.machinery import PathFinder
from importlib.metadata import EntryPoint, EntryPoints, entry_points
from pathlib import Path

import reparam
from reparam.errors import ReparamError
from reparam.plan.cells import Cell
from reparam.registry import nearest

PACKAGE = Path(reparam.__file__).parent
CELL_RUNNER = "reparam.cells.run"
ORACLE_CHECKS = "reparam.measure.oracle_checks"
FACADE = "reparam"
"""The package's top module offers names to users, lazily; nothing within the package imports through it."""
DECORATORS = ("register", "procedure")
_Definition = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def digest(modules: Iterable[str], files: Iterable[Path] = (), package: Path = PACKAGE) -> str:
    """SHA-256 over all modules that `modules` import, directly or not, and over the bytes of `files`.

    Only modules of `package` (a folder) count; 64 hex digits. Raises ReparamError for a missing module.
    """
    result = hashlib.sha256()
    for module in sorted(closure(modules, package)):
        result.update(f"{module} {tree_digest(module_file(module, package))}\n".encode())
    for file in sorted(files):
        result.update(f"{file.name} {hashlib.sha256(file.read_bytes()).hexdigest()}\n".encode())
    return result.hexdigest()


def cell_digest(cell: Cell, package: Path = PACKAGE, runner: str = CELL_RUNNER) -> str:
    """The digest of all code that can change this cell's result, other methods' code not included.

    Raises ReparamError for a task, measurement, method or procedure that is not there.
    """
    try:
        roots = [runner, *_parts(cell, package)]
    except ReparamError as error:
        where = f"{cell.paper}/experiments.yaml: experiment {cell.experiment}"
        raise ReparamError(f"{where}: {error}") from None
    return _with_plugins(digest(roots, package=package), methods(cell))


def _parts(cell: Cell, package: Path) -> list[str]:
    """The modules of all that a cell's spec names."""
    found = _registered("task", cell.spec["task"].get("name"), ("tasks",), package)
    for measurement in cell.spec["measurements"]:
        found += _registered("measurement", measurement, ("measure",), package)
    if cell.spec["procedure"] == "train":
        for method in methods(cell):
            found += _registered("estimator", method, ("estimators", "engine/learners"), package)
    else:
        found += _registered("procedure", cell.spec["procedure"], ("cells", f"papers/{cell.paper}"), package)
    return found


def oracle_digest(name: str, package: Path = PACKAGE) -> str:
    """The digest of all code that can change what the oracle checks find of an estimator.

    That is the checks, the estimator's module, and the estimators that its card's settings name as parts of it.
    """
    known = _names(("estimators",), package)
    used, todo = set[str](), [name]
    while todo:
        if (part := todo.pop()) not in used:
            used.add(part)
            todo += _named_in(known[part][0], package) if part in known else []
    modules = [module for part in used for module in _registered("estimator", part, ("estimators",), package)]
    return _with_plugins(digest([ORACLE_CHECKS, *modules], package=package), used)


def methods(cell: Cell) -> set[str]:
    """The estimator or learner that a cell trains with, the estimators that its options name as parts, those alongside,
    the one that follows it, and those that its measurements look at."""
    used = set(_names_in(cell.spec["method"]))
    used |= set(_names_in((cell.spec["training"].get("then") or {}).get("by", {}).get(cell.estimator)))
    lists = [given.get("estimators") for given in cell.spec["measurements"].values()]
    for listed in (cell.spec["training"].get("alongside"), *lists):
        for label, options in (listed or {}).items():
            used |= set() if options is None else set(_names_in({"name": label, **options}))
    for given in cell.spec["measurements"].values():
        used |= set(_names_in(given.get("reference")))
    return used


def estimators(package: Path = PACKAGE) -> list[str]:
    """The names of all estimators, installed plug-ins included: those that have oracles."""
    return sorted({*_names(("estimators",), package), *(plugin.name for plugin in _plugins())})


def estimator_modules(package: Path = PACKAGE) -> list[str]:
    """The modules of the suite's own estimators."""
    return sorted({module for module, _ in _names(("estimators",), package).values()})


def figure_modules(package: Path = PACKAGE) -> list[str]:
    """The modules that draw the papers' figures."""
    return [
        f"{package.name}.papers.{file.parent.name}.figures" for file in package.glob("papers/*/figures.py")
    ]


def learners(package: Path = PACKAGE) -> dict[str, str]:
    """The methods that are no gradient estimators, by name, with the first line of their docstrings."""
    return {name: line for name, (_, line) in _names(("engine/learners",), package).items()}


def closure(modules: Iterable[str], package: Path = PACKAGE) -> set[str]:
    """The modules of `package` that `modules` import, directly or not, themselves included."""
    todo, found = list(modules), set[str]()
    for module in todo:
        if module_file(module, package) is None:
            raise ReparamError(f"no module {module!r} in {package.name}")
    while todo:
        module = todo.pop()
        if module in found or module == FACADE:
            continue
        found.add(module)
        todo += _direct(module, package)
    return found


@cache
def _direct(module: str, package: Path) -> tuple[str, ...]:
    """The modules of `package` that one of its modules imports itself, and the package that it lies in."""
    file = module_file(module, package)
    assert file is not None
    names = (*_imports(file, module), module.rpartition(".")[0])
    return tuple(name for name in names if module_file(name, package) is not None)


@cache
def module_file(module: str, package: Path = PACKAGE) -> Path | None:
    """The file of a module of `package`, or None when the name is not a module of it."""
    head, *rest = module.split(".")
    if head != package.name:
        return None
    folder = package.joinpath(*rest)
    candidates = (folder / "__init__.py", folder.with_name(f"{folder.name}.py"))
    return next((file for file in candidates if file.is_file()), None)


@cache
def tree_digest(file: Path) -> str:
    """SHA-256 of a module's syntax tree without docstrings, comments and positions.

    Fields that are empty do not count, so that the digest does not hang on the Python version.
    """
    return hashlib.sha256(repr(_plain(_parse(file))).encode()).hexdigest()


def _plain(node: object) -> object:
    if isinstance(node, list):
        return [_plain(entry) for entry in node]
    if not isinstance(node, ast.AST):
        return node
    fields = dict(ast.iter_fields(node))
    fields.pop("type_comment", None)
    if isinstance(node, (*_Definition, ast.Module)) and ast.get_docstring(node, clean=False) is not None:
        fields["body"] = fields["body"][1:]
    kept = [(name, _plain(value)) for name, value in fields.items() if value not in (None, [])]
    return [type(node).__name__, *kept, *(["None"] if isinstance(node, ast.Constant) and not kept else [])]


@cache
def _parse(file: Path) -> ast.Module:
    try:
        return ast.parse(file.read_text(encoding="utf-8"))
    except SyntaxError as error:
        raise ReparamError(f"{file.name}, line {error.lineno}: not valid Python: {error.msg}") from None


def _imports(file: Path, module: str) -> tuple[str, ...]:
    """Names that may be modules: `from a import b` gives both `a` and `a.b`."""
    return tuple(_imported(file, module if file.name == "__init__.py" else module.rpartition(".")[0]))


def _imported(file: Path, base: str) -> Iterator[str]:
    for node in ast.walk(_parse(file)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                above = base.split(".")[: len(base.split(".")) - node.level + 1]
                origin = ".".join([*above, *([origin] if origin else [])])
            yield origin
            yield from (f"{origin}.{alias.name}" for alias in node.names)


def _registered(kind: str, name: str | None, folders: tuple[str, ...], package: Path) -> list[str]:
    """The module that registers `name`, in a list; ReparamError with the nearest name if there is none."""
    known = _names(folders, package)
    if name is None:
        return []
    if name in known:
        return [known[name][0]]
    plugins = [plugin.name for plugin in _plugins()] if kind == "estimator" else []
    if name in plugins:
        return []
    raise ReparamError(f"unknown {kind} {name!r}{nearest(name, [*known, *plugins])}")


@cache
def _names(folders: tuple[str, ...], package: Path) -> dict[str, tuple[str, str]]:
    """name → (module, first line of the docstring) of everything decorated with @register or @procedure."""
    found = {}
    for folder in folders:
        for file in sorted(package.joinpath(folder).glob("*.py")):
            module = ".".join(
                [package.name, *folder.split("/"), *([] if file.stem == "__init__" else [file.stem])]
            )
            for node in _parse(file).body:
                if isinstance(node, _Definition):
                    line = (ast.get_docstring(node) or "").partition("\n")[0]
                    found.update({name: (module, line) for name in _decorated(node)})
    return found


def _decorated(node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) -> Iterator[str]:
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and decorator.args and isinstance(decorator.args[0], ast.Constant):
            called = decorator.func
            word = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            if word in DECORATORS:
                yield str(decorator.args[0].value)


def _names_in(part: object) -> Iterator[str]:
    """Every `name` of a mapping, and of the mappings within it, and the names under `sites` (see `Mixed`)."""
    if isinstance(part, Mapping):
        if isinstance(part.get("name"), str):
            yield part["name"]
        if isinstance(part.get("sites"), Mapping):
            yield from (entry for entry in part["sites"].values() if isinstance(entry, str))
        for entry in part.values():
            yield from _names_in(entry)


def _named_in(module: str, package: Path) -> Iterator[str]:
    """The value of every literal {"name": value} in a module."""
    file = module_file(module, package)
    assert file is not None
    for node in ast.walk(_parse(file)):
        if isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if isinstance(key, ast.Constant) and key.value == "name" and isinstance(value, ast.Constant):
                    yield str(value.value)


@cache
def _plugins() -> EntryPoints:
    return entry_points(group="reparam.estimators")


def _with_plugins(own: str, used: Iterable[str]) -> str:
    """A digest together with those of the plug-ins among the estimators that are used."""
    result = hashlib.sha256(own.encode())
    for plugin in sorted(_plugins()):
        if plugin.name in used:
            result.update(_plugin_digest(plugin).encode())
    return result.hexdigest()


def _plugin_digest(plugin: EntryPoint) -> str:
    """The digest of the code behind an installed plug-in's entry point."""
    head = plugin.module.partition(".")[0]
    spec = PathFinder.find_spec(head)
    if spec is None or spec.origin is None:
        raise ReparamError(
            f"the plug-in {plugin.name!r} names a module that is not installed: {plugin.module}"
        )
    origin = Path(spec.origin)
    return (
        digest([plugin.module], package=origin.parent)
        if origin.name == "__init__.py"
        else tree_digest(origin)
    )
