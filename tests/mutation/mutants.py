"""Faults made from the syntax of a source file, one at a time: what a slip of the pen would do to a derivation.

Three kinds, everywhere in the code that computes (not in cards, messages or checks of options):

- a detach dropped: `x.detach()` and `stop(x)` become `x`;
- a sign flipped: `a + b` ↔ `a − b`, `−a` becomes `a`;
- a term dropped: `a + b` and `a − b` become `a`, or `b`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import NamedTuple

LEFT_ALONE = {"__post_init__", "check", "members", "name_of", "able", "restate"}
"""Functions that look after options, cards and messages, as those do whose names begin with check_."""


class Mutant(NamedTuple):
    file: Path
    function: str
    line: int
    what: str
    place: int
    """Its number among the places of the file that can be made wrong."""
    fault: int
    """Its number among the faults of that place."""

    @property
    def key(self) -> str:
        """A name that does not move with the lines."""
        return f"{self.file.stem}.{self.function}: {self.what}"

    @property
    def tree(self) -> ast.Module:
        """The whole file with the fault."""
        tree = ast.parse(self.file.read_text(encoding="utf-8"))
        _, target = next(islice(_places(tree), self.place, None))
        _Replace(target, _faults(target)[self.fault][1]).visit(tree)
        return ast.fix_missing_locations(tree)

    def __str__(self) -> str:
        return f"{self.file.stem}:{self.line}: {self.what}"


def mutants(file: Path) -> Iterator[Mutant]:
    """Every mutant of a source file, in the order of its lines."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    for i, (function, place) in enumerate(_places(tree)):
        for k, (what, _) in enumerate(_faults(place)):
            yield Mutant(file, function, place.lineno, what, i, k)


def _places(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    """(function, expression in it that can be made wrong), in a fixed order."""
    for function in _functions(tree):
        for node in _walk(function):
            if isinstance(node, ast.expr) and _faults(node):
                yield function.name, node


def _functions(tree: ast.Module) -> Iterator[ast.FunctionDef]:
    for node in tree.body:
        inside = node.body if isinstance(node, ast.ClassDef) else [node]
        for entry in inside:
            if not isinstance(entry, ast.FunctionDef) or entry.name in LEFT_ALONE:
                continue
            if not entry.name.startswith("check_"):
                yield entry


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """Like ast.walk, without annotations, decorators, raised errors and shapes (subscripts and tuples of sizes)."""
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "slice"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not isinstance(child, ast.Raise):
                yield child
                yield from _walk(child)


def _faults(node: ast.AST) -> list[tuple[str, ast.expr]]:
    """(what it is, the expression instead) for each fault of this expression."""
    if isinstance(node, ast.Call):
        attribute = node.func
        if isinstance(attribute, ast.Attribute) and attribute.attr == "detach":
            return [(f"{ast.unparse(node)}: detach dropped", attribute.value)]
        if isinstance(attribute, ast.Name) and attribute.id == "stop":
            return [(f"{ast.unparse(node)}: stop dropped", node.args[0])]
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub) and not _number(node.operand):
        return [(f"{ast.unparse(node)}: sign flipped", node.operand)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub) and not _text(node):
        other: ast.operator = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        return [
            (f"{ast.unparse(node)}: sign flipped", ast.BinOp(node.left, other, node.right)),
            (f"{ast.unparse(node)}: second term dropped", node.left),
            (f"{ast.unparse(node)}: first term dropped", node.right),
        ]
    return []


def _number(node: ast.expr) -> bool:
    """A literal such as the axis −1."""
    return isinstance(node, ast.Constant)


def _text(node: ast.BinOp) -> bool:
    return any(
        isinstance(n, ast.JoinedStr) or (isinstance(n, ast.Constant) and isinstance(n.value, str))
        for n in ast.walk(node)
    )


class _Replace(ast.NodeTransformer):
    def __init__(self, target: ast.expr, instead: ast.expr) -> None:
        self.target, self.instead = target, instead

    def visit(self, node: ast.AST) -> ast.AST:
        return self.instead if node is self.target else super().visit(node)
