"""Plug-ins found by name: one file with one decorated class or function, and no central list."""

from __future__ import annotations

import difflib
import importlib
import pkgutil
from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Generic, TypeVar

from reparam.errors import ReparamError

T = TypeVar("T")


class Registry(Generic[T]):
    """Names of one kind, filled by the modules of one package and by installed entry points.

    The package's modules are imported on the first look-up, never at import time: one plug-in's
    source is not part of what another plug-in's results depend on.
    """

    def __init__(self, kind: str, package: str, group: str | None = None) -> None:
        self.kind, self.package, self.group = kind, package, group
        self._entries: dict[str, T] = {}
        self._discovered = False

    def register(self, name: str) -> Callable[[T], T]:
        """Decorator: make the class or function known as `name`."""

        def add(entry: T) -> T:
            if name in self._entries:
                raise ReparamError(f"the {self.kind} {name!r} is registered twice: rename one of them")
            self._entries[name] = entry
            return entry

        return add

    def names(self) -> list[str]:
        """All known names, sorted."""
        self._discover()
        return sorted(self._entries)

    def get(self, name: str) -> T:
        """The entry called `name`; ReparamError with the nearest name when there is none."""
        self._discover()
        if name not in self._entries:
            raise ReparamError(f"unknown {self.kind} {name!r}{nearest(name, self._entries)}")
        return self._entries[name]

    def _discover(self) -> None:
        if self._discovered:
            return
        self._discovered = True
        package = importlib.import_module(self.package)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{self.package}.{module.name}")
        if self.group is not None:
            for entry_point in entry_points(group=self.group):
                entry_point.load()


def nearest(name: str, known: object) -> str:
    """'; did you mean …?' or '; known: …' for an unknown name."""
    names = sorted(str(entry) for entry in known)  # type: ignore[attr-defined]
    close = difflib.get_close_matches(name, names, n=1)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(names)}"
